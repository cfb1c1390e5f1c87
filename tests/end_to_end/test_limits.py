"""What Firehose takes is never exceeded, whatever is written; and what it bills stays close to what is sent."""

from __future__ import annotations

import gzip
import json
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_capture.envelope.limits import MAX_RECORD_BYTES
from log_capture.envelope.pack import MAX_LINES, Packer, max_line_bytes
from log_capture.envelope.render import Renderer
from log_capture.firehose.choose import make_targets
from log_capture.journal.journal import Journal
from log_capture.journal.ring import CUT, HEADER_BYTES, STDOUT
from log_capture.sending.delivery import Delivery
from log_capture.sending.source import Source
from tests.end_to_end.complete import once
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose

#: The sizes around which limits are missed: a step of the bill, a record, several records, a whole call.
SIZES = st.one_of(
    st.integers(0, 300),
    st.integers(5_000, 5_200),
    st.integers(MAX_RECORD_BYTES // 4 - 300, MAX_RECORD_BYTES // 4 + 300),
    st.integers(MAX_RECORD_BYTES - 600, MAX_RECORD_BYTES + 600),
    st.integers(3_900_000, 4_300_000),
)
#: One, two, three and four bytes in UTF-8; one that JSON escapes in six; two that it escapes in two.
CHARACTERS = st.sampled_from('xé€😀\x01"\\')
LINES = st.lists(st.tuples(CHARACTERS, SIZES, st.integers(1, 3)), min_size=1, max_size=12)
MOST_BYTES = 6_000_000


@settings(max_examples=20)
@given(LINES, st.sampled_from(["none", "gzip"]), st.booleans())
def test_whatever_is_written_firehose_takes_every_call_and_the_parts_join_to_the_lines(
    lines: list[tuple[str, int, int]], compression: str, aggregate: bool
) -> None:
    written: list[str] = []
    left = MOST_BYTES
    for character, size, times in lines:
        text = character * max(1, min(size, left) // len(character.encode()))
        written += [f"{len(written)} {text}" for _ in range(times if size < 10_000 else 1)]
        left -= min(size, left)
    with Firehose([STREAM]) as firehose:
        journal = Journal(bytearray(HEADER_BYTES + 2 * MOST_BYTES), environment="0123456789ab")
        for text in written:
            assert journal.append(STDOUT, text.encode() + b"\n")
        journal.append(CUT, b"")
        renderer = Renderer(
            format="json", environment="0123456789ab", max_bytes=max_line_bytes(compression), parse_json=False
        )
        source = Source(journal, renderer, Packer(aggregate=aggregate, compression=compression))
        environ = {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_FIREHOSE": firehose.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": TOKEN,
        }
        targets = make_targets([STREAM], environ=environ)
        delivery = Delivery(targets, report=pytest.fail)
        try:
            sent = delivery.send([source], monotonic() + 60, lambda seconds: pytest.fail("a call was refused"))
        finally:
            targets[0].client.close()
        assert sent
        assert {call.outcome for call in firehose.calls} == {"ok"}
        records = firehose.records(STREAM)
        arrived = firehose.lines(STREAM)
    for record in records:
        content = gzip.decompress(record) if compression == "gzip" else record
        assert len(content) <= MAX_RECORD_BYTES  # compressed or not, a consumer needs no more memory than that
        assert content.count(b"\n") <= MAX_LINES
    assert joined(once(arrived)) == written


def joined(lines: list[dict[str, Any]]) -> list[str]:
    """The function's lines, those in parts put together."""
    found: list[str] = []
    for line in lines:
        part, parts = line.get("part", (1, 1))
        assert part == 1 or parts > 1
        if part == 1:
            found.append("")
        found[-1] += line["record"]
    return found


BULK = """
    import random
    dice = random.Random(17)
    def handler(event, context):
        for number in range(20_000):
            print("order", number, "accepted", dice.randbytes(dice.randrange(event["least"], event["most"])).hex())
"""


@pytest.mark.newest_python
@pytest.mark.parametrize(("least", "most"), [(0, 2), (10, 60), (0, 400)], ids=["short", "usual", "of all lengths"])
def test_bulk_output_is_billed_for_less_than_five_percent_more_than_its_bytes(
    stage: Stage, least: int, most: int
) -> None:
    stage.run(BULK, [{"least": least, "most": most}], timeout_s=60)
    sent = sum(call.bytes for call in stage.firehose.calls)
    assert {call.outcome for call in stage.firehose.calls} == {"ok"}
    assert len([line for line in stage.firehose.lines(STREAM) if line["type"] == "function"]) == 20_000
    assert stage.firehose.billed < 1.05 * sent


@pytest.mark.newest_python
def test_gzip_records_of_bulk_output_joined_as_s3_joins_them_are_one_file(stage: Stage) -> None:
    stage.run(BULK, [{"least": 10, "most": 60}], env={"FIRETEE_COMPRESSION": "gzip"}, timeout_s=60)
    records = stage.firehose.records(STREAM)
    text = gzip.decompress(b"".join(records))
    assert [line["seq"] for line in map(json.loads, text.splitlines())] == list(range(text.count(b"\n")))
    assert text.count(b"\n") > 20_000
