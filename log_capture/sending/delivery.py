"""Getting records into a stream: what is sent again, what is given up, and which stream is tried next.

Only the sender's thread comes here. The clock, the pause between tries and the random numbers are handed in.
"""

from __future__ import annotations

from os import urandom
from time import monotonic

from .failures import INVALID, REFUSED, STALE, THROTTLED, PutError
from .retry import backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..envelope.pack import Record
    from .client import Client
    from .copies import Copies
    from .source import Source

#: What Firehose answers for a record that it may take next time (API reference, PutRecordBatchResponseEntry).
_TRANSIENT = frozenset(("ServiceUnavailableException", "InternalFailure"))


#: As many tries in a row as there is time for.
MANY = 1 << 30


class Target:
    """One delivery stream and the client that reaches it."""

    __slots__ = ("client", "proven", "stream")

    def __init__(self, stream: str, client: Client) -> None:
        self.stream = stream
        self.client = client
        self.proven = False  # it has taken a record, so a record that it never takes is at fault itself


def _nothing() -> None:
    """Nobody waits for what is taken."""


def _random() -> float:
    """From the kernel: restored snapshots and forked children must not all wait for the same time."""
    return int.from_bytes(urandom(4), "little") / (1 << 32)


class Delivery:
    """Sends to one of `targets`, at first to any, and turns to the next one when that fails.

    `random()` gives a number in [0, 1). After a `send` that failed `error` says why, if it was not just too slow.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        report: Callable[[str], None],
        clock: Callable[[], float] = monotonic,
        random: Callable[[], float] = _random,
    ) -> None:
        self.targets = list(targets)
        self.calls = 0
        self.retries = 0
        self.error: PutError | None = None
        self._some_taken = False  # by the newest `send`
        self._clock = clock
        self._random = random
        self._begin_anywhere()
        self._report = report
        self._aborted = False
        self._replaced: set[tuple[str, str]] = set()  # the stream and why it was left for another, each said once

    @property
    def only_slow(self) -> bool:
        """Whether the newest `send` left something because it was throttled, though some of it was taken."""
        return self._some_taken and self.error is not None and self.error.kind == THROTTLED

    def warm_up(self) -> None:
        """Make the clients ready, without network."""
        for target in self.targets:
            target.client.warm_up()

    def forget(self) -> None:
        """Drop connections and credentials that another process, or the same one before a snapshot, made."""
        for target in self.targets:
            target.client.forget()
        self._begin_anywhere()

    def abort(self) -> None:
        """Any thread: make the request in flight fail, and `send` return."""
        self._aborted = True
        for target in self.targets:
            target.client.abort()

    def send(
        self,
        sources: Iterable[Source | Copies],
        deadline: float,
        pause: Callable[[float], None],
        *,
        tries: int = MANY,
        probe: bool = False,
        everything: bool = False,
        on_taken: Callable[[], None] = _nothing,
    ) -> bool:
        """Send what is there now, in order; False if some of it is left when time or tries in a row are used up.

        `deadline` is in `clock` seconds; `pause(seconds)` sleeps between tries. `probe`: only the oldest record of each
        source, to see if Firehose is back: a whole call may take a small function longer than a probe may last.
        `everything`: also what is written meanwhile. `on_taken()` is called whenever something was taken.
        """
        self._aborted = self._some_taken = False
        self.error = None
        sources = list(sources)
        for source in sources:
            source.aim(everything=everything)
        return all(self._empty(source, deadline, pause, tries, probe, on_taken) for source in sources)

    def _empty(
        self,
        source: Source | Copies,
        deadline: float,
        pause: Callable[[float], None],
        tries: int,
        probe: bool,
        on_taken: Callable[[], None],
    ) -> bool:
        failed = 0
        untried = len(self.targets) - 1
        until = self._share(deadline, untried)
        while batch := source.batch():
            if self._aborted or self._clock() >= deadline:
                return False
            if probe:
                batch = batch[:1]
            target = self.targets[0]
            try:
                codes = self._call(target, batch, until)
            except PutError as error:
                self.error = error
                if error.kind == INVALID and probe:
                    probe = False  # it may be this one record's fault
                    continue
                if error.kind == INVALID and (
                    self._without_the_culprits(source, batch, deadline)
                    or source.widen()  # all of it refused, by a stream that never took anything: try what is behind
                ):
                    continue
                if error.kind == STALE and not failed:
                    failed, self.retries = 1, self.retries + 1
                    continue  # the connection had died in its sleep: a fresh one, at once
                hopeless = error.kind in (REFUSED, INVALID)
            else:
                if self._settle(source, batch, codes):
                    self._some_taken = True
                    failed, until = 0, self._share(deadline, untried)
                    on_taken()
                if not any(codes):
                    self.error = None
                    if probe:
                        return True
                    continue
                hopeless = False
            failed += 1
            wait = backoff(failed - 1, self._random())
            if hopeless or failed >= tries or self._clock() + wait >= until or self._aborted:
                if hopeless and untried:
                    self._say_replaced(target.stream)
                self._turn_to_the_next()
                if not untried or self._clock() >= deadline or self._aborted:
                    return False
                untried -= 1
                failed, until = 0, self._share(deadline, untried)
                continue
            self.retries += 1
            pause(wait)
        return True

    def _share(self, deadline: float, untried: int) -> float:
        """Until when the first target may be tried: while others are untried, for its share of the time only."""
        now = self._clock()
        return now + (deadline - now) / (untried + 1)

    def _call(self, target: Target, batch: Sequence[Record], deadline: float) -> list[str | None]:
        """One request."""
        self.calls += 1
        codes = target.client.put(target.stream, [data for data, _ in batch], deadline)
        if None in codes:
            target.proven = True
        return codes

    def _settle(self, source: Source | Copies, batch: Sequence[Record], codes: Sequence[str | None]) -> bool:
        """Note what was taken; True if anything was. A record that will never be taken is given up."""
        taken = [code is None for code in codes]
        if not all(taken):
            refused, first = next(code for code in codes if code is not None), self.targets[0]
            self.error = first.client.refusal(refused, first.stream)
            if self.targets[0].proven:
                for index, code in enumerate(codes):
                    if code is not None and code not in _TRANSIENT:
                        taken[index] = True
                        self._give_up(source, batch[index], code)
        source.settle(taken)
        return any(taken)

    def _begin_anywhere(self) -> None:
        """A fleet spreads over its streams."""
        first = int(self._random() * len(self.targets))
        self.targets = self.targets[first:] + self.targets[:first]

    def _say_replaced(self, stream: str) -> None:
        error = self.error
        if error is not None and (stream, error.code) not in self._replaced:
            self._replaced.add((stream, error.code))
            self._report(f"{error.message}; {error.remedy}; the next stream is tried meanwhile")

    def _turn_to_the_next(self) -> None:
        self.targets.append(self.targets.pop(0))

    # ---- a batch that Firehose refuses as a whole, for what is in it ------------------------------------------------

    def _without_the_culprits(self, source: Source | Copies, batch: Sequence[Record], deadline: float) -> bool:
        """Send the batch in halves, down to single records; give up those refused alone. False if none was settled."""
        target = self.targets[0]
        guilty: dict[int, str] = {}
        taken: set[int] = set()
        work = [range(len(batch))]
        while work:
            part = work.pop()
            if len(part) == len(batch) > 1:
                work += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            if len(batch) > 1:
                try:
                    codes = self._call(target, [batch[index] for index in part], deadline)
                except PutError as error:
                    if error.kind != INVALID:
                        self.error = error
                        break
                    if len(part) > 1:
                        work += [part[len(part) // 2 :], part[: len(part) // 2]]
                    else:
                        guilty[part[0]] = error.code
                else:
                    taken.update(index for index, code in zip(part, codes, strict=True) if code is None)
            elif self.error is not None:
                guilty[0] = self.error.code
        if not taken and not target.proven and "InvalidArgumentException" in guilty.values():
            return False  # it may well be the stream that takes nothing
        for index, code in guilty.items():
            self._give_up(source, batch[index], code)
        source.settle([index in taken or index in guilty for index in range(len(batch))])
        return bool(taken or guilty)

    def _give_up(self, source: Source | Copies, record: Record, code: str) -> None:
        data, lines = record
        source.note_given_up(record, code)
        self._report(
            f"Firehose will never take a record of {len(data):,} bytes with {lines} lines ({code}): it is given up, "
            "and a platform.logsDropped record says so where it is missing"
        )
