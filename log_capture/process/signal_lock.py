"""A lock that a signal handler which raises does not leave locked.

Python runs the function's signal handlers on the main thread, between any two instructions, in ours too; a time limit's
handler raises. ``with lock:`` and ``lock.acquire(); try:`` both have a place where that leaves the lock locked for
ever: between taking it and entering the `try`, or between leaving the block and letting go. Here the lock is taken and
let go inside the `try`, and whatever is raised, at any place, it is asked whether this thread has it.
"""

from __future__ import annotations

from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


class SignalLock:
    """Any thread may use it, signal handlers and finalizers too."""

    __slots__ = ("_acquire", "_is_owned", "_release")

    def __init__(self) -> None:
        lock = RLock()
        self._acquire, self._release = lock.acquire, lock.release
        self._is_owned: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]

    @property
    def mine(self) -> bool:
        """Whether this thread has it: so it was interrupted by a handler, or a finalizer, that comes here again."""
        return self._is_owned()

    def hold(self, step: Callable[[], T]) -> T:
        """Take `step()` while no other thread takes one. A thread that is inside already takes it at once."""
        if self._is_owned():
            return step()
        try:
            self._acquire()
            result = step()
            self._release()
            return result
        except BaseException:  # the function's signal handlers may raise anything: it goes on, without our lock
            while self._is_owned():
                self._release()
            raise

    def wait(self, seconds: float) -> bool:
        """Wait until no other thread has it; False if that takes longer than `seconds`."""
        try:
            taken = self._acquire(True, max(0.0, seconds))
            if taken:
                self._release()
            return taken
        except BaseException:
            while self._is_owned():
                self._release()
            raise
