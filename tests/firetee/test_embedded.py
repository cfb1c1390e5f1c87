"""The embedded Firehose keeps what it is given in a bucket, and tells when."""

from __future__ import annotations

import gzip
import time

import pytest

from firetee.embedded import EmbeddedFirehose, Stored, envelopes


def put(firehose: EmbeddedFirehose, *records: bytes) -> None:
    client = firehose.client("firehose")
    try:
        answer = client.put_record_batch(
            DeliveryStreamName=firehose.stream, Records=[{"Data": record} for record in records]
        )
    finally:
        client.close()
    assert answer["FailedPutCount"] == 0


def test_the_records_of_a_call_are_one_object_in_the_bucket() -> None:
    with EmbeddedFirehose() as firehose:
        put(firehose, b'{"a": 1}\n', b'{"b": 2}\n')
        put(firehose, b'{"c": 3}\n')
        objects = firehose.objects()
    assert sorted(objects) == [b'{"a": 1}\n{"b": 2}\n', b'{"c": 3}\n']


def test_each_call_is_told_with_its_records_and_the_time_at_which_they_were_stored() -> None:
    heard: list[Stored] = []
    with EmbeddedFirehose(on_stored=heard.append) as firehose:
        before = time.time()
        put(firehose, b"one\n", b"two\n")
        after = time.time()
    (call,) = heard
    assert call.records == (b"one\n", b"two\n")
    assert before <= call.time_s <= after
    assert firehose.calls == heard


def test_a_second_server_knows_nothing_of_the_first() -> None:
    for _ in range(2):
        with EmbeddedFirehose() as firehose:
            assert firehose.objects() == []
            put(firehose, b"x\n")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_envelopes_are_read_plain_and_gzipped(pack: type[bytes]) -> None:
    assert envelopes(pack(b'{"seq": 0}\n{"seq": 1}\n')) == [{"seq": 0}, {"seq": 1}]
