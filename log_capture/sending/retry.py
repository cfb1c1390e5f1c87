"""When to try again: backoff within a flush, and the circuit breaker between flushes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Backoff: the first wait is at most this long, and each further one at most twice as long as the one before, up to
#: the cap (choices: Firehose's throttling clears within tens of milliseconds, and an invocation has 2 s by default).
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 1.0

#: Breaker: seconds between probes, doubled after each that failed (the longest is part of the contract).
FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 30.0


def backoff(attempt: int, random: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 0): full jitter, `random` in [0, 1)."""
    return random * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 16))


class Breaker:
    """Open after a flush that failed: until it closes again, no invocation waits.

    Counts wall-clock time, so that after a freeze of minutes a probe is due at once. Used under the shipper's rules
    by one thread at a time; `is_open` may be read from any.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._clock = wall_clock
        self._interval = 0.0
        self._failed_at = 0.0
        self.is_open = False

    def failed(self) -> None:
        """A flush or a probe failed."""
        self._interval = min(LONGEST_PROBE_S, self._interval * 2 or FIRST_PROBE_S)
        self._failed_at = self._clock()
        self.is_open = True

    def succeeded(self) -> None:
        """Firehose took something."""
        self._interval = 0.0
        self.is_open = False

    @property
    def probe_due(self) -> bool:
        """Whether it is time to see if Firehose is back. A clock that was set back counts as due."""
        return self.is_open and not 0 <= self._clock() - self._failed_at < self._interval
