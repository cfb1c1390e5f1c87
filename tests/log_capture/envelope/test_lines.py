"""Chunks to lines: every line once, whole, with what was in force where it began."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.lines import Assembler, decode, dropped_record
from log_capture.journal.ring import CONTEXT, CUT, DROPPED, ENDED, EVENT, EXTENSION, FRAME, LOG, STDERR, STDOUT

if TYPE_CHECKING:
    from log_capture.envelope.lines import Line
    from log_capture.journal.ring import Chunk


def chunks(*entries: tuple[int, int, bytes]) -> list[Chunk]:
    """`(kind, thread, data)` as the journal hands them out: ends and times count up by 10 and by 1."""
    return [(10 * n, kind, thread, n, data) for n, (kind, thread, data) in enumerate(entries, 1)]


def lines(*entries: tuple[int, int, bytes]) -> list[Line]:
    return Assembler().feed(chunks(*entries))


def texts(*entries: tuple[int, int, bytes]) -> list[str]:
    return [text for _, _, _, _, text, _ in lines(*entries)]


def frame(kind: int, message: bytes, time_us: int = 77) -> bytes:
    """As awslambdaric's FramedTelemetryLogSink writes it."""
    head = (0xA55A0000 | kind, 4), (len(message), 4), (time_us, 8)
    return b"".join(number.to_bytes(size, "big") for number, size in head) + message


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([b"one\n"], ["one"]),
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"\n"], [""]),
        ([b"\n\n"], ["", ""]),
        ([b"o", b"n", b"e", b"\n"], ["one"]),
        ([b"a\nb", b"c\nd"], ["a", "bc"]),
        ([b"carriage\rreturn\n"], ["carriage\rreturn"]),
        ([b"windows\r\n"], ["windows\r"]),
        (["\u2028 is no newline\n".encode()], ["\u2028 is no newline"]),
        (["ü".encode()[:1], "ü".encode()[1:] + b"\n"], ["ü"]),
        ([b"\xff\xfe\n"], ["\\xff\\xfe"]),
    ],
)
def test_a_line_is_what_stands_before_a_newline(written: list[bytes], expected: list[str]) -> None:
    assert texts(*[(STDOUT, 1, data) for data in written]) == expected


def test_threads_and_streams_do_not_mix() -> None:
    entries = [(STDOUT, 1, b"a1 "), (STDOUT, 2, b"b1 "), (STDERR, 1, b"c1 "), (STDOUT, 1, b"a2\n")]
    assert texts(*entries, (STDERR, 1, b"c2\n"), (STDOUT, 2, b"b2\n")) == ["a1 a2", "c1 c2", "b1 b2"]


def test_a_line_has_its_stream_and_the_time_and_context_where_it_began() -> None:
    found = lines(
        (CONTEXT, 1, b',"requestId":"first"'),
        (STDERR, 1, b"be"),
        (CONTEXT, 1, b',"requestId":"second"'),
        (STDERR, 1, b"gun\nnext\n"),
    )
    assert found == [
        (2, "function", "stderr", None, "begun", ',"requestId":"first"'),
        (4, "function", "stderr", None, "next", ',"requestId":"second"'),
    ]


def test_a_cut_takes_unfinished_lines_as_they_are_in_the_order_in_which_they_began() -> None:
    assert texts((STDOUT, 2, b"second thread"), (STDOUT, 1, b"first thread"), (CUT, 9, b"")) == [
        "second thread",
        "first thread",
    ]


def test_after_a_cut_a_thread_begins_a_new_line() -> None:
    assert texts((STDOUT, 1, b"one"), (CUT, 1, b""), (STDOUT, 1, b"two\n")) == ["one", "two"]


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (0x01, None),
        (0x05, "TRACE"),
        (0x09, "DEBUG"),
        (0x0D, "INFO"),
        (0x11, "WARNING"),
        (0x15, "ERROR"),
        (0x19, "CRITICAL"),
        (0x1A, "CRITICAL"),
        (0xFF, None),
    ],
)
def test_a_frame_is_one_line_with_its_own_level_and_time(kind: int, level: str | None) -> None:
    """`level << 2 | format` is the frame type's last byte; a level that nobody knows is none."""
    assert lines((FRAME, 1, frame(kind, b"a\nb\n", 77))) == [(77, "function", "log", level, "a\nb", "")]


@pytest.mark.parametrize("data", [b"no frame at all\n", b"\xa5\x5a\x00", b"\xa5\x5a\x00\x0d\x00\x00\x00\x05short"])
def test_what_is_no_frame_is_a_line_of_the_log(data: bytes) -> None:
    (line,) = lines((FRAME, 1, data))
    assert line[1:4] == ("function", "log", None)
    assert line[4] == decode(data.rstrip(b"\n"))


def test_messages_events_and_drops_are_whole_records() -> None:
    found = lines(
        (LOG, 1, b"several\nlines\n"),
        (EVENT, 1, b'platform.start\0{"requestId":"r"}'),
        (EXTENSION, 1, b"WARNING our own"),
        (DROPPED, 0, (3).to_bytes(8, "little") + (99).to_bytes(8, "little")),
    )
    assert [line[1:5] for line in found] == [
        ("function", "log", None, "several\nlines"),
        ("platform.start", None, None, '{"requestId":"r"}'),
        ("extension", None, None, "WARNING our own"),
        (
            "platform.logsDropped",
            None,
            None,
            '{"reason":"the journal was full","droppedRecords":3,"droppedBytes":99}',
        ),
    ]


def test_where_lines_were_dropped_the_unfinished_ones_end() -> None:
    """What would have finished them may be among what was dropped."""
    count = (1).to_bytes(8, "little") * 2
    assert texts((STDOUT, 1, b"begin"), (DROPPED, 0, count), (STDOUT, 1, b"other\n"))[::2] == ["begin", "other"]


def test_the_position_is_that_behind_the_newest_chunk() -> None:
    assembler = Assembler(5)
    assembler.feed(chunks((STDOUT, 1, b"x\n"), (STDOUT, 1, b"y\n")))
    assert assembler.position == 20


def test_the_oldest_unfinished_line_tells_where_it_began_and_in_which_context() -> None:
    assembler = Assembler()
    assembler.feed(chunks((CONTEXT, 1, b"A"), (STDOUT, 1, b"x\nolder"), (CONTEXT, 1, b"B"), (STDOUT, 2, b"newer")))
    oldest = assembler.oldest
    assert oldest is not None
    assert (oldest.position, oldest.context) == (10, "A")


WORDS = st.sampled_from([b"\n", b"a", b"b c", "é".encode(), b"\xff", b"\r"])
TEXTS = st.lists(WORDS, min_size=1, max_size=6).map(b"".join)
PIECES = st.lists(st.tuples(st.sampled_from((STDOUT, STDERR)), st.integers(1, 3), TEXTS), max_size=30)


@given(PIECES, st.data())
def test_any_chunking_of_any_text_by_any_threads_gives_the_same_lines(
    pieces: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    """However it was cut into chunks, and into feeds, what each thread wrote to a stream comes back line by line.

    Also where the chunk only says that a newline follows.
    """
    assembler = Assembler()
    said = [data.draw(st.booleans()) and text.endswith(b"\n") for _, _, text in pieces]
    told = [
        (ENDED + k, t, text[:-1]) if ended else (k, t, text) for (k, t, text), ended in zip(pieces, said, strict=True)
    ]
    entries = chunks(*told, (CUT, 0, b""))
    found: list[tuple[int, Line]] = []
    while entries:
        count = data.draw(st.integers(1, len(entries)))
        found += [(line[0], line) for line in assembler.feed(entries[:count])]
        entries = entries[count:]
    assert assembler.oldest is None
    for kind, name in ((STDOUT, "stdout"), (STDERR, "stderr")):
        expected: list[str] = []
        for thread in (1, 2, 3):
            *whole, rest = b"".join(text for k, t, text in pieces if (k, t) == (kind, thread)).split(b"\n")
            expected += [decode(text) for text in whole] + ([decode(rest)] if rest else [])
        assert sorted(line[4] for _, line in found if line[2] == name) == sorted(expected)


@given(PIECES)
def test_the_lines_of_a_thread_keep_their_order(pieces: list[tuple[int, int, bytes]]) -> None:
    only = [(STDOUT, 1, text) for _, _, text in pieces]
    *whole, rest = b"".join(text for _, _, text in only).split(b"\n")
    assert texts(*only, (CUT, 0, b"")) == [decode(text) for text in whole] + ([decode(rest)] if rest else [])


def test_a_reason_is_valid_json_whatever_firehose_says() -> None:
    record = json.loads(dropped_record('refused: "no\\way"\n', 1, 2))
    assert record == {"reason": 'refused: "no\\way"\n', "droppedRecords": 1, "droppedBytes": 2}


def test_a_journal_says_itself_why_bytes_of_it_are_gone() -> None:
    count = (0).to_bytes(8, "little") + (99).to_bytes(8, "little")
    (full, cut) = texts((DROPPED, 0, count), (DROPPED, 0, count + b"the file was truncated"))
    assert json.loads(full) == {"reason": "the journal was full", "droppedRecords": 0, "droppedBytes": 99}
    assert json.loads(cut) == {"reason": "the file was truncated", "droppedRecords": 0, "droppedBytes": 99}
