"""Where a journal lives: a private file in `/tmp`, which Lambda keeps when it restarts a crashed runtime.

A living process holds an exclusive `flock` on its file, so a file that can be locked belongs to the dead. Files are
made without following links, with mode 0600 and a random name, and are read back only if they are regular files of
this user's that nobody else can open. Nothing is in them but the lines and their request ids.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat

from .dead_journal import DeadJournal
from .journal import GROW_BYTES
from .ring import HEADER_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX = "firetee-"
_SUFFIX = ".journal"
#: A file set aside keeps its content for whoever wants to look, under a name that is not tried again.
_SET_ASIDE = ".damaged"


class JournalFile:
    """The memory of one journal: `buffer`, and `grow` to have more of it backed by real blocks.

    Without a usable directory the memory is anonymous and `problem` says why, once, in words for the user.
    """

    def __init__(self, directory: str, capacity: int) -> None:
        self.path: str | None = None
        self.problem: str | None = None
        self._fd = -1
        size = HEADER_BYTES + capacity
        try:
            self._create(directory, size)
        except OSError as error:
            self.problem = (
                f"no journal in {directory!r} ({error.strerror or error}): lines are kept in memory only and do not "
                "survive a crash; set FIRETEE_JOURNAL_DIR to a writable directory with some free space"
            )
            self.discard()
        self.buffer = mmap.mmap(self._fd, size)
        # The first write would read ahead around it: megabytes of zeros, 3 ms and more of every cold start.
        self.buffer.madvise(mmap.MADV_RANDOM)

    def _create(self, directory: str, size: int) -> None:
        name = _PREFIX + os.urandom(8).hex()
        hidden = os.path.join(directory, "." + name)
        self._fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.path = hidden
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(self._fd, size)
        # Blocks that are not allocated would make a write into the mapping fatal (SIGBUS) once the disk is full.
        os.posix_fallocate(self._fd, 0, HEADER_BYTES + min(GROW_BYTES, size - HEADER_BYTES))
        visible = os.path.join(directory, name + _SUFFIX)
        os.rename(hidden, visible)  # only now can another process find it: locked and of its full size
        self.path = visible

    @property
    def stem(self) -> str | None:
        """The path without its suffix; None for anonymous memory."""
        return None if self.path is None else self.path.removesuffix(_SUFFIX)

    def grow(self, upto: int) -> bool:
        """Back the first `upto` bytes with real blocks; False if the disk is full."""
        if self._fd < 0:
            return True
        try:
            os.posix_fallocate(self._fd, 0, upto)
        except OSError:
            return False
        return True

    def discard(self) -> None:
        """Remove the file: everything in it was delivered (or never was anything)."""
        if self.path is not None:
            _ignore_missing(os.unlink, self.path)
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file without removing it; in a forked child it belongs to the parent."""
        self.path = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class LeftBehind:
    """A dead process's journal, locked for us."""

    def __init__(self, path: str, fd: int, journal: DeadJournal) -> None:
        self.path = path
        self.stem = path.removesuffix(_SUFFIX)
        self._fd = fd
        self.journal = journal

    def discard(self) -> None:
        """Remove the file once everything in it was delivered."""
        _ignore_missing(os.unlink, self.path)
        self.abandon()

    def abandon(self) -> None:
        """Leave the file to a later process."""
        self.journal.close()
        os.close(self._fd)


def left_behind(directory: str, report: Callable[[str], None]) -> Iterator[LeftBehind]:
    """The journals of this environment's dead processes, each locked; those of living ones are left alone."""
    try:
        names = [name for name in os.listdir(directory) if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]
    except OSError:
        return
    for name in sorted(names):
        path = os.path.join(directory, name)
        try:
            found = _adopt(path)
        except _Foreign as why:
            report(f"the file {path} is not used: {why}; remove it if it is not yours")
        except (OSError, ValueError) as error:
            _ignore_missing(os.rename, path, path + _SET_ASIDE)
            report(f"the journal {path} cannot be read ({error}): set aside as {name}{_SET_ASIDE}")
        else:
            if found is not None:
                yield found


class _Foreign(Exception):
    """The file was not made by this user, or others may write it."""


def _adopt(path: str) -> LeftBehind | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _Foreign(f"it cannot be opened safely ({error.strerror})") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _Foreign("it is not a regular file")
        if status.st_uid != os.geteuid() or status.st_mode & 0o077 or status.st_nlink != 1:
            raise _Foreign("someone else made it or could have changed it")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return None  # its process lives
        if os.fstat(fd).st_nlink == 0:
            os.close(fd)
            return None  # another process has just sent and removed it
        buffer = mmap.mmap(fd, status.st_size) if status.st_size else None
        if buffer is None:
            raise ValueError("it is empty")
        return LeftBehind(path, fd, DeadJournal(buffer))
    except BaseException:  # it goes on, but the descriptor does not stay open
        os.close(fd)
        raise


def _ignore_missing(call: Callable[..., object], *paths: str) -> None:
    try:
        call(*paths)
    except OSError:
        pass
