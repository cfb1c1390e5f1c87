"""A journal on its way out: each line once and numbered without a gap, whatever dies when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_capture.envelope.filters import Filters
from log_capture.envelope.holding import Holding, Outcome, Rules
from log_capture.envelope.pack import Packer
from log_capture.envelope.render import Renderer
from log_capture.journal.dead_journal import DeadJournal
from log_capture.journal.journal import Journal
from log_capture.journal.ring import CONTEXT, CUT, EVENT, FRAME, HEADER_BYTES, STDERR, STDOUT
from log_capture.sending.source import KEPT_BYTES, Source
from tests.fakes.disk import Disk

ENVIRONMENT = "0123456789ab"
#: So short that some lines of these tests need several parts.
MAX_LINE_BYTES = 230


def make_renderer(**options: Any) -> Renderer:
    return Renderer(**{"format": "json", "environment": ENVIRONMENT, "parse_json": False, **options})


def make_source(
    capacity: int = 1 << 16,
    packer: Packer | None = None,
    kept_bytes: int = KEPT_BYTES,
    rules: Rules | None = None,
    **options: Any,
) -> tuple[Source, Disk]:
    disk = Disk()
    journal = Journal(bytearray(HEADER_BYTES + capacity), environment=ENVIRONMENT, mirror=disk)
    packer = packer or Packer(aggregate=False)
    holding = Holding(rules) if rules is not None else None
    return Source(journal, make_renderer(**options), packer, kept_bytes=kept_bytes, holding=holding), disk


def recovered(
    disk: Disk,
    packer: Packer | None = None,
    kept_bytes: int = KEPT_BYTES,
    rules: Rules | None = None,
    **options: Any,
) -> Source:
    """What the next process makes of the file of one that died."""
    dead = DeadJournal(disk)
    packer = packer or Packer(aggregate=False)
    holding = Holding(rules) if rules is not None else None
    return Source(dead, make_renderer(**options), packer, start=dead.start, kept_bytes=kept_bytes, holding=holding)


def envelopes(records: Sequence[tuple[bytes, int]]) -> list[dict[str, Any]]:
    return [json.loads(line) for data, _ in records for line in data.splitlines()]


def take_all(source: Source) -> list[dict[str, Any]]:
    """Firehose takes everything."""
    found = []
    while batch := source.batch():
        found += envelopes(batch)
        source.settle([True] * len(batch))
    return found


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [envelope["record"] for envelope in found]


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [envelope["seq"] for envelope in found]


def write(source: Source, *pieces: bytes, kind: int = STDOUT) -> None:
    assert isinstance(source.journal, Journal)
    for piece in pieces:
        source.journal.append(kind, piece)


def test_lines_come_out_in_order_and_numbered_from_0() -> None:
    source, _ = make_source()
    write(source, b"a\n", b"b\nc\n")
    found = take_all(source)
    assert texts(found) == ["a", "b", "c"]
    assert numbers(found) == [0, 1, 2]
    assert source.empty
    assert not source.batch()


def test_numbers_go_on_from_one_flush_to_the_next() -> None:
    source, _ = make_source()
    for number in range(3):
        write(source, b"line\n")
        assert numbers(take_all(source)) == [number]


def test_what_was_not_taken_comes_again_and_nothing_else() -> None:
    source, _ = make_source()
    write(source, b"a\nb\nc\n")
    batch = source.batch()
    source.settle([True, False, True])
    assert texts(envelopes(source.batch())) == ["b"]
    source.settle([True])
    assert source.empty
    assert (source.lines, source.bytes) == (3, sum(len(data) for data, _ in batch))


def test_a_line_without_its_end_waits_for_it() -> None:
    source, _ = make_source()
    write(source, b"whole\nbe")
    assert texts(take_all(source)) == ["whole"]
    write(source, b"gun\n")
    assert texts(take_all(source)) == ["begun"]


def test_a_progress_bar_without_a_newline_does_not_keep_what_lies_behind_it_from_being_freed() -> None:
    source, disk = make_source(capacity=1 << 18)
    assert isinstance(source.journal, Journal)
    with threads() as (bar, worker):
        bar(source, b"0 %")
        for number in range(100):
            bar(source, b"\r%d %%" % number)
            worker(source, b"x" * 4000 + b"\n")
            take_all(source)
            assert source.journal.backlog < KEPT_BYTES + 5000
        waits = source.urgent, source.empty
        found = take_all(recovered(disk))
        assert [text.count("%") for text in texts(found)] == [101]
        bar(source, b" done\n")
        (line,) = take_all(source)
    assert line["record"] == "0 %" + "".join(f"\r{number} %" for number in range(100)) + " done"
    assert line["seq"] == 100
    assert waits == (True, False)
    assert (source.urgent, source.empty) == (False, True)


def test_a_line_without_an_end_is_taken_as_it_is_before_it_takes_the_memory() -> None:
    source, _ = make_source(capacity=1 << 14)
    with threads(1) as (endless,):
        found = []
        for _ in range(30):
            endless(source, b"x" * 1000)
            found += take_all(source)
        endless(source, b"\n")
        endless(source, b"next\n")
        found += take_all(source)
    assert [len(text) for text in texts(found)] == [9000, 9000, 9000, 3000, 4]


def test_nothing_but_filtered_lines_leaves_nothing_to_send() -> None:
    filters, _ = Filters.compile(min_level=None, include="keep", exclude=None, redact=None)
    source, _ = make_source(filters=filters)
    write(source, b"other\n")
    assert take_all(source) == []
    assert source.empty
    write(source, b"keep\n")
    assert numbers(take_all(source)) == [0], "what is not sent has no number"


def test_urgent_is_what_a_flush_must_deliver_until_it_is_taken() -> None:
    source, _ = make_source()
    write(source, b"platform.start\0{}", kind=EVENT)
    seen = [source.urgent]
    write(source, b"line\n")
    seen.append(source.urgent)
    batch = source.batch()
    for taken in (False, True):
        source.settle([taken] * len(batch))
        seen.append(source.urgent)
    assert seen == [False, True, True, False]


def test_a_record_that_was_given_up_leaves_a_note_among_the_lines() -> None:
    source, _ = make_source()
    write(source, b"bad\n")
    (record,) = source.batch()
    source.note_given_up(record, "InvalidArgumentException")
    source.settle([True])
    (note,) = take_all(source)
    assert note["type"] == "platform.logsDropped"
    assert note["record"] == {
        "reason": "Firehose refused the record: InvalidArgumentException",
        "droppedRecords": 1,
        "droppedBytes": len(record[0]),
    }


def test_what_was_taken_before_a_crash_does_not_come_again_though_its_block_was_not_finished() -> None:
    source, disk = make_source()
    write(source, b"a\nb\nc\n")
    source.batch()
    source.settle([True, True, False])
    found = take_all(recovered(disk))
    assert texts(found) == ["c"]
    assert numbers(found) == [2]


def test_of_records_taken_out_of_order_only_those_in_front_are_sure_not_to_come_again() -> None:
    source, disk = make_source()
    write(source, b"a\nb\nc\n")
    source.batch()
    source.settle([True, False, True])
    found = take_all(recovered(disk))
    assert (texts(found), numbers(found)) == (["b", "c"], [1, 2])


def test_a_line_that_ended_after_another_began_is_not_taken_for_a_line_of_its_own() -> None:
    """The journal is kept from where the oldest unfinished line began; the end of a delivered one is in there, too.

    Its end alone would pass the filter differently, and all numbers behind it would be off by one.
    """
    filters, _ = Filters.compile(min_level=None, include="keep", exclude=None, redact=None)
    source, disk = make_source(filters=filters)
    with threads() as (main, other):
        main(source, b"keep the beg")
        other(source, b"keep what was begun later")
        main(source, b"inning\n")
        assert texts(take_all(source)) == ["keep the beginning"]
        main(source, b"keep this\n")
        found = take_all(recovered(disk, filters=filters))
    assert (texts(found), numbers(found)) == (["keep this", "keep what was begun later"], [1, 2])


# ---- lines that wait for an outcome ----------------------------------------------------------------------------------

BELOW_WARNING = Rules("WARNING", False, [("error", ""), ("crash", ""), ("level", "ERROR")])


def conclude(source: Source, status: str) -> None:
    assert isinstance(source.journal, Journal)
    source.journal.append(EVENT, Outcome(status).entry())


def test_what_is_not_held_goes_at_once_and_the_rest_when_it_is_decided() -> None:
    source, _ = make_source(rules=BELOW_WARNING, parse_json=True)
    write(source, b"[DEBUG]\ta", b"[WARNING]\tb", b"[INFO]\tc", kind=FRAME)
    assert texts(take_all(source)) == ["[WARNING]\tb"]
    assert [source.urgent, source.empty] == [True, False], "a flush must see to it"
    conclude(source, "error")
    found = take_all(source)
    assert (texts(found), numbers(found)) == (["[DEBUG]\ta", "[INFO]\tc"], [1, 2])
    assert [source.urgent, source.empty] == [False, True]


def test_what_is_not_worth_sending_is_freed_without_a_call() -> None:
    source, disk = make_source(rules=BELOW_WARNING)
    write(source, *[b"[DEBUG]\tline"] * 10, kind=FRAME)
    conclude(source, "success")
    assert source.batch() == ()
    assert source.empty
    assert take_all(recovered(disk, rules=BELOW_WARNING)) == []


def test_a_process_that_dies_before_the_outcome_leaves_everything_to_the_next_one() -> None:
    source, disk = make_source(rules=BELOW_WARNING)
    write(source, b"[DEBUG]\ta", b"[WARNING]\tb", b"[INFO]\tc", kind=FRAME)
    assert texts(take_all(source)) == ["[WARNING]\tb"]
    found = take_all(recovered(disk, rules=BELOW_WARNING))
    assert (texts(found), numbers(found)) == (["[DEBUG]\ta", "[INFO]\tc"], [1, 2])


def test_an_invocation_longer_than_half_the_journal_is_released_rather_than_dropped() -> None:
    source, _ = make_source(capacity=1 << 14, rules=BELOW_WARNING)
    assert isinstance(source.journal, Journal)
    found = []
    for number in range(1000):
        write(source, b"[DEBUG]\tline %d" % number, kind=FRAME)
        if number % 20 == 0:
            found += take_all(source)
    conclude(source, "success")
    found += take_all(source)
    assert source.journal.dropped_lines == 0
    assert texts(found) == [f"[DEBUG]\tline {number}" for number in range(len(found))]
    assert numbers(found) == list(range(len(found)))
    assert 500 < len(found) < 1000, "what came after the last early release is discarded"
    assert source.empty


def test_a_journal_that_is_full_before_anybody_looked_is_released_all_the_same() -> None:
    source, _ = make_source(capacity=1 << 14, rules=BELOW_WARNING)
    assert isinstance(source.journal, Journal)
    for number in range(1000):
        write(source, b"[DEBUG]\tline %d" % number, kind=FRAME)
    found = take_all(source)
    conclude(source, "success")
    found += take_all(source)
    lines = [envelope["record"] for envelope in found if envelope["type"] == "function"]
    assert 100 < len(lines) < 1000
    assert lines == [f"[DEBUG]\tline {number}" for number in range(len(lines))]
    assert len(found) > len(lines), "what was dropped is told"
    assert numbers(found) == list(range(len(found)))
    assert source.empty


# ---- a crash at any time ---------------------------------------------------------------------------------------------


@contextmanager
def threads(count: int = 2) -> Iterator[list[Any]]:
    """Functions that append to a source's journal, each on a thread of its own, all at the same time of day."""
    with ExitStack() as stack:
        stack.enter_context(patch("log_capture.journal.journal.time_ns", lambda: 1_795_441_800_000_000_000))
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(count)]

        def writer(pool: ThreadPoolExecutor) -> Any:
            def append(source: Source, data: bytes, kind: int = STDOUT) -> None:
                assert isinstance(source.journal, Journal)
                assert pool.submit(source.journal.append, kind, data).result()

            return append

        yield [writer(pool) for pool in pools]


WORDS = [b"\n", b"keep", b"drop ", b"\n", b"x" * 150, "é".encode(), b"\xff"]
APPEND = st.tuples(
    st.just("append"),
    st.integers(0, 2),
    st.sampled_from((STDOUT, STDERR)),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(b"".join),
)
WHOLE = st.tuples(
    st.just("append"),
    st.integers(0, 2),
    st.sampled_from((FRAME, CUT, EVENT, CONTEXT)),
    st.just(b"") | st.just(b"keep"),
)
SEND = st.tuples(st.just("send"), st.integers(1, 3), st.lists(st.booleans(), min_size=1, max_size=8))
#: Lines that are held, or release those that are, and how invocations end; more often than in a life without.
LEVELLED = st.tuples(
    st.just("append"),
    st.integers(0, 2),
    st.just(FRAME),
    st.sampled_from((b"[DEBUG]\tkeep", b"[INFO]\tdrop", b"[INFO]\tkeep" + b"x" * 150, b"[ERROR]\tkeep")),
)
OUTCOME = st.tuples(
    st.just("append"),
    st.just(0),
    st.just(EVENT),
    st.sampled_from(
        [
            *(Outcome(status).entry() for status in ("success", "success", "error", "early", "timeout")),
            Outcome("early", level="ERROR").entry(),
        ]
    ),
)
LIVE = st.lists(st.one_of(APPEND, APPEND, WHOLE, SEND), min_size=1, max_size=25)
DEATHS = st.lists(st.lists(SEND, max_size=3), max_size=2)


HELD_LIVE = st.lists(st.one_of(APPEND, WHOLE, LEVELLED, LEVELLED, OUTCOME, SEND), min_size=1, max_size=25)


def fixed(kind: int, data: bytes) -> bytes:
    """What is in entries of some kinds, whatever was drawn."""
    if kind == EVENT and not data.startswith(b"firetee."):
        return b"platform.start\0{}"
    return {CONTEXT: b',"requestId":"r"', CUT: b""}.get(kind, data)


class Firehose:
    """What was taken, by number; the same number must always be the same line."""

    def __init__(self) -> None:
        self.lines: dict[int, dict[str, Any]] = {}
        self.repeated: list[int] = []

    def take(self, source: Source, batches: int, pattern: list[bool]) -> None:
        """Take of each of so many batches the records where `pattern`, repeated, is true."""
        for _ in range(batches):
            batch = source.batch()
            done = [pattern[index % len(pattern)] for index in range(len(batch))]
            for record, is_taken in zip(batch, done, strict=True):
                if is_taken:
                    self._take(envelopes([record]))
            source.settle(done)

    def _take(self, found: list[dict[str, Any]]) -> None:
        for envelope in found:
            seq = envelope["seq"]
            if envelope["type"] == "platform.logsDropped":
                del envelope["time"]  # made anew by each process that reads what is left
            assert self.lines.setdefault(seq, envelope) == envelope, "one number, two lines"


def without_times(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in envelope.items() if key != "time"} for envelope in found]


@pytest.mark.parametrize(
    ("rules", "lives"),
    [(None, LIVE), (BELOW_WARNING, HELD_LIVE)],
    ids=["as they come", "held"],
)
@pytest.mark.parametrize("kept_bytes", [KEPT_BYTES, 200, 0], ids=["kept", "kept or carried", "carried"])
@pytest.mark.parametrize("include", [None, "keep"], ids=["everything", "filtered"])
@pytest.mark.parametrize("aggregate", [False, True], ids=["single", "aggregated"])
def test_a_crash_after_any_step_and_in_any_recovery_loses_no_line_and_gives_none_another_number(
    include: str | None, aggregate: bool, kept_bytes: int, rules: Rules | None, lives: Any
) -> None:
    """Several threads with unfinished lines, kept in the ring or carried in a commit, filters, lines in parts, partial
    answers, lines that wait for an outcome; then up to two more deaths.

    What Firehose has in the end is what it would have had without a crash, in the order of the numbers.
    """
    filters, _ = Filters.compile(min_level=None, include=include, exclude=None, redact=None)
    options: dict[str, Any] = {
        "packer": Packer(aggregate=aggregate, max_lines=3),
        "filters": filters,
        "max_bytes": MAX_LINE_BYTES,
        "kept_bytes": kept_bytes,
        "rules": rules,
    }

    with threads(3) as writers:

        @settings(max_examples=100)
        @given(lives, DEATHS)
        def check(life: list[tuple[Any, ...]], deaths: list[list[tuple[Any, ...]]]) -> None:
            source, disk = make_source(**options)
            reference, _ = make_source(**options)
            firehose = Firehose()
            for name, *arguments in life:
                if name == "append":
                    thread, kind, data = arguments
                    writers[thread](source, fixed(kind, data), kind)
                    writers[thread](reference, fixed(kind, data), kind)
                else:
                    firehose.take(source, *arguments)
            for steps in deaths:
                dying = recovered(disk, **options)
                for _, *arguments in steps:
                    firehose.take(dying, *arguments)
            last = recovered(disk, **options)
            while not last.empty:
                firehose.take(last, 1, [True])
            writers[0](reference, b"", CUT)
            if rules is not None:
                writers[0](reference, Outcome("end").entry(), EVENT)
            expected = without_times(take_all(reference))
            assert without_times([firehose.lines[seq] for seq in sorted(firehose.lines)]) == expected

        check()


def test_with_answers_that_take_everything_or_nothing_each_line_is_sent_once() -> None:
    """Unless the process died between Firehose's answer and the note of it."""
    with threads(3) as writers:

        @settings(max_examples=100)
        @given(LIVE, DEATHS)
        def check(life: list[tuple[Any, ...]], deaths: list[list[tuple[Any, ...]]]) -> None:
            source, disk = make_source()
            sent: list[int] = []

            def send(using: Source, batches: int, pattern: list[bool]) -> None:
                for _ in range(batches):
                    batch = using.batch()
                    if pattern[0]:
                        sent.extend(numbers(envelopes(batch)))
                    using.settle([pattern[0]] * len(batch))

            for name, *arguments in life:
                if name == "append":
                    thread, kind, data = arguments
                    writers[thread](source, fixed(kind, data), kind)
                else:
                    send(source, *arguments)
            for steps in deaths:
                dying = recovered(disk)
                for _, *arguments in steps:
                    send(dying, *arguments)
            sent += numbers(take_all(recovered(disk)))
            assert sent == list(range(len(sent)))

        check()
