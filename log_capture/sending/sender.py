"""The sending itself: which sources there are, one request at a time, and the breaker after failures."""

from __future__ import annotations

from time import monotonic, time

from ..process.signal_lock import SignalLock
from .delivery import MANY, Delivery
from .failures import REFUSED
from .retry import Breaker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .copies import Copying
    from .source import Source

    T = TypeVar("T")

#: How long to wait for a request that was aborted to notice.
_ABORT_S = 0.1


def _always() -> bool:
    return True


class Sender:
    """Sends what the `sources` hold by `delivery`; one thread sends, others ask.

    `find_sources()` returns what dead processes left since it was last called. `pause(seconds)` sleeps between tries;
    `on_taken()` is called when something was taken. `report` tells the user a line. `copying` sends to a second stream.
    """

    def __init__(
        self,
        sources: list[Source],
        delivery: Delivery,
        *,
        find_sources: Callable[[], list[Source]],
        pause: Callable[[float], None],
        on_taken: Callable[[], None],
        report: Callable[[str], None],
        copying: Copying | None = None,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._copying = copying
        self._is_aborted = False  # what is being sent
        self._sources = sources
        self._delivery = delivery
        self._find_sources = find_sources
        self._pause = pause
        self._on_taken = on_taken
        self._report = report
        self.breaker = Breaker(wall_clock)
        self.may_leave_more = False  # children were forked, whose journals may be left when they die
        self.has_looked = True  # for what dead processes left before this one began
        self.in_flight = False  # a request may be
        self._sending = SignalLock()  # held while one may be
        self._taken_lines = self._taken_bytes = 0  # of sources that are gone
        self._reported: set[str] = set()

    # ---- any thread ------------------------------------------------------------------------------------------------

    @property
    def urgent(self) -> bool:
        """Whether something waits that an invocation's flush must deliver."""
        if self.may_leave_more or not self.has_looked:
            return True
        for source in self._sources:  # noqa: SIM110 - each invocation asks twice, and a generator costs more than the answer
            if source.urgent:
                return True
        return False

    @property
    def empty(self) -> bool:
        """Whether everything written so far was taken."""
        return not self.may_leave_more and self.has_looked and self.known_empty

    @property
    def known_empty(self) -> bool:
        """The same of the sources that are known."""
        return all(source.empty for source in self._sources)

    @property
    def dead_are_left(self) -> bool:
        """Whether a dead process's source waits."""
        return len(self._sources) > 1

    @property
    def calls(self) -> int:
        """Requests made so far."""
        return self._delivery.calls

    def taken(self) -> tuple[int, int]:
        """Lines and bytes that were taken so far."""
        lines, size = self._taken_lines, self._taken_bytes
        for source in self._sources:
            lines += source.lines
            size += source.bytes
        return lines, size

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no request is in flight; False if that takes longer than `seconds`."""
        return self._sending.wait(seconds)

    def abort(self) -> None:
        """Make the request in flight fail, and wait until it has."""
        self.give_up()
        self._sending.wait(_ABORT_S)

    def give_up(self) -> None:
        """Make the request in flight fail, without waiting, and none follow it."""
        self._is_aborted = True
        self._delivery.abort()
        if self._copying is not None:
            self._copying.abort()

    # ---- the thread that sends -------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Make the clients ready, without network."""
        self._delivery.warm_up()
        if self._copying is not None:
            self._copying.warm_up()

    def adopt(self) -> None:
        """Put what dead processes left in front of what is ours."""
        self._sources[:0] = self._find_sources()

    def send(self, deadline: float, *, everything: bool = False) -> bool:
        """Send what is there, as often as there is time for until `deadline` (monotonic), breaker or not.

        `everything`: also what is written meanwhile. False if something is left.
        """

        def step() -> bool:
            sent = self._send_all(deadline, MANY, everything)
            if sent:
                self.breaker.succeeded()
            elif self._delivery.error is not None and not self._delivery.only_slow:  # not just too much for the time
                self._open_breaker()
            return sent

        return self._exclusively(step)  # also while the breaker is set: who waits for it to be idle must find it so

    def try_once(self, patience_s: float, until: float, may_still: Callable[[], bool]) -> None:
        """Send what waits while nobody waits for it: one try, the rest is for the next; if the breaker lets it.

        It may take `patience_s`, and no longer than `until` (monotonic, 0 for no limit). `may_still()` is asked last.
        """
        was_open = self.breaker.is_open
        if self.empty or (was_open and not self.breaker.probe_due):
            return

        def step() -> None:
            if may_still():
                deadline = monotonic() + patience_s
                deadline = min(deadline, until or deadline)
                if (not was_open or self._is_back(deadline)) and self._send_all(deadline, 1, False, may_still):
                    self.breaker.succeeded()

        self._exclusively(step)

    def probe(self, deadline: float) -> None:
        """See if something is taken again; sets the breaker."""
        self._exclusively(lambda: self._is_back(deadline))

    def _exclusively(self, step: Callable[[], T]) -> T:
        """Take a step in which requests are in flight."""
        self.in_flight = True
        self._is_aborted = False
        try:
            return self._sending.hold(step)
        finally:
            self.in_flight = False

    def _is_back(self, deadline: float) -> bool:
        back = self._deliver(deadline, tries=1, probe=True)
        if back:
            self.breaker.succeeded()
        else:
            self._open_breaker()
        return back

    def _send_all(self, deadline: float, tries: int, everything: bool, may_still: Callable[[], bool] = _always) -> bool:
        """Send all sources, the dead processes' first, and let go of those that are finished."""
        if self.may_leave_more:
            self.adopt()
        sent = self._deliver(deadline, tries=tries, everything=everything)
        for source in list(self._sources):
            if source.discard is not None and source.empty:
                self._sources.remove(source)
                self._taken_lines += source.lines
                self._taken_bytes += source.bytes
                source.discard()
        if self._copying is not None and not self._is_aborted and may_still():
            self._copying.send(deadline, self._pause)
        return sent

    def _deliver(self, deadline: float, *, tries: int, probe: bool = False, everything: bool = False) -> bool:
        return self._delivery.send(
            self._sources,
            deadline,
            self._pause,
            tries=tries,
            probe=probe,
            everything=everything,
            on_taken=self._on_taken,
        )

    def _open_breaker(self) -> None:
        self.breaker.failed()
        error = self._delivery.error
        if error is None:
            return
        trouble = error.code if error.kind == REFUSED else error.kind  # each refusal has a remedy of its own
        if trouble not in self._reported:
            self._reported.add(trouble)
            self._report(f"{error.message}; {error.remedy}; lines wait in the journal meanwhile")
