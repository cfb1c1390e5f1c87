"""Managed Instances: the runtime forks workers, with `multiprocessing`, and waits for them.

Each worker captures and sends for itself. The parent must be the last to go: when it ends, Lambda takes the runtime
for gone, and the workers with it.
"""

from __future__ import annotations

import posix
import sys
from select import POLLIN, poll
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def wait_for_workers(seconds: float) -> None:
    """Wait until every worker that this process forked has ended, `seconds` at most. Any thread; reaps nothing."""
    process = sys.modules.get("multiprocessing.process")
    waiting = poll()
    left: set[int] = set()
    for worker in list(getattr(process, "_children", ())):
        try:
            fd = posix.pidfd_open(worker.pid)
        except OSError:  # it has ended, and its end is known
            continue
        left.add(fd)
        waiting.register(fd, POLLIN)
    deadline = monotonic() + seconds
    open_fds = tuple(left)
    while left and (milliseconds := (deadline - monotonic()) * 1000) > 0:
        for fd, _ in waiting.poll(milliseconds):
            waiting.unregister(fd)
            left.discard(fd)
    for fd in open_fds:
        posix.close(fd)


def on_worker_exit(call: Callable[[], object]) -> None:
    """Have `call` called when this worker ends by itself: `multiprocessing` leaves out `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, call, exitpriority=-1000)  # the last of all


def on_child_exit(call: Callable[[], object]) -> None:
    """In a child that was just forked, perhaps by `multiprocessing`: have `call` called when it ends by itself.

    `multiprocessing` forgets what is to be done at an exit when the child begins, and then calls what is to be done
    after a fork.
    """
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        _after_forks.append(call)
        util.register_after_fork(_after_forks, _at_last_exit)


class _Calls(list["Callable[[], object]"]):
    """`multiprocessing` keeps a weak reference, which a list does not allow."""

    __slots__ = ("__weakref__",)


_after_forks = _Calls()


def _at_last_exit(calls: _Calls) -> None:
    on_worker_exit(calls[-1])
