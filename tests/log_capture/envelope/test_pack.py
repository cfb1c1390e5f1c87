"""Records and batches hold every line once, in order, and never more than Firehose takes."""

from __future__ import annotations

import gzip
import os
import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_RECORD_BYTES
from log_capture.envelope.pack import BILLED_BYTES, MAX_LINES, Packer, batches, billed, max_line_bytes

#: Sizes of lines, from a newline alone to the longest that fits into one record.
SIZES = st.builds(
    lambda short, times, long: short * times + long,
    st.lists(st.integers(1, 400), max_size=6),
    st.integers(1, 300),
    st.lists(st.one_of(st.integers(1, 60_000), st.integers(300_000, max_line_bytes("gzip"))), max_size=4),
)
PACKERS = st.builds(
    Packer, aggregate=st.booleans(), compression=st.sampled_from(["none", "gzip"]), max_lines=st.integers(1, MAX_LINES)
)


def _lines(sizes: list[int]) -> list[bytes]:
    return [bytes([97 + index % 26]) * (size - 1) + b"\n" for index, size in enumerate(sizes)]


def _plain(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@given(SIZES, PACKERS)
def test_records_joined_are_the_lines_and_each_says_how_many_it_holds(sizes: list[int], packer: Packer) -> None:
    lines = _lines(sizes)
    records = packer.pack(lines)
    ends = list(accumulate(count for _, count in records))
    assert (ends[-1] if ends else 0) == len(lines)
    for end, (data, count) in zip(ends, records, strict=True):
        assert count > 0
        assert _plain(data) == b"".join(lines[end - count : end])


@given(SIZES, PACKERS)
def test_no_record_exceeds_what_firehose_takes(sizes: list[int], packer: Packer) -> None:
    for data, count in packer.pack(_lines(sizes)):
        assert len(data) <= MAX_RECORD_BYTES
        assert len(_plain(data)) <= MAX_RECORD_BYTES
        assert count <= MAX_LINES


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(1, 100), st.integers(1, MAX_RECORD_BYTES)), st.integers(1, 300)), max_size=8
    )
)
def test_batches_hold_the_records_in_order_within_the_limits_of_a_call(runs: list[tuple[int, int]]) -> None:
    shared = b"x" * MAX_RECORD_BYTES
    records = [(shared[:size], 1) for size, times in runs for _ in range(times if size < 10_000 else 3)]
    found = batches(records)
    assert [record for batch in found for record in batch] == records
    for batch in found:
        assert 0 < len(batch) <= MAX_BATCH_RECORDS
        assert sum(len(data) for data, _ in batch) <= MAX_BATCH_BYTES


def test_nothing_packs_into_nothing() -> None:
    assert Packer().pack([]) == []
    assert batches([]) == []


def test_without_aggregation_each_line_is_its_own_record() -> None:
    assert Packer(aggregate=False).pack([b"a\n", b"b\n"]) == [(b"a\n", 1), (b"b\n", 1)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (1, BILLED_BYTES), (BILLED_BYTES, BILLED_BYTES), (BILLED_BYTES + 1, 2 * BILLED_BYTES)],
)
def test_a_record_is_billed_in_steps(size: int, expected: int) -> None:
    assert billed(size) == expected


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("least", "most"), [(20, 60), (200, 300), (100, 1_000), (1_000, 100_000), (30, max_line_bytes("none"))]
)
def test_bulk_output_is_billed_for_less_than_five_percent_more_than_its_bytes(least: int, most: int, seed: int) -> None:
    rng = random.Random(seed)
    sizes = [rng.randint(least, most) for _ in range(6_000_000 // (least + most))]
    records = Packer().pack(_lines(sizes))
    assert sum(billed(len(data)) for data, _ in records) < 1.05 * sum(sizes)


def test_a_lone_short_batch_is_one_record_even_if_an_earlier_end_were_billed_cheaper() -> None:
    (record,) = Packer().pack([b"x" * 59 + b"\n"] * 100)
    assert record[1] == 100


@pytest.mark.parametrize("lines", [1, 4, 700])
def test_gzip_members_fit_even_if_nothing_compresses(lines: int) -> None:
    size = min(max_line_bytes("gzip"), 2_500_000 // lines)
    noise = [os.urandom(size - 1) + b"\n" for _ in range(lines)]
    records = Packer(compression="gzip").pack(noise)
    assert all(len(data) <= MAX_RECORD_BYTES for data, _ in records)
    assert gzip.decompress(b"".join(data for data, _ in records)) == b"".join(noise)


def test_the_same_lines_are_the_same_gzip_member_when_they_are_sent_again() -> None:
    assert Packer(compression="gzip").pack([b"a\n"]) == Packer(compression="gzip").pack([b"a\n"])


def test_gzip_is_billed_for_less_than_a_tenth_of_envelopes_that_differ_as_real_ones_do() -> None:
    rng = random.Random(1)
    request = '"requestId":"6d68ca91-49c9-448d-89b8-7ca3e6dc66aa","traceId":"62e900b2710d76f009d6e7785905449a"'
    lines = [
        (
            f'{{"time":"2026-11-23T13:50:{number * 317 / 1e6:09.6f}Z","type":"function","record":"order '
            f'{rng.randrange(10**6)} accepted for customer {rng.getrandbits(64):x} after {rng.random() * 100:.2f} ms",'
            f'"stream":"stdout",{request},"function":"orders","version":"$LATEST","environment":"9f86d081884c",'
            f'"seq":{number}}}\n'
        ).encode()
        for number in range(10_000)
    ]
    records = Packer(compression="gzip").pack(lines)
    assert sum(billed(len(data)) for data, _ in records) < 0.1 * sum(map(len, lines))
