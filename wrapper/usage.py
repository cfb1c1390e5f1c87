"""What the function's process uses, as far as the kernel tells it without opening a file.

Only calls that raise no audit event and take no descriptor, so that a function can neither see nor break them. Network
bytes are left out: reading ``/proc/net/dev`` takes longer than all of this together.
"""

from __future__ import annotations

from os import stat, statvfs
from resource import RUSAGE_SELF, getrusage

from log_capture.process.guard import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def cpu_ms() -> tuple[float, float]:
    """CPU time of the process up to now, all threads, in user and in system mode; without its children."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime * 1000, used.ru_stime * 1000


def in_use(tmp: str = "/tmp", proc: str = "/proc/self") -> dict[str, object]:
    """``threads`` and ``openFds`` of the process, ours among them; ``tmpUsedBytes`` of the file system of `tmp`.

    What the kernel does not say is left out. Sources: ``proc_task_getattr`` in Linux' ``fs/proc/base.c`` counts the
    threads as links; ``proc_fd_getattr`` in ``fs/proc/fd.c`` gives the open descriptors as the size, from Linux 6.2 on.
    """
    found: dict[str, object] = {}
    threads = _known(lambda: stat(f"{proc}/task").st_nlink - 2)  # a folder's own two links
    if threads > 0:
        found["threads"] = threads
    descriptors = _known(lambda: stat(f"{proc}/fd").st_size)  # 0 on an older kernel
    if descriptors > 0:
        found["openFds"] = descriptors
    used = _known(lambda: _used_bytes(tmp))
    if used >= 0:
        found["tmpUsedBytes"] = used
    return found


def _used_bytes(path: str) -> int:
    of = statvfs(path)
    return (of.f_blocks - of.f_bfree) * of.f_frsize


def _known(ask: Callable[[], int]) -> int:
    """The answer, or -1."""
    try:
        return ask()
    except OSError as error:
        if not is_ours(error):
            raise
        return -1
