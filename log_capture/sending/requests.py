"""How other threads have the sender's thread do something, and wait for it."""

from __future__ import annotations

from _thread import allocate_lock
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def never() -> bool:
    """Only the end of the step is enough."""
    return False


class Request:
    """What another thread waits for: `step()` is to be taken, or `enough()` to become true while one is."""

    __slots__ = ("_done", "enough", "step")

    def __init__(self, step: Callable[[], object], enough: Callable[[], bool]) -> None:
        self.step = step
        self.enough = enough
        self._done = allocate_lock()
        self._done.acquire()

    def wait(self, deadline: float) -> bool:
        """False if `deadline` (monotonic) comes first."""
        return self._done.acquire(True, max(0.0, deadline - monotonic()))

    def done(self) -> None:
        """The sender's thread: whoever waits, or will, need not any more."""
        if self._done.locked():
            self._done.release()


class Requests:
    """The requests in the order in which they were made, and the one that is served."""

    __slots__ = ("_current", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Request] = []
        self._current: Request | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ask(
        self, deadline: float, step: Callable[[], object], enough: Callable[[], bool], wake: Callable[[], None]
    ) -> bool:
        """Any thread: have a step taken and wait for it, after `wake()`; False if `deadline` came first."""
        request = Request(step, enough)
        self._waiting.append(request)
        wake()
        answered = False
        try:
            answered = request.wait(deadline)
            return answered
        finally:  # whatever a signal handler raises: nothing is sent for those who do not wait any more
            if not answered and request in self._waiting:
                self._waiting.remove(request)

    def serve(self) -> None:
        """The sender's thread: take the step of the first one."""
        self._current = request = self._waiting.pop(0)
        try:
            request.step()
        finally:
            self._current = None
            request.done()

    def look_whether_it_is_enough(self) -> None:
        """The sender's thread, in the middle of a step: let go of those who need no more."""
        for request in (self._current, *self._waiting):
            if request is not None and request.enough():
                request.done()
