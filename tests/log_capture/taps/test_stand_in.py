"""A tee beside the stream that it stands for, operation by operation: the same results and the same errors."""

from __future__ import annotations

import copy
import io
import os
import pickle
import re
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from log_capture.journal.ring import STDOUT
from log_capture.taps.tee import Tee


def stream() -> io.TextIOWrapper:
    """As `sys.stdout` is one."""
    raw = io.FileIO(os.open(os.devnull, os.O_WRONLY), "w")
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="strict", line_buffering=True)


def unexpected(error: BaseException) -> None:
    raise error


#: Streams are dropped here without being closed, as the interpreter's own are.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CLASSES = (
    *(io.IOBase, io.TextIOBase, io.RawIOBase, io.BufferedIOBase),
    *(io.TextIOWrapper, io.BufferedWriter, io.FileIO),
)


def outcomes(*calls: Callable[[], object]) -> list[object]:
    return [outcome(call) for call in calls]


def outcome(call: Callable[[], object]) -> object:
    """The result, or the error with its text, without what differs between any two objects."""
    try:
        found = call()
    except Exception as error:  # noqa: BLE001 - whatever the original raises
        found = type(error).__name__, str(error)
    return re.sub(r"0x[0-9a-f]+|name=\d+|_io\.", "", repr(found))


def after_close(s: Any) -> list[object]:
    s.close()
    return [
        s.closed,
        *outcomes(
            lambda: s.write("x"),
            s.flush,
            s.fileno,
            lambda: s.buffer.write(b"x"),
            lambda: s.buffer.raw.write(b"x"),
            lambda: print("x", file=s),
            lambda: s.writelines(["x"]),
            s.isatty,
            s.__enter__,
            lambda: list(s),
            lambda: iter(s),
        ),
    ]


def after_detach(s: Any) -> list[object]:
    below = s.detach()
    return [
        isinstance(below, io.BufferedWriter),
        *outcomes(
            lambda: s.write("x"),
            s.flush,
            lambda: repr(s),
            lambda: s.buffer,
            s.fileno,
            lambda: s.closed,
            lambda: s.encoding,
            s.detach,
            lambda: below.write(b"x"),
        ),
        isinstance(below.detach(), io.FileIO),
        *outcomes(lambda: below.raw, lambda: below.write(b"x")),
    ]


def attributes(s: Any) -> list[object]:
    s.mine = 1
    found = [s.mine, vars(s)["mine"], "mine" in dir(s)]
    del s.mine
    written: list[str] = []
    original = s.write
    s.write = written.append
    print("by the function's own write", file=s)
    found += [written, s.write == original]
    del s.write
    found += [s.write("x"), hasattr(s, "mine")]

    def assign(name: str) -> None:
        setattr(s, name, 5)

    found += [outcome(partial(assign, name)) for name in ("buffer", "encoding", "closed", "_CHUNK_SIZE")]
    return [*found, *outcomes(lambda: delattr(s, "write"), lambda: delattr(s, "nothing"))]


def entered(s: Any) -> list[object]:
    with s as inside:
        same = inside is s
    return [same, s.closed]


OPERATIONS: dict[str, Callable[[Any], object]] = {
    "weak reference": lambda s: weakref.ref(s)() is s,
    "weak key": lambda s: s in weakref.WeakKeyDictionary({s: 1}),
    "weak reference to the buffer": lambda s: weakref.ref(s.buffer)() is s.buffer,
    "weak reference to the raw stream": lambda s: weakref.ref(s.buffer.raw)() is s.buffer.raw,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "pickle, first protocol": lambda s: pickle.dumps(s, 0),
    "__reduce__": lambda s: s.__reduce__(),
    "__getstate__": lambda s: s.__getstate__(),
    "classes": lambda s: [[isinstance(each, c) for c in CLASSES] for each in (s, s.buffer, s.buffer.raw)],
    "__class__": lambda s: [s.__class__, s.__class__.__mro__, type(s).__name__, type(s).__module__, s.__doc__],
    "truth": bool,
    "hash": lambda s: {s: 1}[s],
    "equality": lambda s: (s == s, s != s, s == 1, s == s.buffer),
    "iteration": lambda s: iter(s) is s,
    "next": next,
    "contains": lambda s: 1 in s,
    "with": entered,
    "attributes": attributes,
    "text": lambda s: (str(s), repr(s), f"{s}", repr(s.buffer), repr(s.buffer.raw)),
    "dir": lambda s: sorted(dir(s)),
    "vars": lambda s: sorted(vars(s)),
    "reconfigure": lambda s: (
        *(s.reconfigure(line_buffering=False, write_through=True, errors="ignore"),),
        *(s.line_buffering, s.write_through, s.errors),
    ),
    "fileno": lambda s: s.fileno() == s.buffer.fileno() == s.buffer.raw.fileno(),
    "wrapped anew": lambda s: (io.TextIOWrapper(s.buffer).write("x"), io.BufferedWriter(s.buffer.raw).write(b"x")),
    "wrong arguments": lambda s: outcomes(
        lambda: s.write(5),
        lambda: s.write(b"x"),
        lambda: s.writelines(5),
        lambda: s.writelines([5]),
        lambda: s.flush(1),
        lambda: s.buffer.write("x"),
        lambda: s.buffer.writelines(5),
        lambda: s.buffer.raw.write("x"),
    ),
    "wrong numbers of arguments": lambda s: [  # bound methods all: CPython names another class when it calls others
        outcome(partial(method, *given))
        for method in (
            *(s.write, s.writelines, s.flush, s.detach, s.fileno, s.__enter__),
            *(s.buffer.write, s.buffer.writelines, s.buffer.detach, s.buffer.raw.write, s.buffer.raw.writelines),
        )
        for given in ((), (1, 2), (1, 2, 3))
        if given or method.__name__ in ("write", "writelines")
    ],
    "not for writing streams": lambda s: outcomes(s.read, s.readline, lambda: s.seek(0), s.tell, lambda: s.truncate(5)),
    "closed": after_close,
    "detached": after_detach,
    "__del__": lambda s: (s.__del__(), s.closed),
    "every attribute": lambda s: {
        name: callable(getattr(s, name)) for name in dir(io.TextIOWrapper) if not name.startswith("__")
    },
    "every attribute of the buffer": lambda s: {
        name: callable(getattr(s.buffer, name)) for name in dir(io.BufferedWriter) if not name.startswith("__")
    },
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_tee_does_what_its_stream_does(operation: str) -> None:
    recorded: list[tuple[int, bytes]] = []
    tee = Tee(lambda kind, data: recorded.append((kind, data)), unexpected).text(stream(), STDOUT)
    call = OPERATIONS[operation]
    assert outcome(lambda: call(tee)) == outcome(lambda: call(stream()))


def test_it_is_gone_when_nobody_holds_it() -> None:
    """As any stream: it closes its file then."""
    tee = Tee(lambda kind, data: None, unexpected).text(stream(), STDOUT)
    fd, gone = tee.fileno(), weakref.ref(tee)
    del tee
    if sys.implementation.name == "cpython":
        import gc

        gc.collect()
    assert gone() is None
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
