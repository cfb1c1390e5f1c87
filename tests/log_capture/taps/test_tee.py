"""A tee is the stream it stands for, with a copy of what was written on the side."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.journal.ring import FRAME, LOG, STDERR, STDOUT
from log_capture.taps.tee import Tee


class Recorder:
    """Stands for the journal."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, bytes]] = []
        self.failures: list[BaseException] = []
        self.tee = Tee(self.record, self.failures.append)

    def record(self, kind: int, data: bytes) -> None:
        self.entries.append((kind, data))

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.entries)


def unexpected(error: BaseException) -> None:
    raise error


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def original(tmp_path: Path) -> Iterator[io.TextIOWrapper]:
    """A stream as `sys.stdout` is one: text over buffered over raw, to a descriptor."""
    stream = open(tmp_path / "out", "w", encoding="utf-8", errors="surrogateescape", buffering=1)  # noqa: SIM115
    buffer = stream.buffer
    yield stream
    buffer.close()  # the stream itself may be detached from it


@pytest.fixture
def tee(recorder: Recorder, original: io.TextIOWrapper) -> Any:
    return recorder.tee.text(original, STDOUT)


# ---- what is recorded ------------------------------------------------------------------------------------------------

WAYS: list[Callable[[Any], object]] = [
    lambda out: out.write("text\n"),
    lambda out: print("a", "b", file=out),
    lambda out: print("é\u2028😀", end="", file=out, flush=True),
    lambda out: out.writelines(["one\n", "two\n"]),
    lambda out: out.writelines(f"{number}\n" for number in range(3)),
    lambda out: out.buffer.write(b"bytes\xff\n"),
    lambda out: out.buffer.write(bytearray(b"array\n")),
    lambda out: out.buffer.write(memoryview(b"every second")[::1]),
    lambda out: out.buffer.writelines([b"one\n", b"two\n"]),
    lambda out: out.buffer.raw.write(b"raw\n"),
    lambda out: out.write(""),
    lambda out: out.write("\udcff from a file name\n"),
]


@pytest.mark.parametrize("write", WAYS)
def test_what_reaches_the_stream_is_recorded_byte_for_byte(
    write: Callable[[Any], object], recorder: Recorder, original: io.TextIOWrapper, tee: Any, tmp_path: Path
) -> None:
    write(tee)
    original.flush()
    assert (tmp_path / "out").read_bytes() == recorder.data
    assert recorder.failures == []


def test_each_write_is_one_record_with_the_stream_s_kind(recorder: Recorder) -> None:
    tee = recorder.tee.text(io.TextIOWrapper(io.BytesIO()), STDERR)
    print("a", "b", file=tee)
    assert recorder.entries == [(STDERR, b"a"), (STDERR, b" "), (STDERR, b"b"), (STDERR, b"\n")]


def test_lone_surrogates_are_recorded_as_the_bytes_they_stand_for_or_as_escapes(recorder: Recorder) -> None:
    tee = recorder.tee.text(io.StringIO(), STDOUT)
    tee.write("\udcff")
    tee.write("\ud800")
    assert recorder.data == b"\xff\\ud800"


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_no_text_is_too_strange(text: str) -> None:
    recorder = Recorder()
    recorder.tee.text(io.StringIO(), STDOUT).write(text)
    assert recorder.failures == []
    assert bool(recorder.data) == bool(text)


def test_the_original_is_written_first() -> None:
    order: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            order.append("original")
            return super().write(text)

    Tee(lambda kind, data: order.append("copy"), unexpected).text(Stream(), STDOUT).write("x")
    assert order == ["original", "copy"]


def test_only_what_a_raw_stream_accepted_is_recorded(recorder: Recorder) -> None:
    class Half(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            return len(data) // 2

    tee = recorder.tee.binary(Half(), STDOUT)
    assert tee.write(b"12345678") == 4
    assert recorder.data == b"1234"


def test_a_raw_stream_that_would_block_took_nothing(recorder: Recorder) -> None:
    class Full(io.RawIOBase):
        def write(self, data: Any) -> None:
            return None

    assert recorder.tee.binary(Full(), STDOUT).write(b"12345678") is None
    assert recorder.entries == []


# ---- the original's behaviour ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "look",
    [
        lambda out: out.fileno(),
        lambda out: out.isatty(),
        lambda out: out.encoding,
        lambda out: out.errors,
        lambda out: out.newlines,
        lambda out: out.line_buffering,
        lambda out: out.write_through,
        lambda out: out.mode,
        lambda out: out.name,
        lambda out: out.closed,
        lambda out: out.readable(),
        lambda out: out.writable(),
        lambda out: out.seekable(),
        lambda out: out.tell(),
        lambda out: out.buffer.fileno(),
        lambda out: out.buffer.raw.fileno(),
        lambda out: out.buffer.raw.mode,
        lambda out: out.buffer.name,
        lambda out: isinstance(out, io.TextIOWrapper),
        lambda out: isinstance(out, io.TextIOBase),
        lambda out: isinstance(out.buffer, io.BufferedWriter),
        lambda out: isinstance(out.buffer.raw, io.FileIO),
        lambda out: out.__class__,
        repr,
        str,
        lambda out: sorted(dir(out)),
        hash,
        bool,
        lambda out: out == out,
        lambda out: type(out).__name__,
        lambda out: hasattr(out, "no such thing"),
        lambda out: out.write("five\n"),
        lambda out: out.buffer.write(b"five\n"),
        lambda out: out.flush(),
        lambda out: out.writelines([]),
    ],
)
def test_what_can_be_asked_of_a_stream_has_the_original_s_answer(
    look: Callable[[Any], object], original: io.TextIOWrapper, tee: Any
) -> None:
    assert look(tee) == look(original)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda out: out.write(b"bytes"),
        lambda out: out.write(None),
        lambda out: out.buffer.write("text"),
        lambda out: out.writelines(None),
        lambda out: out.writelines(["text", b"bytes"]),
        lambda out: out.read(),
        lambda out: out.no_such_thing,
        lambda out: out.reconfigure(encoding="no such encoding"),
        lambda out: (out.close(), out.write("late")),
    ],
)
def test_what_is_wrong_raises_what_the_original_raises(
    misuse: Callable[[Any], object], recorder: Recorder, tmp_path: Path
) -> None:
    def outcome(stream: Any) -> tuple[type[BaseException], str]:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the original raises
            misuse(stream)
        return caught.type, str(caught.value)

    with open(tmp_path / "bare", "w") as bare, open(tmp_path / "teed", "w") as teed:
        kind, text = outcome(bare)
        teed_kind, teed_text = outcome(recorder.tee.text(teed, STDOUT))
    assert teed_kind is kind
    assert teed_text.replace("teed", "bare") == text
    assert recorder.failures == []


@pytest.mark.parametrize("arguments", [(), ("a", "b")])
def test_a_write_with_too_few_or_too_many_arguments_writes_nothing(
    arguments: tuple[str, ...], recorder: Recorder, tee: Any
) -> None:
    for write in (tee.write, tee.buffer.write, tee.writelines):
        with pytest.raises(TypeError):
            write(*arguments)
    with pytest.raises(TypeError):
        tee.write(text="by name")
    assert recorder.entries == []


def test_settings_of_the_stream_are_changed_on_the_original(original: io.TextIOWrapper, tee: Any) -> None:
    tee.reconfigure(errors="backslashreplace", line_buffering=False)
    assert (original.errors, original.line_buffering) == ("backslashreplace", False)


def test_an_attribute_that_is_set_is_set_on_the_original(original: io.TextIOWrapper, tee: Any) -> None:
    tee.mode = "changed"
    assert original.mode == "changed"


def test_a_detached_buffer_is_a_tee_and_the_text_stream_is_of_no_use_any_more(recorder: Recorder, tee: Any) -> None:
    again = io.TextIOWrapper(tee.detach(), encoding="latin-1", write_through=True)
    again.write("still seen \xe9\n")
    again.detach()
    assert recorder.data == b"still seen \xe9\n"
    with pytest.raises(ValueError, match="detached"):
        tee.write("x")


def test_used_in_a_with_statement_it_is_closed_at_the_end(recorder: Recorder) -> None:
    stream = io.StringIO()
    tee = recorder.tee.text(stream, STDOUT)
    with tee as entered:
        entered.write("inside")
    assert entered is tee
    assert stream.closed
    assert recorder.data == b"inside"


def test_a_stream_that_can_be_read_is_read_line_by_line(recorder: Recorder) -> None:
    assert list(recorder.tee.text(io.StringIO("one\ntwo\n"), STDOUT)) == ["one\n", "two\n"]


def test_a_stream_without_a_buffer_gets_none(recorder: Recorder) -> None:
    assert not hasattr(recorder.tee.text(io.StringIO(), STDOUT), "buffer")


def test_subprocesses_and_print_take_a_tee_for_a_stream(recorder: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    tee = recorder.tee.text(open(os.dup(1), "w", encoding="utf-8"), STDOUT)  # noqa: SIM115 - closed below
    print("hello", file=tee, flush=True)
    tee.close()
    assert capfd.readouterr().out == "hello\n"
    assert recorder.data == b"hello\n"


# ---- frames and messages ---------------------------------------------------------------------------------------------


def test_each_frame_is_one_record(recorder: Recorder) -> None:
    file = io.BytesIO()
    tee = recorder.tee.frames(file)
    assert tee.write(b"frame one") == 9
    tee.write(b"frame two")
    assert recorder.entries == [(FRAME, b"frame one"), (FRAME, b"frame two")]
    assert file.getvalue() == b"frame oneframe two"


def test_a_message_is_recorded_whole_and_not_as_the_lines_it_is_written_in(recorder: Recorder) -> None:
    stream = io.StringIO()
    tee = recorder.tee.text(stream, STDOUT)
    assert recorder.tee.message(lambda: tee.write("a\rb\n"), "a\nb") == 4
    tee.write("after\n")
    assert stream.getvalue() == "a\rb\nafter\n"
    assert recorder.entries == [(LOG, b"a\nb"), (STDOUT, b"after\n")]


def test_while_one_thread_writes_a_message_the_others_are_recorded(recorder: Recorder) -> None:
    tee = recorder.tee.text(io.StringIO(), STDOUT)

    def message() -> None:
        other = threading.Thread(target=tee.write, args=("other\n",))
        other.start()
        other.join()

    recorder.tee.message(message, "message")
    assert recorder.entries == [(STDOUT, b"other\n"), (LOG, b"message")]


def test_a_message_that_could_not_be_written_is_not_recorded(recorder: Recorder) -> None:
    tee = recorder.tee.text(io.StringIO(), STDOUT)
    with pytest.raises(TypeError):
        recorder.tee.message(lambda: tee.write(None), "message")
    tee.write("after")
    assert recorder.entries == [(STDOUT, b"after")]


# ---- when recording goes wrong ---------------------------------------------------------------------------------------


def broken_inside(kind: int, data: bytes) -> None:
    """Fails in a file of ours, as a bug would."""
    from log_capture.envelope.lines import Assembler

    Assembler().feed([None])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "write",
    [
        lambda tee: tee.text(io.StringIO(), STDOUT).write("text"),
        lambda tee: tee.text(io.StringIO(), STDOUT).write("\udcff..."),
        lambda tee: tee.binary(io.BytesIO(), STDOUT).write(b"text"),
        lambda tee: tee.frames(io.BytesIO()).write(b"text"),
        lambda tee: tee.message(lambda: 4, "text"),
    ],
    ids=["text", "surrogates", "binary", "frame", "message"],
)
def test_a_failure_of_ours_is_reported_and_the_write_succeeds(write: Callable[[Tee], int]) -> None:
    failures: list[BaseException] = []
    assert write(Tee(broken_inside, failures.append)) == 4
    assert len(failures) == 1


def test_an_exception_that_a_signal_handler_of_the_function_raises_in_the_middle_of_recording_passes_on() -> None:
    class TimeIsUp(Exception):
        pass

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    failures: list[BaseException] = []
    tee = Tee(lambda kind, data: signal.raise_signal(signal.SIGUSR1), failures.append)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        writes: list[Callable[[], object]] = [
            lambda: tee.text(io.StringIO(), STDOUT).write("x"),
            lambda: tee.binary(io.BytesIO(), STDOUT).write(b"x"),
            lambda: tee.frames(io.BytesIO()).write(b"x"),
            lambda: tee.message(lambda: None, "x"),
        ]
        for write in writes:
            with pytest.raises(TimeIsUp):
                write()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert failures == []


def test_keyboard_interrupts_pass_on() -> None:
    def interrupted(kind: int, data: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Tee(interrupted, unexpected).text(io.StringIO(), STDOUT).write("x")


def test_the_standard_streams_stay_what_they_are() -> None:
    """A tee changes nothing about the stream that it stands for."""
    before = (sys.stdout, sys.stdout.write)
    Recorder().tee.text(sys.stdout, STDOUT)
    assert (sys.stdout, sys.stdout.write) == before
