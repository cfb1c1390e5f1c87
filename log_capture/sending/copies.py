"""What also goes to a second stream (`FIRETEE_STREAM_ERRORS`): in memory, for it is a copy.

The lines themselves are in the journal until the first stream has taken them. So a second stream that fails holds up
nothing: its lines wait here for the next try, the oldest give way where they are too many, and a crash loses those that
were not sent yet. Used by the sender's thread alone.
"""

from __future__ import annotations

from time import monotonic, time

from ..envelope.pack import batches
from .failures import REFUSED
from .retry import Breaker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..envelope.pack import Packer, Record
    from .delivery import Delivery

#: How often a batch of copies is tried within one flush (a choice: an invocation waits for it).
_TRIES = 2
#: How long a probe may last (a choice, as for the first stream: an invocation waits for it).
_PROBE_S = 0.2
#: How many bytes of copies wait at most (a choice: a call of PutRecordBatch takes as many).
WAITING_BYTES = 4 << 20


class Copies:
    """Copies of lines, as a source of a `Delivery`. `report` tells the user a line."""

    def __init__(self, packer: Packer, report: Callable[[str], None], waiting_bytes: int = WAITING_BYTES) -> None:
        self._packer = packer
        self._report = report
        self._waiting_bytes = waiting_bytes
        self._records: list[Record] = []
        self._has_said = False

    @property
    def empty(self) -> bool:
        """Whether none waits."""
        return not self._records

    def add(self, elements: list[bytes]) -> None:
        """More rendered lines."""
        self._records += self._packer.pack(elements)
        excess = sum(len(data) for data, _ in self._records) - self._waiting_bytes
        while excess > 0:
            data, _ = self._records.pop(0)
            excess -= len(data)
            if not self._has_said:
                self._has_said = True
                self._report(
                    "FIRETEE_STREAM_ERRORS does not take what it is sent, and some of it is left out there; it is in "
                    "FIRETEE_STREAM all the same"
                )

    # ---- as `Source` -------------------------------------------------------------------------------------------------

    def aim(self, *, everything: bool) -> None:
        """There is no more than what is here."""

    def batch(self) -> Sequence[Record]:
        """See `Source.batch`."""
        return batches(self._records)[0] if self._records else ()

    def widen(self) -> bool:
        """There is no more."""
        return False

    def settle(self, done: Sequence[bool]) -> None:
        """See `Source.settle`."""
        self._records[: len(done)] = [
            record for record, is_done in zip(self._records, done, strict=False) if not is_done
        ]

    def note_given_up(self, record: Record, code: str) -> None:
        """It is in the first stream: nothing is missing."""


class Copying:
    """Sends copies by a `Delivery` of their own, with a breaker of their own, after the lines themselves."""

    def __init__(
        self,
        copies: Copies,
        delivery: Delivery,
        *,
        report: Callable[[str], None],
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self.copies = copies
        self._delivery = delivery
        self._report = report
        self._breaker = Breaker(wall_clock)
        self._reported: set[str] = set()

    def send(self, deadline: float, pause: Callable[[float], None]) -> None:
        """Send what waits until `deadline` (monotonic), unless the stream did not take anything lately."""
        breaker = self._breaker
        if self.copies.empty or monotonic() >= deadline or (breaker.is_open and not breaker.probe_due):
            return
        if breaker.is_open:
            until = min(deadline, monotonic() + _PROBE_S)
            if not self._delivery.send([self.copies], until, pause, tries=1, probe=True):
                self._failed()
                return
            breaker.succeeded()
        if not self._delivery.send([self.copies], deadline, pause, tries=_TRIES):
            self._failed()

    def _failed(self) -> None:
        error = self._delivery.error
        if error is None or self._delivery.only_slow:
            return
        self._breaker.failed()
        trouble = error.code if error.kind == REFUSED else error.kind
        if trouble not in self._reported:
            self._reported.add(trouble)
            self._report(f"FIRETEE_STREAM_ERRORS: {error.message}; {error.remedy}; the lines are in FIRETEE_STREAM")

    def warm_up(self) -> None:
        """Make its clients ready, without network."""
        self._delivery.warm_up()

    def abort(self) -> None:
        """Any thread: make the request in flight fail."""
        self._delivery.abort()

    def forget(self) -> None:
        """Drop connections and credentials that another process, or the same one before a snapshot, made."""
        self._delivery.forget()
