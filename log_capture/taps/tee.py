"""Copies of what the function writes, taken where it is written.

Guarantees: the original write comes first; its result and its exceptions are the caller's; only what it accepted is
recorded; every other attribute is the original's. What goes wrong in recording goes to `failed` and nowhere else.

All of it runs on the function's threads. `record(kind, data)` is `Journal.append` or stands for it.
"""

from __future__ import annotations

from _thread import get_ident

from ..journal.ring import FRAME, LOG
from ..process.guard import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    Record = Callable[[int, bytes], object]
    Failed = Callable[[BaseException], None]


#: What each `print` looks up.
_IN_SLOTS = ("write", "flush")
#: What a write in C is: one that raises has raised by itself, or a signal handler has, with frames of its own.
_BUILTIN = type(len)


class _StandIn:
    """What a stream is to the function, while the members of its subclass take the place of the stream's own.

    wrapt's `ObjectProxy` does the same for any object, but each of the four lookups that a `print` needs on Lambda
    would cost 0.15 us more; a stream needs few of the special methods.
    """

    __slots__ = ()
    _original: Any
    _ours: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _IN_SLOTS:  # the function's own, as that of any stream: it is what `print` calls from now on
            object.__setattr__(self, name, value)
        else:
            setattr(self._original, name, value)

    def __delattr__(self, name: str) -> None:
        ours = self._ours.get(name)
        if ours is not None and getattr(self, name) is not ours:
            object.__setattr__(self, name, ours)
        else:
            delattr(self._original, name)

    def __dir__(self) -> Iterable[str]:
        return dir(self._original)

    def __repr__(self) -> str:
        return repr(self._original)

    def __iter__(self) -> Iterator[Any]:
        iter(self._original)  # which fails if it is closed
        return self

    def __next__(self) -> Any:
        return next(self._original)

    def __exit__(self, *error: Any) -> Any:
        return self._original.__exit__(*error)

    def __eq__(self, other: object) -> bool:
        return self is other or bool(self._original == other)

    def __hash__(self) -> int:
        return hash(self._original)

    def __reduce__(self) -> Any:
        return self._original.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._original.__reduce_ex__(protocol)

    def __getstate__(self) -> Any:
        return self._original.__getstate__()


def is_tee(stream: object) -> bool:
    """Whether it is one of ours, whatever it says of itself."""
    return issubclass(type(stream), _StandIn)


class Tee:
    """Makes tees."""

    def __init__(self, record: Record, failed: Failed) -> None:
        self._record = record
        self._failed = failed
        self._muted: set[int] = set()  # threads whose text comes in as a whole message instead
        #: Called before each write, so that what others wrote to the same place earlier (a child process) stays in
        #: front of it; they deal with their own failures. Empty most of the time.
        self.before_writes: list[Callable[[], None]] = []
        self._made: list[tuple[int, Any, Callable[[Any], Any]]] = []  # kind, stand-in, the stream's own write

    def text(self, stream: Any, kind: int, *, fileno: int | None = None) -> Any:
        """A tee for a text stream and the streams below it (`buffer`, `buffer.raw`).

        `fileno` is what they say their descriptor is, where they write to a copy of it.
        """
        record, failed, muted, before = self._record, self._failed, self._muted, self.before_writes
        original = stream.write
        in_c = type(original) is _BUILTIN
        buffer = self.binary(stream.buffer, kind, fileno) if hasattr(stream, "buffer") else None

        def write(*given: str) -> Any:  # whose number the original counts
            if before:
                for step in before:
                    step()
            done, result = 0, None  # 1: the stream has taken it; 2: the journal has it, or will, whatever is raised
            try:
                result = original(*given)
                done = 1
                text = given[0]
                if not text or (muted and get_ident() in muted):
                    return result
                try:
                    data = text.encode()
                except UnicodeEncodeError:
                    data = _with_surrogates(text)
                done = 2
                record(kind, data)
            except BaseException as error:
                if not is_ours(error):  # a signal handler of the function's: what was written is recorded all the same
                    if done < 2 and (done or in_c) and given and given[0] and get_ident() not in muted:
                        record(kind, _with_surrogates(given[0]))
                    raise
                if not done or not isinstance(error, Exception):
                    raise
                failed(error)
            return result

        tee = self._stand_in(stream, write, "buffer", buffer, fileno)
        self._made.append((kind, tee, original))
        return tee

    def binary(self, stream: Any, kind: int, fileno: int | None = None) -> Any:
        """A tee for a binary stream, buffered or raw."""
        record, failed, before = self._record, self._failed, self.before_writes
        original = stream.write
        in_c = type(original) is _BUILTIN
        raw = self.binary(stream.raw, kind, fileno) if hasattr(stream, "raw") else None

        def write(*given: Any) -> Any:
            if before:
                for step in before:
                    step()
            done, result = 0, None
            try:
                result = original(*given)
                done = 1
                if result:
                    taken = bytes(memoryview(given[0]).cast("B")[:result])
                    done = 2
                    record(kind, taken)
            except BaseException as error:
                if not is_ours(error):
                    if done < 2 and (done or in_c) and given:
                        record(kind, bytes(given[0]))
                    raise
                if not done or not isinstance(error, Exception):
                    raise
                failed(error)
            return result

        tee = self._stand_in(stream, write, "raw", raw, fileno)
        self._made.append((kind, tee, original))
        return tee

    def record_kind(self, kind: int, wanted: bool) -> None:
        """Whether what is written to streams of a kind is recorded from now on; a function's own `write` stays."""
        for made, tee, original in self._made:
            ours = tee._ours["write"]
            if made == kind and tee.write is (original if wanted else ours):
                object.__setattr__(tee, "write", ours if wanted else original)

    def _stand_in(
        self, stream: Any, write: Callable[[Any], Any], below: str, tee_below: Any, fileno: int | None = None
    ) -> Any:
        """A proxy of `stream` with another `write`, and the tee of the stream below it.

        What each `print` needs is in slots of its own, which the interpreter finds in a few nanoseconds.
        """

        def writelines(*given: Iterable[Any]) -> None:
            if len(given) != 1:
                stream.writelines(*given)  # which says so
            else:
                for line in given[0]:
                    write(line)

        def enter(tee: Any, *given: Any) -> Any:
            stream.__enter__(*given)
            return tee

        members: dict[str, Any] = {
            "__slots__": (*_IN_SLOTS, "__weakref__"),
            "__class__": property(lambda self: type(stream)),
            "__doc__": type(stream).__doc__,
            "__module__": type(stream).__module__,
            "_original": stream,
            "_ours": {"write": write, "flush": stream.flush},
            "writelines": staticmethod(writelines),
            "__enter__": enter,
        }
        if fileno is not None:
            members["fileno"] = staticmethod(lambda: fileno)
        if tee_below is not None:

            def detach(*given: Any) -> Any:
                stream.detach(*given)
                delattr(type(tee), below)  # from now on what the stream says of it
                return tee_below

            members["detach"] = staticmethod(detach)
            members[below] = tee_below
        tee = type(type(stream).__name__, (_StandIn,), members)()
        object.__setattr__(tee, "write", write)
        object.__setattr__(tee, "flush", stream.flush)
        return tee

    def frames(self, file: Any) -> Any:
        """A tee for the file that telemetry frames are written to, one `write` a frame."""
        record, failed, before = self._record, self._failed, self.before_writes
        original = file.write
        in_c = type(original) is _BUILTIN

        def write(frame: bytes, /) -> Any:
            if before:
                for step in before:
                    step()
            done, result = 0, None
            try:
                result = original(frame)
                done = 2
                record(FRAME, frame)
            except BaseException as error:
                if not is_ours(error):
                    if done < 2 and in_c:
                        record(FRAME, frame)
                    raise
                if not done or not isinstance(error, Exception):
                    raise
                failed(error)
            return result

        return self._stand_in(file, write, "", None)

    def message(self, write: Callable[[], Any], text: str) -> Any:
        """Call `write()`, which writes `text` to a stream, and record that as one message instead of its lines."""
        thread = get_ident()
        self._muted.add(thread)
        try:
            result = write()
        finally:
            self._muted.discard(thread)
        try:
            self._record(LOG, text.encode("utf-8", "backslashreplace"))
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)
        return result


def _with_surrogates(text: str) -> bytes:
    """What a stream accepted although it is not UTF-8: bytes from file names, or escapes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")
