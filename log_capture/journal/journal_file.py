"""The file that mirrors a journal, in `/tmp`, which Lambda keeps when it restarts a crashed runtime.

It is called ``journal``, alone in a folder of its own with a random, hidden name: who tidies up `/tmp` with
``glob("/tmp/*")`` does not see it, who removes every folder there removes it. Whatever happens to it, no call here
raises; the process goes on without, and has another one as soon as it looks.

A living process holds an exclusive `flock` on its file, so a file that can be locked belongs to the dead. Folders have
mode 0700 and files 0600; they are read back only if they are this user's, and nobody else can open them. Nothing is in
them but the lines and their request ids.
"""

from __future__ import annotations

from errno import EDQUOT, EFBIG, ENOSPC
from fcntl import LOCK_EX, LOCK_NB, flock
from os import (
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_RDWR,
    close,
    fstat,
    geteuid,
    listdir,
    lstat,
    mkdir,
    pread,
    pwrite,
    rename,
    rmdir,
    strerror,
    unlink,
    urandom,
)
from os import open as open_file
from stat import S_ISDIR, S_ISREG

from ..process.guard import is_ours
from ..process.own_fd import identity, raised
from .dead_file import DeadFile
from .dead_journal import DeadJournal
from .ring import MAGIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What our folders' names begin with.
PREFIX = ".firetee-"
_NAME = "journal"
#: A folder set aside keeps its content for whoever wants to look, under a name that is not tried again.
_SET_ASIDE = ".damaged"


class JournalFile:
    """The mirror of one journal, under its lock. Without a usable `directory` there is none.

    `problem` then says why, in words for the user; so it does when the disk is full.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.problem: str | None = None
        self.folder: str | None = None
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self.renew()

    @property
    def stem(self) -> str | None:
        """What the names of further files of this process begin with; None if there is no folder."""
        return None if self.folder is None else f"{self.folder}/{_NAME}"

    def renew(self) -> bool:
        """Begin with an empty file in a new folder; False if there can be none."""
        self.abandon()
        self.problem = None
        try:
            try:
                self._create()
            except FileNotFoundError:  # another process took the empty folder for a dead one's
                self._create()
        except OSError as error:
            if not is_ours(error):
                raise
            self._say(error.errno or 0)
            return False
        return True

    def _create(self) -> None:
        folder = f"{self._directory}/{PREFIX}{urandom(8).hex()}"
        hidden = f"{folder}/{_NAME}.new"
        mkdir(folder, 0o700)
        try:
            fd = raised(open_file(hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600))
            try:
                flock(fd, LOCK_EX | LOCK_NB)
                rename(hidden, f"{folder}/{_NAME}")  # only now can another process find it: locked
                self._identity = identity(fd)
            except BaseException:  # re-raised; close first so that nothing leaks
                close(fd)
                raise
        except BaseException:  # re-raised; nothing of it stays
            for name in (hidden, f"{folder}/{_NAME}"):
                _quietly(unlink, name)
            _quietly(rmdir, folder)
            raise
        self._fd, self.folder = fd, folder

    def write(self, data: bytes, at: int) -> bool:
        """Store `data` at that many bytes; False if not all of it could be."""
        if self._fd >= 0:
            try:
                if pwrite(self._fd, data, at) == len(data):
                    return True
                self._say(ENOSPC)
            except OSError as error:
                if not is_ours(error):  # a signal handler of the function's has raised it: a time limit, for instance
                    raise
                self._say(error.errno or 0)
        return False

    def intact(self) -> bool:
        """Whether the file is ours, has a name, and begins as it must."""
        if self._fd < 0:
            return False
        try:
            status = fstat(self._fd)
            return (
                (status.st_dev, status.st_ino) == self._identity
                and status.st_nlink == 1
                and pread(self._fd, len(MAGIC), 0) == MAGIC
            )
        except OSError as error:
            if not is_ours(error):
                raise
            return False

    def discard(self) -> None:
        """Remove the file: everything in it was delivered (or never was anything)."""
        folder = self.folder
        self.abandon()
        if folder is not None:
            _quietly(unlink, f"{folder}/{_NAME}")
            _quietly(rmdir, folder)

    def abandon(self) -> None:
        """Let go of the file without removing it; in a forked child it belongs to the parent."""
        fd, self._fd = self._fd, -1
        self.folder = None
        try:
            if fd >= 0 and identity(fd) == self._identity:  # or the function has closed it, and opened another one
                close(fd)
        except OSError as error:
            if not is_ours(error):
                raise

    def _say(self, error: int) -> None:
        where, why = repr(self._directory), strerror(error)
        if error in (ENOSPC, EDQUOT, EFBIG):
            trouble, remedy = f"the disk of {where} is full ({why})", "free some of it, or set FIRETEE_JOURNAL_DIR"
        else:
            trouble, remedy = f"no journal in {where} ({why})", "set FIRETEE_JOURNAL_DIR"
        self.problem = (
            f"{trouble}: lines are kept in memory only and do not survive a crash; {remedy} to a writable directory "
            "with some free space"
        )


class LeftBehind:
    """A dead process's journal, locked for us."""

    def __init__(self, folder: str, file: DeadFile) -> None:
        self.folder = folder
        self.stem = f"{folder}/{_NAME}"
        self.journal = DeadJournal(file)
        self._file = file

    def discard(self) -> None:
        """Remove the file once everything in it was delivered."""
        _quietly(unlink, self.stem)
        _quietly(rmdir, self.folder)
        self.abandon()

    def abandon(self) -> None:
        """Leave the file to a later process."""
        self._file.close()


def count_left_behind(directory: str) -> int:
    """How many journals there are, those of living processes among them."""
    return len(_folders(directory))


def left_behind(directory: str, report: Callable[[str], None]) -> Iterator[LeftBehind]:
    """The journals of this environment's dead processes, each locked; those of living ones are left alone."""
    for name in sorted(_folders(directory)):
        folder = f"{directory}/{name}"
        try:
            found = _adopt(folder)
        except _Foreign as why:
            report(f"the folder {folder} is not used: {why}; remove it if it is not yours")
        except (OSError, ValueError) as error:
            _quietly(rename, folder, folder + _SET_ASIDE)
            report(f"the journal in {folder} cannot be read ({error}): set aside as {name}{_SET_ASIDE}")
        else:
            if found is not None:
                yield found


def _folders(directory: str) -> list[str]:
    try:
        return [name for name in listdir(directory) if name.startswith(PREFIX) and not name.endswith(_SET_ASIDE)]
    except OSError:
        return []


class _Foreign(Exception):
    """It was not made by this user, or others may write it."""


def _adopt(folder: str) -> LeftBehind | None:
    try:
        status = lstat(folder)
    except FileNotFoundError:
        return None
    if not S_ISDIR(status.st_mode):
        raise _Foreign("it is not a folder")
    if status.st_uid != geteuid() or status.st_mode & 0o077:
        raise _Foreign("someone else made it or could have changed it")
    try:
        fd = open_file(f"{folder}/{_NAME}", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    except FileNotFoundError:
        _quietly(rmdir, folder)  # its process was killed before it had made the file, or the function has removed it
        return None
    except OSError as error:
        raise _Foreign(f"its journal cannot be opened safely ({error.strerror})") from None
    try:
        status = fstat(fd)
        if not S_ISREG(status.st_mode):
            raise _Foreign("its journal is not a regular file")
        if status.st_uid != geteuid() or status.st_mode & 0o077 or status.st_nlink > 1:
            raise _Foreign("someone else made its journal or could have changed it")
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except OSError:
            close(fd)
            return None  # its process lives
        if fstat(fd).st_nlink == 0:
            close(fd)
            return None  # another process has just sent and removed it
        return LeftBehind(folder, DeadFile(fd))
    except BaseException:  # re-raised; close first so that nothing leaks
        close(fd)
        raise


def _quietly(call: Callable[..., object], *paths: str) -> None:
    try:
        call(*paths)
    except OSError as error:
        if not is_ours(error):
            raise
