"""Chunks of the journal to lines; pure.

A line is a plain tuple ``(time_us, type, stream, level, text, context)``: microseconds since the epoch; the
envelope's ``type``; ``"stdout"``, ``"stderr"``, ``"log"`` or None; the level if the frame names one; the text without
its newline (for ``platform.*`` and ``firetee.*`` the JSON text of the record); and a JSON fragment with the ids of
the invocation.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from struct import Struct

from ..journal.ring import CONTEXT, CUT, DROPPED, ENDED, EVENT, EXTENSION, FRAME, LOG, STDERR, STDOUT
from .levels import RANKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..journal.ring import Carried, Chunk

    Line = tuple[int, str, str | None, str | None, str, str]

_NEWLINE = ord("\n")
#: The type of the entry that ends an invocation, see `holding.py`.
OUTCOME = "firetee.outcome"
_STREAM = {STDOUT: "stdout", STDERR: "stderr", ENDED + STDOUT: "stdout", ENDED + STDERR: "stderr"}
#: Type, which is the magic and one byte more, length, time in us, big-endian (awslambdaric, FramedTelemetryLogSink).
_FRAME_HEADER = Struct(">3sBIQ")
_FRAME_HEADER_BYTES = _FRAME_HEADER.size
_unpack_frame_header = _FRAME_HEADER.unpack_from
_FRAME_MAGIC = b"\xa5\x5a\x00"
#: A frame type's last byte is ``level << 2 | format`` (awslambdaric, lambda_runtime_log_utils).
_FRAME_LEVELS = (None, *RANKS, *[None] * 57)


class Unfinished:
    """The beginning of a line whose end has not come yet, and what was in force where it began.

    It is empty where a line had become too long and was taken as it was: the newline that ends it is not one of its
    own.
    """

    __slots__ = ("context", "parts", "position", "size", "time_us")

    def __init__(self, position: int, context: str, time_us: int, part: bytes) -> None:
        self.position = position
        self.context = context
        self.time_us = time_us
        self.parts = [part] if part else []
        self.size = len(part)

    def add(self, part: bytes) -> None:
        """What follows it."""
        self.parts.append(part)
        self.size += len(part)


class Assembler:
    """Puts the lines of each thread and stream together; one thread may use it.

    `position` and `context` are those behind the newest chunk; `carried` are lines that had begun before them, as
    `unfinished` gives them. A line that has no end after `longest` bytes is taken as it is: it must not grow for ever.
    A stream's chunk is never empty: the tee records none.
    """

    def __init__(
        self, position: int = 0, context: str = "", carried: Iterable[Carried] = (), longest: int = 1 << 62
    ) -> None:
        self.position = position
        self.context = context
        self._longest = longest
        #: Of the newest outcome: where it begins and ends, the context, and the lines that had begun before it.
        self.outcome: tuple[int, int, str, list[Carried]] | None = None
        self._unfinished: dict[tuple[int, int], Unfinished] = {
            (kind, thread): Unfinished(began, ids.decode(), time_us, text)
            for kind, thread, began, time_us, ids, text in carried
        }

    @property
    def oldest(self) -> Unfinished | None:
        """The unfinished line that began first."""
        return min(self._unfinished.values(), key=lambda line: line.position, default=None)

    @property
    def unfinished(self) -> list[Carried]:
        """The lines that have begun and not ended."""
        return [
            (kind, thread, begun.position, begun.time_us, begun.context.encode(), b"".join(begun.parts))
            for (kind, thread), begun in self._unfinished.items()
        ]

    def feed(self, chunks: Iterable[Chunk]) -> list[Line]:
        """The lines that these chunks complete, in the order in which they were completed."""
        lines: list[Line] = []
        unfinished = self._unfinished
        context = self.context
        for end, kind, thread, time_us, data in chunks:
            if ENDED <= kind <= ENDED + STDERR:
                if not unfinished and data.find(b"\n") < 0:  # by far the most frequent case
                    try:  # as in `decode`, without the call
                        text = data.decode()
                    except UnicodeDecodeError:
                        text = decode(data)
                    lines.append((time_us, "function", _STREAM[kind], None, text, context))
                else:
                    self._feed_stream(lines, (kind - ENDED, thread), time_us, data + b"\n")
            elif kind <= STDERR:
                if not unfinished and data.find(b"\n") == len(data) - 1:
                    lines.append((time_us, "function", _STREAM[kind], None, decode(data[:-1]), context))
                else:
                    self._feed_stream(lines, (kind, thread), time_us, data)
            elif kind == FRAME:
                lines.append(_frame(time_us, data, context))
            elif kind == CONTEXT:
                context = self.context = decode(data)
            elif kind == EVENT:
                name, _, record = decode(data).partition("\0")
                if name == OUTCOME:
                    self.outcome = (self.position, end, context, self.unfinished)
                lines.append((time_us, name, None, None, record, context))
            elif kind == LOG:
                lines.append((time_us, "function", "log", None, decode(_without_newline(data)), context))
            elif kind == EXTENSION:
                lines.append((time_us, "extension", None, None, decode(data), context))
            elif kind == CUT:
                self._cut(lines)
            elif kind == DROPPED:
                self._cut(lines)
                lines.append((time_us, "platform.logsDropped", None, None, _dropped(data), context))
            self.position = end
        return lines

    def _feed_stream(self, lines: list[Line], key: tuple[int, int], time_us: int, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        begun = self._unfinished.pop(key, None)
        for part in whole:
            if begun is not None:
                if part or begun.parts:
                    begun.add(part)
                    lines.append(_stream_line(key[0], begun))
                begun = None
            else:
                lines.append((time_us, "function", _STREAM[key[0]], None, decode(part), self.context))
        if begun is not None:
            begun.add(rest)
        elif rest:
            begun = Unfinished(self.position, self.context, time_us, rest)
        if begun is not None:
            if begun.size > self._longest:
                lines.append(_stream_line(key[0], begun))
                begun = Unfinished(self.position, self.context, time_us, b"")
            self._unfinished[key] = begun

    def _cut(self, lines: list[Line]) -> None:
        """Take what is unfinished as it is."""
        for (kind, _), begun in sorted(self._unfinished.items(), key=lambda item: item[1].position):
            if begun.parts:
                lines.append(_stream_line(kind, begun))
        self._unfinished.clear()


def decode(data: bytes) -> str:
    """UTF-8 to text; bytes that are not UTF-8 are shown with backslash escapes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace")


def dropped_record(reason: str, lines: int, size: int) -> str:
    """The record of a ``platform.logsDropped`` event (Telemetry API, schema 2022-12-13)."""
    return f'{{"reason":{encode_basestring_ascii(reason)},"droppedRecords":{lines},"droppedBytes":{size}}}'


def _dropped(data: bytes) -> str:
    lines, size, reason = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little"), data[16:].decode()
    return dropped_record(reason or "the journal was full", lines, size)


def _stream_line(kind: int, begun: Unfinished) -> Line:
    return begun.time_us, "function", _STREAM[kind], None, decode(b"".join(begun.parts)), begun.context


def _frame(time_us: int, data: bytes, context: str) -> Line:
    """One telemetry frame: its message is one line, whatever newlines it holds."""
    if len(data) >= _FRAME_HEADER_BYTES:
        magic, code, _, frame_us = _unpack_frame_header(data)
        if magic == _FRAME_MAGIC:
            data = data[_FRAME_HEADER_BYTES:-1] if data[-1] == _NEWLINE else data[_FRAME_HEADER_BYTES:]
            try:  # as in `decode`, without the call
                text = data.decode()
            except UnicodeDecodeError:
                text = decode(data)
            return frame_us, "function", "log", _FRAME_LEVELS[code >> 2], text, context
    return time_us, "function", "log", None, decode(_without_newline(data)), context


def _without_newline(data: bytes) -> bytes:
    return data[:-1] if data.endswith(b"\n") else data
