"""The server that everyone sends to: it reads what came, whoever sent it."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import ssl
import zlib
from collections.abc import Callable, Iterator

import pytest

from benchmarks.sink import Received, Sink
from tests.fakes.tls import Authority

LINES = b"m-0;order 1\nm-7;order 2\n"


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def sink(authority: Authority) -> Iterator[Sink]:
    with Sink(authority) as server:
        yield server


@pytest.fixture
def client(sink: Sink, authority: Authority) -> Iterator[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    connection = http.client.HTTPSConnection("localhost", sink.port, context=context)
    yield connection
    connection.close()


def put(client: http.client.HTTPSConnection, action: str, value: object) -> dict[str, object]:
    client.request("POST", "/", json.dumps(value), {"X-Amz-Target": f"Firehose_20150804.{action}"})
    answer: dict[str, object] = json.loads(client.getresponse().read())
    return answer


def test_a_batch_is_taken_record_by_record_and_billed_in_steps(sink: Sink, client: http.client.HTTPSConnection) -> None:
    data = base64.b64encode(LINES).decode()
    answer = put(client, "PutRecordBatch", {"DeliveryStreamName": "logs", "Records": [{"Data": data}, {"Data": data}]})
    assert answer["FailedPutCount"] == 0
    assert answer["RequestResponses"] == [{"RecordId": "1"}] * 2
    assert (sink.requests, sink.line_count(), sink.lines("m"), sink.billed()) == (1, 4, {0, 7}, 2 * 5120)


def test_a_single_record_is_taken(sink: Sink, client: http.client.HTTPSConnection) -> None:
    data = base64.b64encode(LINES).decode()
    assert put(client, "PutRecord", {"DeliveryStreamName": "logs", "Record": {"Data": data}})["RecordId"] == "1"
    assert (sink.lines("m"), sink.lines("other"), sink.billed()) == ({0, 7}, set(), 5120)


def test_what_is_no_firehose_has_no_bill(sink: Sink, client: http.client.HTTPSConnection) -> None:
    client.request("POST", "/v1/logs", LINES)
    assert client.getresponse().read() == b""
    assert (sink.requests, sink.bytes, sink.lines("m"), sink.billed()) == (1, len(LINES), {0, 7}, None)


def test_clear_forgets(sink: Sink, client: http.client.HTTPSConnection) -> None:
    client.request("POST", "/v1/logs", LINES)
    client.getresponse().read()
    sink.clear()
    assert sink.requests == 0


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)],
    ids=["plain", "gzip", "deflate"],
)
def test_a_compressed_body_is_read(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    assert Received("/api/1/envelope/", encoding, compress(LINES)).payloads() == [LINES]


def test_a_compression_that_cannot_be_read_is_an_error_and_no_loss() -> None:
    with pytest.raises(ValueError, match="'br'"):
        Received("/", "br", LINES).payloads()
