"""The file that native code's output goes to before it is copied, and how much of it was."""

from __future__ import annotations

import mmap
import posix
from time import time_ns

from ..process.guard import is_ours
from ..process.own_fd import raised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Read at a time: an entry must fit into the smallest journal, of 64 KiB (a choice).
READ_BYTES = 32768
#: Give blocks back to the disk when so much has been copied (a choice).
_PUNCH_BYTES = 1 << 20
#: With less room than this on its disk a file is given up for one in memory (a choice: what native code may write
#: between two looks).
_ROOM_BYTES = 4 << 20
#: Two changes of a file may have one time if they are no longer apart than this: a tick of the kernel is 10 ms at most
#: (CONFIG_HZ; current_time in its fs/inode.c).
_TICK_NS = 20_000_000


def path_of(stem: str, fd: int) -> str:
    """The name of the file for descriptor `fd`."""
    return f"{stem}.fd{fd}"


class Spool:
    """Private, and for appending; in memory where there is no `stem`, or no room for a file. Raises OSError.

    A program that opens /dev/stdout with O_TRUNC makes it shorter, and what it writes then may be as long as what was
    there, or longer. So the last byte that was copied is overwritten with a zero: where another one stands there, all
    of the file is new.
    """

    def __init__(self, stem: str | None, fd: int) -> None:
        self.path, self._own = _create(stem, fd)
        try:
            #: What is put on the descriptor. It appends; `_own` reads and writes anywhere.
            self.end = raised(posix.open(f"/proc/self/fd/{self._own}", posix.O_RDWR | posix.O_APPEND | posix.O_CLOEXEC))
        except BaseException:  # re-raised; closed first so that nothing leaks
            posix.close(self._own)
            raise
        status = posix.fstat(self._own)
        self.identity = status.st_dev, status.st_ino
        self.copied = 0  # bytes
        self._punched = 0
        self._still_ns = -1  # when it was last changed, if a later change cannot have the same time

    def changed(self, status: posix.stat_result) -> bool:
        """Whether something may have been written since the last `read`."""
        return status.st_size != self.copied or status.st_mtime_ns != self._still_ns

    def read(self, echo: Callable[[bytes], object], record: Callable[[bytes], object]) -> None:
        """Hand what is new to `echo`, count it as copied, and hand it to `record`; one thread at a time."""
        size = posix.fstat(self._own).st_size
        before = self.copied
        if size < before or (before and posix.pread(self._own, 1, before - 1) != b"\0"):
            before = self.copied = self._punched = 0
        while self.copied < size:
            data = posix.pread(self._own, min(READ_BYTES, size - self.copied), self.copied)
            if not data:
                break
            echo(data)
            self.copied += len(data)
            record(data)
        if self.copied > before:
            posix.pwrite(self._own, b"\0", self.copied - 1)
        if self.copied - self._punched >= _PUNCH_BYTES:
            end = self.copied - self.copied % mmap.ALLOCATIONGRANULARITY
            _punch(self._own, self._punched, end)
            self._punched = end
        changed_ns = posix.fstat(self._own).st_mtime_ns
        self._still_ns = changed_ns if time_ns() - changed_ns > _TICK_NS else -1

    def lacks_room(self) -> bool:
        """Whether its disk is almost full: a write that finds no room fails where it would not without us."""
        return bool(self.path) and _is_full(self._own)

    def remove(self) -> None:
        """Close it; what has its descriptor still may write on."""
        posix.close(self._own)
        posix.close(self.end)
        if self.path:
            unlink(self.path)


def _create(stem: str | None, fd: int) -> tuple[str, int]:
    """A new file: its path ("" in memory) and a descriptor."""
    if stem is not None:
        path = path_of(stem, fd)
        flags = posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
        try:
            file = raised(posix.open(path, flags, 0o600))
            if not _is_full(file):
                return path, file
            posix.close(file)
            unlink(path)
        except OSError as error:
            if not is_ours(error):
                raise  # else the disk is full, or the directory has gone
    return "", raised(posix.memfd_create("firetee", posix.MFD_CLOEXEC))


def _is_full(file: int) -> bool:
    disk = posix.fstatvfs(file)
    return disk.f_bavail * disk.f_frsize < _ROOM_BYTES


def _punch(fd: int, start: int, end: int) -> None:
    """Give the blocks between two offsets back (whole pages); the file keeps its length. Not every filesystem can."""
    try:
        with mmap.mmap(fd, end - start, offset=start) as window:
            window.madvise(mmap.MADV_REMOVE)
    except (OSError, ValueError) as error:
        if not is_ours(error):
            raise


def unlink(path: str) -> None:
    """Remove a file, if it is still there."""
    try:
        posix.unlink(path)
    except OSError as error:
        if not is_ours(error):
            raise
