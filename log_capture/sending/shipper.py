"""When to send: while an invocation runs, in its flush, at the end; and never while nothing runs.

Guarantees
----------
* One thread talks to the stream (`loop.py`); the function's threads only ever ask, and wait for a bounded time.
* It sends while an invocation runs, in a flush, or in the final drain; never while nothing runs, because the
  environment may be frozen then. `pause` returns only when no request is in flight any more.
* There is no wake-up per line: it looks once per linger, and is woken when a lot waits. Nor is there one per
  invocation: it wakes by the time that an earlier invocation set.
* What was not taken stays in its journal. Only what was refused is sent again.
"""

from __future__ import annotations

from _thread import get_ident
from time import monotonic, time

from .loop import NEVER, Loop
from .requests import never
from .sender import Sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .copies import Copying
    from .delivery import Delivery
    from .loop import Watch
    from .source import Source

#: How long an invocation waits for a probe of a stream that was down (a choice: a healthy one answers within tens of
#: ms).
PROBE_WAIT_S = 0.2
#: How long a fork waits for the thread to end (a choice: it is asleep, or it is in a request that takes far longer).
_HALT_S = 0.02
#: How long an exit waits for it (a choice: loading OpenSSL takes the longest; only a name lookup can exceed it).
_STOP_S = 1.0


def _nothing() -> None:
    """Where nothing is to be done."""


class Shipper:
    """Decides when `delivery` sends what the `sources` hold.

    `linger_s` is how long a line waits while an invocation runs, `patience_s` how long such a background request may
    take. `find_sources()` is called once, on the thread, and returns what dead processes left. On the thread, too:
    `gather()` brings in what waits outside the journals, `on_deadline()` is called shortly before an invocation's end.
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
        gather: Callable[[], None] = _nothing,
        on_deadline: Callable[[], None] = _nothing,
        copying: Copying | None = None,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._loop = Loop(begin=self._begin, next_at=self._next_at, turn=self._turn, failed=failed)
        self._sender = Sender(
            sources,
            delivery,
            find_sources=find_sources,
            pause=self._loop.pause,
            on_taken=self._loop.look_whether_it_is_enough,
            report=report,
            copying=copying,
            wall_clock=wall_clock,
        )
        self._breaker = self._sender.breaker
        self._linger_s = self._look_every_s = linger_s
        self._patience_s = patience_s
        self._gather = gather
        self._on_deadline = on_deadline
        self._running = False  # an invocation, or whatever else lines may be sent for
        self._look_at = 0.0  # monotonic seconds: when a line may have waited long enough
        self._warn_at = 0.0  # the same; 0: there is nothing to warn of
        self._send_until = 0.0  # the same; 0: no limit
        self._warms_up = self._sends_left = False  # what the thread does first
        self._not_waited_for = -1  # the number of the request that a fork has waited for in vain
        self.waited_s = 0.0  # what invocations waited for, in all

    # ---- any thread ------------------------------------------------------------------------------------------------

    @property
    def thread_id(self) -> int:
        """The thread's, 0 if there is none."""
        return self._loop.thread_id

    @property
    def running_thread(self) -> bool:
        """Whether there is a thread."""
        return self._loop.running

    @property
    def urgent(self) -> bool:
        """Whether something waits that an invocation's flush must deliver."""
        return self._sender.urgent

    @property
    def empty(self) -> bool:
        """Whether everything written so far was taken."""
        return self._sender.empty

    def taken(self) -> tuple[int, int]:
        """Lines and bytes that were taken so far."""
        return self._sender.taken()

    def start(self, *, warm_up: bool, send_left: bool = False, watch: Watch | None = None) -> None:
        """Start the thread if it does not run; with `warm_up` it makes the clients ready first.

        With `send_left` it sends at once if dead processes have left something, and goes on until `pause`.
        """
        if not self._loop.running:
            self._warms_up, self._sends_left = warm_up, send_left
            self._sender.has_looked = False
        self._loop.start(watch)

    def halt(self) -> bool:
        """End the thread, so that the process can fork as if it were not there; what wakes it next starts it again.

        False if it is sending and goes on. No request is waited for twice: a function may fork many times in one.
        """
        if self._sender.in_flight and self._not_waited_for == self._sender.calls:
            return False
        if self._loop.halt(_HALT_S):
            return True
        self._not_waited_for = self._sender.calls
        return False

    def after_fork(self) -> None:
        """In the parent: children may leave journals; the thread runs again if an invocation does."""
        self._sender.may_leave_more = True
        if self._running:
            self.nudge()

    def stop(self) -> None:
        """End the thread for good: the interpreter ends, and may crash if a thread is importing just then."""
        self._sender.give_up()
        self._loop.stop(_STOP_S)

    def close(self) -> None:
        """Let go of the pipe, once the thread has ended or in a forked child, which has none."""
        self._loop.close()

    def nudge(self) -> None:
        """Wake the thread, or start it again. Never blocks."""
        self._loop.wake()

    def resume(self, warn_at: float, send_until: float) -> None:
        """An invocation starts: from now on lines may be sent. Times are `monotonic` seconds, 0 for none."""
        self._warn_at = warn_at
        self._send_until = send_until
        self._look_every_s = self._linger_s
        eager = self._breaker.is_open or self._sender.dead_are_left  # a probe, or what a dead one left, can go at once
        self._look_at = 0.0 if eager else monotonic() + self._linger_s
        self._running = True
        if self._loop.wakes_at > self._next_at():
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

    def start_with_the_first_line(self) -> None:
        """In a forked child, whose thread the first `nudge` starts: it sends freely."""
        self.send_freely(at_once=False)
        self._loop.start_when_woken()

    def flush(self, deadline: float, enough: Callable[[], bool] = never) -> bool:
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
            answered = self._loop.ask(until, lambda: self._sender.probe(until))
        if answered and not self._breaker.is_open:
            answered = self._loop.ask(deadline, lambda: self._sender.send(deadline), enough)
        if not answered:
            self._sender.abort()
        self.waited_s += monotonic() - started
        return answered and self._sender.known_empty

    def pause(self, deadline: float) -> None:
        """The invocation is over: on return no request is in flight; none starts before `resume` or `flush`."""
        self._running = False
        self._warn_at = 0.0
        if self._sender.in_flight:
            started = monotonic()
            if self._breaker.is_open:
                deadline = min(deadline, started + PROBE_WAIT_S)
            if not self._sender.wait_until_idle(deadline - started):
                self._sender.abort()
            self.waited_s += monotonic() - started

    def drain(self, seconds: float) -> bool:
        """The process is about to end: send what is left within `seconds`, breaker or not. True if all was taken."""
        deadline = monotonic() + seconds
        if get_ident() == self.thread_id:
            return self._sender.send(deadline, everything=True)
        return self.empty or self._loop.ask(deadline, lambda: self._sender.send(deadline, everything=True))

    def deliver_left(self, seconds: float) -> None:
        """Wait until what dead processes left was taken, `seconds` at most."""
        deadline = monotonic() + seconds
        if not self._loop.ask(deadline, lambda: self._sender.send(deadline)):
            self._sender.abort()

    def prepare(self, seconds: float) -> None:
        """Have the clients made ready on the thread, without network; waits for it."""
        self._loop.ask(monotonic() + seconds, self._sender.warm_up)

    # ---- the thread ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        warms_up, sends_left = self._warms_up, self._sends_left
        self._warms_up = self._sends_left = False
        try:
            if warms_up:
                self._sender.warm_up()
            self._sender.adopt()
        finally:
            self._sender.has_looked = True
        if sends_left and self._sender.dead_are_left:
            self.send_freely()

    def _next_at(self) -> float:
        """When a line may have waited long enough, or the deadline is near."""
        if not self._running:
            return NEVER
        return min(self._look_at, self._warn_at) if self._warn_at else self._look_at

    def _turn(self) -> None:
        now = monotonic()
        if self._warn_at and now >= self._warn_at:
            self._warn_at = self._look_at = 0.0
            self._on_deadline()
        if now >= self._look_at:
            self._look_at = now + self._look_every_s
            self._gather()
            self._sender.try_once(self._patience_s, self._send_until, lambda: self._running)
