"""Descriptors of ours in a process that is the function's: it may close any, and open other files under their numbers.

A daemon does so after it forked, and a library that closes "everything from 3 on" in the middle of an invocation. What
we write must never go into a file of the function's, and what we close must be ours.
"""

from __future__ import annotations

import posix
from fcntl import F_DUPFD_CLOEXEC, fcntl
from select import POLLOUT, poll

from .guard import is_ours

#: The lowest number that our descriptors get: functions that close the first few hundred, and open others, do not meet
#: them (a choice; Lambda allows 1,024 descriptors).
_LEAST = 1000


def identity(fd: int) -> tuple[int, int] | None:
    """Device and inode of the file behind a descriptor; None if there is none."""
    try:
        status = posix.fstat(fd)
    except OSError as error:
        if not is_ours(error):
            raise
        return None
    return status.st_dev, status.st_ino


def raised(fd: int) -> int:
    """The same file under a high number, if there may be one; `fd` is closed then. Closed on exec."""
    try:
        high: int = fcntl(fd, F_DUPFD_CLOEXEC, _LEAST)
    except (OSError, ValueError) as error:  # the limit is lower, or all are taken
        if not is_ours(error):
            raise
        return fd
    posix.close(fd)
    return high


def wait_for_room(fd: int) -> None:
    """Wait until a descriptor that does not block can be written to."""
    waiting = poll()
    waiting.register(fd, POLLOUT)
    waiting.poll()


def pipe() -> tuple[OwnFd, OwnFd]:
    """Both ends of a pipe that never blocks: to read, and to write. Raises OSError."""
    read, write = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
    return OwnFd(raised(read)), OwnFd(raised(write))


class OwnFd:
    """A descriptor that was ours when this was made. Any thread."""

    __slots__ = ("_identity", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._identity = identity(fd)

    @property
    def mine(self) -> bool:
        """Whether its number still stands for that file."""
        return self._identity is not None and identity(self.fd) == self._identity

    def same_file(self, other: OwnFd) -> bool:
        """Whether both were made for one file."""
        return self._identity is not None and self._identity == other._identity

    def close(self) -> None:
        """Close it, if it is still ours; only once."""
        if self.mine:
            posix.close(self.fd)
        self._identity = None
