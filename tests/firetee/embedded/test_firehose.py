"""The embedded Firehose takes and refuses what the real one does, and keeps objects as S3 would have them."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from firetee.embedded.firehose import EmbeddedFirehose, Stored, envelopes


@pytest.fixture
def heard() -> list[Stored]:
    return []


@pytest.fixture
def firehose(tmp_path: Path, heard: list[Stored]) -> Iterator[EmbeddedFirehose]:
    with EmbeddedFirehose(tmp_path / "bucket", on_stored=heard.append) as running:
        yield running


@pytest.fixture
def client(firehose: EmbeddedFirehose) -> Iterator[Any]:
    """AWS's own SDK for it."""
    session = boto3.session.Session(aws_access_key_id="key", aws_secret_access_key="secret", region_name="eu-west-1")
    made = session.client("firehose", endpoint_url=firehose.url, config=Config(retries={"total_max_attempts": 1}))
    yield made
    made.close()


def put(client: Any, *records: bytes, stream: str = "firetee-local") -> Any:
    return client.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": data} for data in records])


def test_the_records_of_a_call_are_one_object_in_the_bucket(client: Any, firehose: EmbeddedFirehose) -> None:
    answer = put(client, b'{"a": 1}\n', b'{"b": 2}\n')
    put(client, b'{"c": 3}\n')
    assert answer["FailedPutCount"] == 0
    assert len({entry["RecordId"] for entry in answer["RequestResponses"]}) == 2
    assert firehose.objects() == [b'{"a": 1}\n{"b": 2}\n', b'{"c": 3}\n']


def test_objects_are_named_as_firehose_names_them(client: Any, firehose: EmbeddedFirehose) -> None:
    put(client, b"{}\n")
    put(client, gzip.compress(b"{}\n"), stream="orders-logs")
    names = [str(path.relative_to(firehose.folder)) for path in firehose.paths]
    day, time_of_day = r"\d{4}/\d\d/\d\d/\d\d", r"\d{4}(-\d\d){5}"
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"{day}/firetee-local-1-{time_of_day}-{uuid}\.jsonl", names[0])
    assert re.fullmatch(rf"{day}/orders-logs-1-{time_of_day}-{uuid}\.jsonl\.gz", names[1])


def test_each_call_is_told_with_its_records_and_the_time_at_which_they_were_stored(
    client: Any, firehose: EmbeddedFirehose, heard: list[Stored]
) -> None:
    before = time.time()
    put(client, b"one\n", b"two\n")
    after = time.time()
    (call,) = heard
    assert call.records == (b"one\n", b"two\n")
    assert before <= call.time_s <= after
    assert firehose.calls == heard


def test_a_function_of_its_own_accord_may_put_a_single_record(client: Any, firehose: EmbeddedFirehose) -> None:
    assert client.put_record(DeliveryStreamName="mine", Record={"Data": b"x\n"})["RecordId"]
    assert firehose.objects() == [b"x\n"]


@pytest.mark.parametrize(
    ("records", "stream", "code"),
    [
        ([b"x"] * 501, "logs", "ValidationException"),
        ([b"x" * 1_024_001], "logs", "ValidationException"),
        ([b"x" * 900_000] * 5, "logs", "InvalidArgumentException"),
        ([b"x"], "no/stream", "ValidationException"),
    ],
    ids=["501 records", "a record of more than 1,000 KiB", "more than 4 MiB", "no name of a stream"],
)
def test_what_firehose_refuses_is_refused(
    client: Any, firehose: EmbeddedFirehose, records: list[bytes], stream: str, code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        put(client, *records, stream=stream)
    assert refused.value.response["Error"]["Code"] == code
    assert firehose.objects() == []


def test_other_operations_are_unknown(client: Any) -> None:
    with pytest.raises(ClientError, match="UnknownOperation"):
        client.list_delivery_streams()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_envelopes_are_read_plain_and_gzipped(pack: type[bytes]) -> None:
    assert envelopes(pack(b'{"seq": 0}\n{"seq": 1}\n')) == [{"seq": 0}, {"seq": 1}]
