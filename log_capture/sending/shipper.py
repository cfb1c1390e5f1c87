"""The background thread that sends: when to try, what to try next, when to give up for now.

Guarantees
----------
* One thread talks to Firehose; the function's threads only ever set a request and wait for a bounded time.
* It sends while an invocation runs, in a flush, or in the final drain; never while nothing runs, because the
  environment may be frozen then. `pause` returns only when no request is in flight any more.
* It sleeps in `poll` on its pipe (and on one more file descriptor that the owner may add): with a timeout while an
  invocation runs, for ever otherwise. There is no wake-up per line: it looks once per linger, and is nudged when a
  lot waits. Nor is there one per invocation: it wakes by the timer that an earlier
  invocation armed.
* What Firehose did not take stays in its journal. Only what was refused is sent again.
"""

from __future__ import annotations

import posix
from _thread import allocate_lock, get_ident, start_new_thread
from select import POLLIN, poll
from time import monotonic, time

from ..process.own_fd import pipe
from ..process.own_threads import leave_signals_to_others
from ..process.signal_lock import SignalLock
from .delivery import MANY, Delivery
from .failures import REFUSED
from .retry import Breaker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .source import Source

    T = TypeVar("T")

#: How long an invocation waits for a probe of a Firehose that was down (a choice: a healthy one answers within tens
#: of ms).
PROBE_WAIT_S = 0.2
#: How long a fork waits for the thread to end (a choice: it is asleep, or it is in a request that takes far longer).
_HALT_S = 0.02
#: How long an exit waits for it (a choice: loading OpenSSL takes the longest; only a name lookup can exceed it).
_STOP_S = 1.0
#: How long to wait for a request that was aborted to notice.
_ABORT_S = 0.1
_NEVER = float("inf")


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


def _never() -> bool:
    return False


class Shipper:
    """Decides when `delivery` sends what the `sources` hold.

    `linger_s` is how long a line waits while an invocation runs, `patience_s` how long such a background request may
    take. `find_sources()` is called once, on the thread, and returns what dead processes left. `warm_up` says whether
    the clients are made ready on the thread at once; if not, `prepare` does it when it is called.
    """

    def __init__(
        self,
        sources: list[Source],
        delivery: Delivery,
        *,
        linger_s: float,
        patience_s: float,
        find_sources: Callable[[], list[Source]],
        failed: Callable[[BaseException], None],
        report: Callable[[str], None],
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._sources = sources
        self._delivery = delivery
        delivery.on_taken = self._some_was_taken
        self._linger_s = self._look_every_s = linger_s
        self._patience_s = patience_s
        self._find_sources = find_sources
        self._failed = failed
        self._report = report
        self._breaker = Breaker(wall_clock)
        self.on_start_again: Callable[[], None] | None = None
        self._watched: Callable[[], None] | None = None
        self._to_watch: Callable[[], int] | None = None
        self.on_deadline: Callable[[], None] | None = None
        self.before_look: Callable[[], None] | None = None  # brings in what waits outside the journals
        self._taken_lines = self._taken_bytes = 0  # of sources that are gone
        self.waited_s = 0.0  # what invocations waited for, in all
        self._wake, self._waker = pipe()
        self._poll = poll()
        self._poll.register(self._wake.fd, POLLIN)
        self._sending = SignalLock()  # held while a request may be in flight
        self._in_flight = False
        self._requests: list[Request] = []
        self._request: Request | None = None  # the one that the thread is at
        self._running = False
        self._warn_at = 0.0  # monotonic seconds; 0: there is nothing to warn of
        self._send_until = 0.0
        self._wakes_at = _NEVER  # when the thread wakes up by itself, at the latest
        self._called = False  # the watched file descriptor has become readable
        self.thread_id = 0
        self.running_thread = False
        self._halting = False
        self._not_waited_for = -1  # the number of the request that a fork has waited for in vain
        self._halted = allocate_lock()
        self._starting = SignalLock()
        self._piping = SignalLock()
        self.may_leave_more = False  # children were forked, whose journals may be left when they die
        self._reported: set[str] = set()

    # ---- any thread ----------------------------------------------------------------------------------------------

    def start(self, *, warm_up: bool, send_left: bool = False) -> None:
        """Start the thread if it does not run; with `warm_up` it makes the clients ready first.

        With `send_left` it sends at once if dead processes have left something, and goes on until `pause`.
        """
        if self.running_thread:  # a forked worker has written something before it was made ready
            self.nudge()
            return
        self._halting = False
        self._halted = allocate_lock()
        self._halted.acquire()
        started: list[int] = []
        try:
            self.running_thread = True
            # The list is filled from C: it tells, whatever a signal handler raises, whether there is a thread.
            started.extend(map(start_new_thread, (self._run,), ((warm_up, send_left),)))
        finally:
            self.running_thread = bool(started)

    def halt(self) -> bool:
        """End the thread, so that the process can fork as if it were not there; the next `nudge` starts it again.

        False if it is sending and goes on. No request is waited for twice: a function may fork many times in one.
        """
        if self._in_flight and self._not_waited_for == self._delivery.calls:
            return False
        if self._end_thread(_HALT_S):
            return True
        self._not_waited_for = self._delivery.calls
        self._halting = False
        return False

    def after_fork(self) -> None:
        """In the parent: children may leave journals; the thread runs again if an invocation does."""
        self.may_leave_more = True
        if self._running:
            self.nudge()

    def stop(self) -> None:
        """End the thread for good: the interpreter ends, and may crash if a thread is importing just then."""
        self.on_start_again = None
        self._delivery.abort()
        self._end_thread(_STOP_S)

    def close(self) -> None:
        """Let go of the pipe, once the thread has ended or in a forked child, which has none."""
        self._wake.close()
        self._waker.close()

    def _end_thread(self, seconds: float) -> bool:
        self._halting = True
        if self.running_thread:
            self.nudge()
            return self._halted.acquire(True, seconds)
        return True

    def watch(self, descriptor: Callable[[], int], call: Callable[[], None]) -> None:
        """Before `start`: have the thread call `call` when a descriptor becomes readable, soon even if it is sending.

        `descriptor()` gives it, another one if the last was closed by the function.
        """
        self._watched, self._to_watch = call, descriptor
        self._poll.register(descriptor(), POLLIN)

    def nudge(self) -> None:
        """Wake the thread, or start it again. Never blocks: if the pipe is full it is awake already."""
        if not self.running_thread and self.on_start_again is not None:
            self._start_again()
        if not self._waker.mine:
            self._piping.hold(self._see_that_pipes_are_there)
        try:
            posix.write(self._waker.fd, b"\0")
        except OSError:
            pass

    def _see_that_pipes_are_there(self) -> None:
        """The function may have closed what is slept on, and opened other files under these numbers."""
        if not (self._wake.mine and self._waker.mine):
            self.close()
            self._wake, self._waker = pipe()
        anew = poll()
        anew.register(self._wake.fd, POLLIN)
        if self._to_watch is not None:
            anew.register(self._to_watch(), POLLIN)
        self._poll = anew

    def _start_again(self) -> None:
        if not self._starting.mine:
            self._starting.hold(self._start_if_it_does_not_run)

    def _start_if_it_does_not_run(self) -> None:
        if not self.running_thread and self.on_start_again is not None:
            self.start(warm_up=False)
            self.on_start_again()

    @property
    def urgent(self) -> bool:
        """Whether something waits that an invocation's flush must deliver."""
        if self.may_leave_more:
            return True
        for source in self._sources:  # noqa: SIM110 - each invocation asks twice, and a generator costs more than the answer
            if source.urgent:
                return True
        return False

    @property
    def empty(self) -> bool:
        """Whether everything written so far was taken."""
        return not self.may_leave_more and all(source.empty for source in self._sources)

    def taken(self) -> tuple[int, int]:
        """Lines and bytes that Firehose took so far."""
        lines, size = self._taken_lines, self._taken_bytes
        for source in self._sources:
            lines += source.lines
            size += source.bytes
        return lines, size

    def resume(self, warn_at: float, send_until: float) -> None:
        """An invocation starts: from now on lines may be sent. Times are `monotonic` seconds, 0 for none."""
        self._warn_at = warn_at
        self._send_until = send_until
        self._look_every_s = self._linger_s
        eager = self._breaker.is_open or len(self._sources) > 1  # a probe, or what a dead process left, can go at once
        self._look_at = 0.0 if eager else monotonic() + self._linger_s
        self._running = True
        if self._wakes_at > self._next_look():
            self.nudge()

    def hurry(self) -> None:
        """A lot waits: do not let it linger. Called under the journal's lock, by any thread."""
        self._look_at = 0.0
        self.nudge()

    def send_freely(self, linger_s: float | None = None, *, at_once: bool = True) -> None:
        """Send whatever comes from now on, without an invocation; `linger_s` holds until the next one starts."""
        self._look_every_s = self._linger_s if linger_s is None else linger_s
        self._look_at = 0.0 if at_once else monotonic() + self._look_every_s
        self._send_until = 0.0
        self._running = True

    def flush(self, deadline: float, enough: Callable[[], bool] = _never) -> bool:
        """Wait until everything written so far was taken, or `deadline` (monotonic). True if it was.

        It may wait no longer than until `enough()`, which is asked after each call that took something; sending goes
        on. While the breaker is open this waits for a probe at most, and only when one is due; for more if that
        succeeds.
        """
        if self.empty:
            return True
        started = monotonic()
        if deadline <= started or (self._breaker.is_open and not self._breaker.probe_due):
            return False
        answered = True
        if self._breaker.is_open:
            until = min(deadline, started + PROBE_WAIT_S)
            answered = self._ask(until, lambda: self._probe(until))
        if answered and not self._breaker.is_open:
            answered = self._ask(deadline, lambda: self._send(deadline), enough)
        if not answered:
            self._abort()
        self.waited_s += monotonic() - started
        return answered and all(source.empty for source in self._sources)

    def pause(self, deadline: float) -> None:
        """The invocation is over: on return no request is in flight; none starts before `resume` or `flush`."""
        self._running = False
        self._warn_at = 0.0
        if self._in_flight:
            started = monotonic()
            if self._breaker.is_open:
                deadline = min(deadline, started + PROBE_WAIT_S)
            if not self._sending.wait(deadline - started):
                self._abort()
            self.waited_s += monotonic() - started

    def drain(self, seconds: float) -> bool:
        """The process is about to end: send what is left within `seconds`, breaker or not. True if all was taken."""
        deadline = monotonic() + seconds
        if get_ident() == self.thread_id:
            return self._send(deadline, everything=True)
        return self.empty or self._ask(deadline, lambda: self._send(deadline, everything=True))

    def deliver_left(self, seconds: float) -> None:
        """Wait until what dead processes left was taken, `seconds` at most."""
        deadline = monotonic() + seconds
        if not self._ask(deadline, lambda: self._send(deadline)):
            self._abort()

    def prepare(self, seconds: float) -> None:
        """Have the clients made ready on the thread, without network; waits for it."""
        self._ask(monotonic() + seconds, self._delivery.warm_up)

    def _ask(self, deadline: float, step: Callable[[], object], enough: Callable[[], bool] = _never) -> bool:
        """Have the thread take a step and wait for it; False if `deadline` came first."""
        request = Request(step, enough)
        self._requests.append(request)
        self.nudge()
        answered = False
        try:
            answered = request.wait(deadline)
            return answered
        finally:  # whatever a signal handler raises: nothing is sent for those who do not wait any more
            if not answered and request in self._requests:
                self._requests.remove(request)

    def _abort(self) -> None:
        """Make the request in flight fail, and wait until it has."""
        self._delivery.abort()
        self._sending.wait(_ABORT_S)

    # ---- the thread ----------------------------------------------------------------------------------------------

    def _run(self, warm_up: bool, send_left: bool) -> None:
        self.thread_id = get_ident()
        try:
            leave_signals_to_others()
            if warm_up:
                self._delivery.warm_up()
            self._adopt()
            if send_left and len(self._sources) > 1:
                self.send_freely()
        except Exception as error:  # noqa: BLE001 - what was to be made ready fails again, and is reported, when it is used
            self._failed(error)
        while not self._halting:
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - the thread must live: the next flush tries again
                self._failed(error)
        self._wakes_at = _NEVER
        self.thread_id, self.running_thread = 0, False
        self._halted.release()

    def _turn(self) -> None:
        """Sleep until there is something to do, then do it."""
        self._sleep(self._until_next_look())
        watched = self._watched
        if self._called and watched is not None:
            self._called = False
            watched()
        if self._requests:
            self._request = request = self._requests.pop(0)
            try:
                request.step()
            finally:
                self._request = None
                request.done()
        elif self._running:
            now = monotonic()
            if self._warn_at and now >= self._warn_at:
                self._warn_at = self._look_at = 0.0
                warn = self.on_deadline
                if warn is not None:
                    warn()
            if now >= self._look_at:
                self._look_at = now + self._look_every_s
                self._look()

    def _until_next_look(self) -> float | None:
        """Seconds to sleep; None for ever."""
        if self._requests or self._called:
            return 0.0
        # Never, to begin with: who changes what is read below then either does so in time, or sees this and nudges.
        self._wakes_at = _NEVER
        if not self._running:
            return None
        self._wakes_at = at = self._next_look()
        return max(0.0, at - monotonic())

    def _next_look(self) -> float:
        """When a line may have waited long enough, or the deadline is near."""
        return min(self._look_at, self._warn_at) if self._warn_at else self._look_at

    def _sleep(self, seconds: float | None) -> None:
        """Sleep until woken; notes whether the watched file descriptor was the reason."""
        for fd, happened in self._poll.poll(None if seconds is None else seconds * 1000):
            if happened != POLLIN or not (self._wake.mine and self._waker.mine):
                self._piping.hold(self._see_that_pipes_are_there)
            elif fd == self._wake.fd:
                posix.read(fd, 4096)
            elif self._to_watch is not None and self._to_watch() == fd:
                self._called = True
            else:  # what has the number of the watched one now is the function's
                self._piping.hold(self._see_that_pipes_are_there)

    def _sleep_between_tries(self, seconds: float) -> None:
        """Sleep through wake-ups, but not through what is watched."""
        until = monotonic() + seconds
        while not self._called and (left := until - monotonic()) > 0:
            self._sleep(left)

    def _some_was_taken(self) -> None:
        """There is more room in a journal: for some that may be enough."""
        for request in (self._request, *self._requests):
            if request is not None and request.enough():
                request.done()

    def _send(self, deadline: float, *, everything: bool = False) -> bool:
        """What a waiting function asked for, or the final drain."""

        def send() -> bool:
            sent = self._ship(deadline, everything=everything)
            if sent:
                self._breaker.succeeded()
            elif self._delivery.error is not None and not self._delivery.only_slow:  # not just too much for the time
                self._open_breaker()
            return sent

        return self._exclusively(send)  # also while the breaker is set: who waits for it to be idle must find it so

    def _exclusively(self, step: Callable[[], T]) -> T:
        """Take a step in which requests are in flight."""
        self._in_flight = True
        try:
            return self._sending.hold(step)
        finally:
            self._in_flight = False

    def _look(self) -> None:
        """Send what waits while the function runs and nobody waits for it; one try, the rest is for the next look."""
        gather = self.before_look
        if gather is not None:
            gather()
        was_open = self._breaker.is_open
        if self.empty or (was_open and not self._breaker.probe_due):
            return
        self._exclusively(lambda: self._look_at_all(was_open))

    def _look_at_all(self, was_open: bool) -> None:
        if self._running:  # else the function paused us in the meantime
            until = monotonic() + self._patience_s
            until = min(until, self._send_until or until)
            if (not was_open or self._is_back(until)) and self._ship(until, tries=1):
                self._breaker.succeeded()

    def _probe(self, deadline: float) -> None:
        self._exclusively(lambda: self._is_back(deadline))

    def _is_back(self, deadline: float) -> bool:
        """See if Firehose takes something again; sets the breaker."""
        back = self._delivery.send(self._sources, deadline, self._sleep_between_tries, tries=1, probe=True)
        if back:
            self._breaker.succeeded()
        else:
            self._open_breaker()
        return back

    def _ship(self, deadline: float, *, tries: int = MANY, everything: bool = False) -> bool:
        """Send all sources, the dead processes' first, and let go of those that are finished."""
        if self.may_leave_more:
            self._adopt()
        sent = self._delivery.send(
            self._sources, deadline, self._sleep_between_tries, tries=tries, everything=everything
        )
        for source in list(self._sources):
            if source.discard is not None and source.empty:
                self._sources.remove(source)
                self._taken_lines += source.lines
                self._taken_bytes += source.bytes
                source.discard()
        return sent

    def _adopt(self) -> None:
        """Put what dead processes left in front of what is ours."""
        self._sources[:0] = self._find_sources()

    def _open_breaker(self) -> None:
        self._breaker.failed()
        error = self._delivery.error
        if error is None:
            return
        trouble = error.code if error.kind == REFUSED else error.kind  # each refusal has a remedy of its own
        if trouble not in self._reported:
            self._reported.add(trouble)
            self._report(f"{error.message}; {error.remedy}; lines wait in the journal meanwhile")
