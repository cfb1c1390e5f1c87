"""`FIRETEE_CAPTURE=fd`: what native code writes to fds 1 and 2, past Python's streams.

Guarantees
----------
* fds 1 and 2 lead to files ("spools") that we copy from, to the original descriptors and into the journal. A file
  never blocks its writer. (A pipe does: 10 MB printed by C code that holds the GIL would wait for a reader that waits
  for the GIL.)
* Python's streams write to the original descriptors themselves, so a crash loses nothing of theirs. Before each of
  their writes the spools are looked at (two `fstat`), so that what native code wrote earlier stays in front.
* Where the function puts another file on fd 1 or 2 (`os.dup2`), Python's stream follows it there, and back again.
* What a crash leaves in a spool is copied by the next process of this environment (`LeftSpools`), faulthandler's dump
  among it. How far this process had come stands in the journal's header.
* What has been copied is punched out of the file again: its length grows, the disk it takes does not. Before that disk
  is full, files in memory take their place.

What it costs: native output reaches the original descriptor a little later (at the latest when the function next
writes through Python's streams, after a linger, or at the invocation's end), and a native program that opens
/dev/stdout anew truncates the spool. Child processes of `subprocess` are not concerned (`children.py`).
"""

from __future__ import annotations

import _io
import os
import posix
import stat
from functools import partial

from ..journal.ring import STDERR, STDOUT
from ..process.guard import is_ours
from ..process.own_fd import raised, wait_for_room
from ..process.signal_lock import SignalLock
from .spool import READ_BYTES, Spool, path_of, unlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    #: Takes the kind of entry, the data, and the number that tells whose lines they are.
    RecordAs = Callable[[int, bytes, int], object]

_STREAMS = ((1, "stdout", STDOUT), (2, "stderr", STDERR))
#: Whose lines: native code's, of whichever thread (threads' idents are addresses, children count from 2).
_KEY = 0


class _Stream:
    """One of fds 1 and 2: `original` is what it was, `python` what Python's stream over it writes to."""

    def __init__(self, fd: int, kind: int, original: int, python: int) -> None:
        self.fd = fd
        self.kind = kind
        self.original = original
        self.python = python
        self.elsewhere: tuple[int, int] | None = None  # the file that the function has put on `fd` itself
        self.owner = self  # whose spools these are: both have the same where both were one file, which keeps the order
        self.spools: dict[tuple[int, int], Spool] = {}  # by identity; the function may have kept one that was replaced

    @property
    def spool(self) -> Spool:
        """The one in use."""
        return next(reversed(self.spools.values()))

    def echo(self, data: bytes) -> None:
        """Write it where it would have gone. What cannot be written is recorded all the same: it was accepted."""
        _write_all(self.original, data)


class FdTail:
    """Follows what is written to fds 1 and 2 of this process.

    `stem` is the path that the spools' names begin with (the journal's, without its suffix), None for memory only.
    `record(kind, data, key)` is `Journal.append_as` or stands for it; `progress(stdout, stderr)` is
    `Journal.note_copied`; `function_wrapper` is wrapt's.
    """

    def __init__(
        self,
        stem: str | None,
        *,
        record: RecordAs,
        progress: Callable[[int, int], object],
        failed: Callable[[BaseException], None],
        function_wrapper: Any,
    ) -> None:
        self._record = record
        self._progress = progress
        self._failed = failed
        self._streams: list[_Stream] = []
        self._function_wrapper = function_wrapper
        self._stem = stem
        self._pid = posix.getpid()
        self._new_lock()

    def install(self, sys: ModuleType) -> None:
        """Take over fds 1 and 2, and make Python's streams anew on what they were. Before the tees are put on."""
        for fd, name, kind in _STREAMS:
            present = getattr(sys, name)
            if type(present) is not _io.TextIOWrapper or present.fileno() != fd:
                continue  # closed, or replaced by something of the function's own: left as it is
            present.flush()
            original, python = raised(posix.dup(fd)), raised(posix.dup(fd))
            remade = _remade(present, python, f"<{name}>")
            self._streams.append(_Stream(fd, kind, original, python))
            if getattr(sys, f"__{name}__") is present:
                setattr(sys, f"__{name}__", remade)
            setattr(sys, name, remade)
        self._redirect()
        wrapper = self._function_wrapper
        for name in ("execv", "execve"):
            setattr(os, name, wrapper(getattr(os, name), self._around_exec))
        os.system = wrapper(os.system, self._around_system)

    @property
    def originals(self) -> dict[int, int]:
        """What fds 1 and 2 were: descriptors of ours, for those that were taken over."""
        return {stream.fd: stream.original for stream in self._streams}

    # ---- any thread ------------------------------------------------------------------------------------------------

    def before_write(self) -> None:
        """Python's streams are about to write: copy what is in front of it; follow where the function has moved."""
        try:
            for stream in self._streams:
                try:
                    status = posix.fstat(stream.fd)
                except OSError as error:
                    if not is_ours(error):
                        raise
                    self._follow(stream, (-1, -1))
                    continue
                identity = status.st_dev, status.st_ino
                spool = stream.spools.get(identity)
                if spool is None:
                    self._follow(stream, identity)
                    continue
                if stream.elsewhere is not None:
                    self._come_back(stream)
                if spool.changed(status):
                    self.copy()
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)

    def copy(self) -> None:
        """Copy what native code wrote before this call; in a forked child it is the parent's to do."""
        if self._lock.mine or self._pid != posix.getpid():
            return
        try:
            self._lock.hold(self._copy_all)
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)

    def _copy_all(self) -> None:
        for stream in self._streams:
            if stream.owner is stream:
                record = partial(self._record_copied, stream.kind)
                for spool in stream.spools.values():
                    spool.read(stream.echo, record)
                if stream.spool.lacks_room():
                    self._move_to_memory(stream)

    def _record_copied(self, kind: int, data: bytes) -> None:
        self._record(kind, data, _KEY)
        self._note_progress()

    def _note_progress(self) -> None:
        """How far the first spools were copied, which are those that a later process may find."""
        copied = {
            stream.kind: next(iter(stream.spools.values())).copied
            for stream in self._streams
            if stream.owner is stream and stream.spools
        }
        self._progress(copied.get(STDOUT, 0), copied.get(STDERR, 0))

    def _move_to_memory(self, owner: _Stream) -> None:
        """Put another spool on the descriptors; the one that was there is followed as long as it may be written to."""
        spool = Spool(None, owner.fd)
        owner.spools[spool.identity] = spool
        for stream in self._streams:
            if stream.owner is owner and stream.elsewhere is None:
                posix.dup2(spool.end, stream.fd)

    def _follow(self, stream: _Stream, identity: tuple[int, int]) -> None:
        """The function has put something else on `fd`, or closed it: that is where its Python stream leads, too."""
        if stream.elsewhere == identity:
            return
        if stream.elsewhere is None:
            self.copy()
        if identity == (-1, -1):
            # Writing to it is EBADF, as to what is closed.
            nowhere = posix.open("/dev/null", posix.O_RDONLY | posix.O_CLOEXEC)
            posix.dup2(nowhere, stream.python, inheritable=False)
            posix.close(nowhere)
        else:
            posix.dup2(stream.fd, stream.python, inheritable=False)
        stream.elsewhere = identity

    def _come_back(self, stream: _Stream) -> None:
        posix.dup2(stream.original, stream.python, inheritable=False)
        stream.elsewhere = None

    # ---- other files, other processes ------------------------------------------------------------------------------

    def begin_anew(self, stem: str | None) -> None:
        """With spools under another name: after a snapshot's restore. What is in the old ones was copied."""
        self.copy()
        self._remove()
        self._stem = stem
        self._redirect()

    def forked(self) -> None:
        """In a forked child: its native output is in its parent's spools."""
        self._new_lock()

    def streams_replaced(self, stem: str | None) -> None:
        """In a forked worker, in which the runtime may have put other files on fds 1 and 2: take these over."""
        self._stem, self._pid = stem, posix.getpid()
        for stream in self._streams:
            status = posix.fstat(stream.fd)
            if (status.st_dev, status.st_ino) not in stream.spools:
                posix.dup2(stream.fd, stream.original, inheritable=False)
                posix.dup2(stream.fd, stream.python, inheritable=False)
                stream.elsewhere = None
        self._redirect()

    def leave(self) -> None:
        """The interpreter exits: what native code writes from now on goes where it would have gone without us."""
        if self._pid != posix.getpid():
            return
        self.copy()
        self._give_back()
        self.copy()
        self._remove()
        self._streams = []

    def _redirect(self) -> None:
        """Make the spools and put them on the descriptors; one for both where both were one file."""
        owners: dict[tuple[int, int], _Stream] = {}
        for stream in self._streams:
            status = posix.fstat(stream.original)
            stream.owner = owner = owners.setdefault((status.st_dev, status.st_ino), stream)
            if owner is stream:
                spool = Spool(self._stem, stream.fd)
                stream.spools = {spool.identity: spool}
            else:
                stream.spools = owner.spools
            posix.dup2(stream.spool.end, stream.fd)
        self._note_progress()

    def _give_back(self) -> None:
        for stream in self._streams:
            if stream.elsewhere is None:
                posix.dup2(stream.original, stream.fd)

    def _remove(self) -> None:
        for stream in self._streams:
            if stream.owner is stream:
                for spool in stream.spools.values():
                    spool.remove()

    def _around_system(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """`os.system`: the shell may truncate its output, so what is there is copied first, and at its end."""
        self.copy()
        try:
            return wrapped(*args, **kwargs)
        finally:
            self.copy()

    def _around_exec(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """`os.execv` and `os.execve`: another program takes our place, and nobody will copy for it."""
        if self._pid != posix.getpid():
            return wrapped(*args, **kwargs)
        self.copy()
        self._give_back()
        try:
            return wrapped(*args, **kwargs)
        finally:  # there is no such program
            for stream in self._streams:
                if stream.elsewhere is None:
                    posix.dup2(stream.spool.end, stream.fd)

    def _new_lock(self) -> None:
        self._lock = SignalLock()


class LeftSpools:
    """What a dead process left in its spools, behind what it had copied."""

    def __init__(self, stem: str, copied: tuple[int, int]) -> None:
        self._paths = [path_of(stem, fd) for fd, _, _ in _STREAMS]
        self._left: list[tuple[int, int, int, int, int]] = []  # fd, kind, descriptor, first byte, time in us
        for (fd, _, kind), path, start in zip(_STREAMS, self._paths, copied, strict=True):
            try:
                spool = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK)
            except OSError:
                continue
            status = posix.fstat(spool)
            private = stat.S_ISREG(status.st_mode) and status.st_uid == posix.geteuid() and not status.st_mode & 0o077
            if private and status.st_size > start:
                self._left.append((fd, kind, spool, start, status.st_mtime_ns // 1000))
            else:
                posix.close(spool)

    def __bool__(self) -> bool:
        return bool(self._left)

    def echo(self, originals: dict[int, int]) -> None:
        """Write it to where it would have gone: `originals` are this process's descriptors for fds 1 and 2."""
        for fd, _, spool, at, _ in self._left:
            while data := posix.pread(spool, READ_BYTES, at):
                _write_all(originals.get(fd, fd), data)
                at += len(data)

    def read(self, offset: int) -> tuple[int, int, bytes] | None:
        """For `DeadJournal.read_on`: stdout's first, then stderr's."""
        for _, kind, spool, start, time_us in self._left:
            size = posix.fstat(spool).st_size - start
            if offset < size:
                return kind, time_us, posix.pread(spool, min(READ_BYTES, size - offset), start + offset)
            offset -= size
        return None

    def close(self) -> None:
        """Leave them to a later process."""
        for _, _, spool, _, _ in self._left:
            posix.close(spool)
        self._left = []

    def discard(self) -> None:
        """All of it was delivered."""
        self.close()
        for path in self._paths:
            unlink(path)


def _remade(stream: Any, fd: int, name: str) -> Any:
    """A text stream like `stream`, on `fd`; as `create_stdio` makes it (CPython, Python/pylifecycle.c)."""
    raw: Any = _io.FileIO(fd, "wb", closefd=False)
    raw.name = name
    buffer: Any = _io.BufferedWriter(raw) if hasattr(stream.buffer, "raw") else raw
    text: Any = _io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        newline="\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    text.mode = stream.mode
    return text


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[posix.write(fd, left) :]
        except BlockingIOError:
            wait_for_room(fd)
        except OSError as error:
            if not is_ours(error):
                raise
            return  # nobody reads it any more
