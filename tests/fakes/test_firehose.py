"""The fake itself: strict where Firehose is, and true to its scripts. Asked without the clients that it tests."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from .firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose, Step, parse_script

ROOT = Path(__file__).parents[2]
HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Firehose_20150804.PutRecordBatch"}


def ask(
    fake: Firehose,
    records: Iterable[bytes] = (b"line\n",),
    *,
    body: bytes | None = None,
    stream: str = "logs",
    headers: Mapping[str, str | None] | None = None,
    secret: str = SECRET_KEY,
) -> tuple[int, Any]:
    """Status and answer of one request, signed by botocore; `headers` replace signed ones, None takes one away."""
    if body is None:
        entries = [{"Data": base64.b64encode(data).decode()} for data in records]
        body = json.dumps({"DeliveryStreamName": stream, "Records": entries}).encode()
    request = AWSRequest("POST", f"{fake.url}/", dict(HEADERS), body)
    SigV4Auth(ReadOnlyCredentials(ACCESS_KEY, secret, TOKEN), "firehose", "eu-west-1").add_auth(request)
    sent = {**dict(request.headers), **(headers or {})}
    connection = http.client.HTTPConnection("localhost", fake.port, timeout=20)
    try:
        kept = {name: value for name, value in sent.items() if value is not None}
        connection.request("POST", "/", body, kept)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_good_request_is_taken() -> None:
    with Firehose() as fake:
        status, answer = ask(fake, [b"a\n", b"b\n"])
        assert (status, answer["FailedPutCount"], len(answer["RequestResponses"])) == (200, 0, 2)
        assert fake.records() == [b"a\n", b"b\n"]
        assert [call[1:6] for call in fake.calls] == [("logs", 2, 4, "ok", 2)]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"headers": {"Authorization": None}}, "MissingAuthenticationTokenException"),
        ({"headers": {"Authorization": "Basic abc"}}, "IncompleteSignatureException"),
        ({"headers": {"X-Amz-Security-Token": "other"}}, "InvalidSignatureException"),
        ({"headers": {"X-Amz-Extra": "not signed"}}, "InvalidSignatureException"),
        ({"headers": {"X-Amz-Target": "Firehose_20150804.PutRecord"}}, "UnknownOperationException"),
        ({"headers": {"Content-Type": "application/json"}}, "SerializationException"),
        ({"secret": "wrong"}, "InvalidSignatureException"),
        ({"body": b"{"}, "SerializationException"),
        ({"body": b'{"DeliveryStreamName":"logs","Records":[{"Data":"!"}]}'}, "SerializationException"),
        ({"body": b'{"DeliveryStreamName":"logs","Records":[{"Data":"","x":1}]}'}, "SerializationException"),
        ({"stream": "other"}, "ResourceNotFoundException"),
        ({"stream": "a/b"}, "ValidationException"),
        ({"records": []}, "ValidationException"),
        ({"records": [b"x"] * 501}, "ValidationException"),
        ({"records": [b"x" * 1_024_001]}, "ValidationException"),
        ({"records": [b"x" * 1_024_000] * 4 + [b"x" * 98_305]}, "InvalidArgumentException"),
    ],
)
def test_what_the_real_one_refuses_is_refused(wrong: dict[str, Any], code: str) -> None:
    with Firehose() as fake:
        status, answer = ask(fake, **wrong)
        assert 400 <= status < 500
        assert answer["__type"] == code
        assert fake.records() == []


def test_a_request_from_another_time_is_refused() -> None:
    with Firehose(skew_s=301) as fake:
        assert ask(fake)[1]["__type"] == "InvalidSignatureException"


def test_a_script_is_played_once_in_order_and_what_comes_after_is_said_too() -> None:
    script = [Step("throttle"), Step("partial", [1])]
    with Firehose(script=script, otherwise=Step("server_error")) as fake:
        assert [ask(fake, [b"0", b"1"])[0] for _ in range(3)] == [503, 200, 500]
        assert fake.records() == [b"0"]
        assert [call.outcome for call in fake.calls] == ["throttle", "partial", "server_error"]


def test_a_fraction_refuses_about_that_part() -> None:
    with Firehose(script=[Step("partial", 0.25)]) as fake:
        assert ask(fake, [b"x"] * 100)[1]["FailedPutCount"] == 25


def test_one_stream_may_fail_while_another_does_not() -> None:
    with Firehose(["a", "b"]) as fake:
        fake.always(Step("throttle"), "a")
        assert [ask(fake, stream=name)[0] for name in "ab"] == [503, 200]
        fake.always(None, "a")
        assert ask(fake, stream="a")[0] == 200


def test_a_hang_lasts_until_it_is_released() -> None:
    with Firehose(script=[Step("hang")]) as fake:
        fake.release()
        assert ask(fake)[0] == 200


def test_lines_are_read_from_plain_and_from_gzipped_records() -> None:
    with Firehose() as fake:
        ask(fake, [b'{"seq":0}\n{"seq":1}\n', gzip.compress(b'{"seq":2}\n')])
        assert fake.lines() == [{"seq": 0}, {"seq": 1}, {"seq": 2}]


def test_an_idle_connection_is_closed() -> None:
    with Firehose(idle_s=0.05) as fake:
        connection = http.client.HTTPConnection("localhost", fake.port, timeout=20)
        connection.connect()
        assert connection.sock.recv(1) == b""
        connection.close()


def test_a_script_can_be_written_as_text() -> None:
    assert parse_script("throttle partial:[0,2] hang:1.5 ok*2") == [
        Step("throttle"),
        Step("partial", [0, 2]),
        Step("hang", 1.5),
        Step("ok"),
        Step("ok"),
    ]


def test_it_runs_by_itself_and_tells_what_it_took() -> None:
    command = [sys.executable, "-m", "tests.fakes.firehose", "--stream", "logs", "--discard", "--script", "throttle"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        connection = http.client.HTTPConnection(started["url"].removeprefix("http://"), timeout=20)
        connection.request("GET", "/_fake/stats")
        assert json.loads(connection.getresponse().read())["calls"] == 0
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.stdout.read())["records"] == 0
    assert process.returncode == 0


def test_it_stops_at_once_whatever_its_clients_do() -> None:
    began = time.monotonic()
    with Firehose(otherwise=Step("hang")) as fake:
        idle = http.client.HTTPConnection("localhost", fake.port)
        idle.connect()
        hanging = http.client.HTTPConnection("localhost", fake.port)
        body = b'{"DeliveryStreamName":"logs","Records":[{"Data":""}]}'
        request = AWSRequest("POST", f"{fake.url}/", dict(HEADERS), body)
        SigV4Auth(ReadOnlyCredentials(ACCESS_KEY, SECRET_KEY, TOKEN), "firehose", "eu-west-1").add_auth(request)
        hanging.request("POST", "/", request.data, dict(request.headers))
        fake.wait_until(lambda: fake.calls)
    assert time.monotonic() - began < 5.0
    assert fake.records() == []
    idle.close()
    hanging.close()
