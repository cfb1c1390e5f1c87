"""The sender's thread: it sleeps until it is woken or a time has come, does what is due, and sleeps again."""

from __future__ import annotations

from _thread import allocate_lock, get_ident, start_new_thread
from time import monotonic

from ..process.own_threads import leave_signals_to_others
from ..process.signal_lock import SignalLock
from .requests import Requests, never
from .waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = float("inf")


class Watch:
    """A descriptor that the thread watches: `called()` is called on it when that becomes readable, soon even while it
    sends. `descriptor()` gives it, and `listen()` is called by whoever has started the thread again after a fork.
    """

    __slots__ = ("called", "descriptor", "listen")

    def __init__(self, descriptor: Callable[[], int], called: Callable[[], None], listen: Callable[[], object]) -> None:
        self.descriptor = descriptor
        self.called = called
        self.listen = listen


class Loop:
    """A thread, or the place of one.

    On the thread `begin()` comes first; then, again and again, `turn()` when `next_at()` (monotonic seconds, `NEVER`
    for none) has come, or what was asked for. What they raise goes to `failed`. It sleeps in `poll`: without a time
    while nothing runs, for the environment may be frozen then.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], None],
        next_at: Callable[[], float],
        turn: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._begin = begin
        self._next_at = next_at
        self._turn = turn
        self._failed = failed
        self._waker = Waker()
        self._requests = Requests()
        self._watch: Watch | None = None
        self._called = False  # what is watched has become readable
        self.wakes_at = NEVER  # when the thread wakes up by itself, at the latest
        self.thread_id = 0
        self.running = False
        self._may_start = False  # whether `wake` starts a thread where there is none
        self._starting = SignalLock()
        self._halting = False
        self._halted = allocate_lock()

    # ---- any thread ------------------------------------------------------------------------------------------------

    def start(self, watch: Watch | None = None) -> None:
        """Start the thread, or wake the one that runs."""
        self._may_start = True
        if watch is not None:
            self._watch = watch
            self._waker.watch(watch.descriptor)
        if self.running:  # a forked worker has written something before it was made ready
            self.wake()
        else:
            self._start()

    def start_when_woken(self) -> None:
        """The first `wake` starts the thread."""
        self._may_start = True

    def wake(self) -> None:
        """Wake the thread, or start it again. Never blocks."""
        if not self.running and self._may_start and not self._starting.mine:
            self._starting.hold(self._start_again)
        self._waker.wake()

    def ask(self, deadline: float, step: Callable[[], object], enough: Callable[[], bool] = never) -> bool:
        """Have the thread take a step and wait for it; False if `deadline` came first. See `Request`."""
        return self._requests.ask(deadline, step, enough, self.wake)

    def halt(self, seconds: float) -> bool:
        """End the thread until the next `wake`; False if it goes on, for it has not ended within `seconds`."""
        if self._end(seconds):
            return True
        self._halting = False
        return False

    def stop(self, seconds: float) -> None:
        """End the thread for good."""
        self._may_start = False
        self._end(seconds)

    def close(self) -> None:
        """Let go of the pipe, once the thread has ended or in a forked child, which has none."""
        self._waker.close()

    def _start(self) -> None:
        self._halting = False
        self._halted = allocate_lock()
        self._halted.acquire()
        started: list[int] = []
        try:
            self.running = True
            # The list is filled from C: it tells, whatever a signal handler raises, whether there is a thread.
            started.extend(map(start_new_thread, (self._run,), ((),)))
        finally:
            self.running = bool(started)

    def _start_again(self) -> None:
        if not self.running and self._may_start:
            self._start()
            if self._watch is not None:
                self._watch.listen()

    def _end(self, seconds: float) -> bool:
        self._halting = True
        if self.running:
            self.wake()
            return self._halted.acquire(True, seconds)
        return True

    # ---- the thread ------------------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        """Sleep through wake-ups, but not through what is watched."""
        until = monotonic() + seconds
        while not self._called and (left := until - monotonic()) > 0:
            self._sleep(left)

    def look_whether_it_is_enough(self) -> None:
        """In the middle of a step: some may have waited for what has happened."""
        self._requests.look_whether_it_is_enough()

    def _run(self) -> None:
        self.thread_id = get_ident()
        try:
            leave_signals_to_others()
            self._begin()
        except Exception as error:  # noqa: BLE001 - what was to be made ready fails again, and is reported, when it is used
            self._failed(error)
        while not self._halting:
            try:
                self._sleep(self._until_next())
                self._do_what_is_due()
            except Exception as error:  # noqa: BLE001 - the thread must live: the next flush tries again
                self._failed(error)
        self.wakes_at = NEVER
        self.thread_id, self.running = 0, False
        self._halted.release()

    def _do_what_is_due(self) -> None:
        if self._called and self._watch is not None:
            self._called = False
            self._watch.called()
        if self._requests:
            self._requests.serve()
        elif monotonic() >= self._next_at():
            self._turn()

    def _until_next(self) -> float | None:
        """Seconds to sleep; None for ever."""
        if self._requests or self._called:
            return 0.0
        # Never, to begin with: who changes what is read below then either does so in time, or sees this and wakes us.
        self.wakes_at = NEVER
        at = self._next_at()
        if at == NEVER:
            return None
        self.wakes_at = at
        return max(0.0, at - monotonic())

    def _sleep(self, seconds: float | None) -> None:
        if self._waker.sleep(seconds):
            self._called = True
