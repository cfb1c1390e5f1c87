"""Lines that wait until it is known what their invocation was worth (`FIRETEE_HOLD`, `FIRETEE_RELEASE`). Pure.

Lines of an invocation that are held come out at its outcome, an entry of the journal, in the order in which they were
written, or not at all; all others pass as they come. Whether they come out depends on nothing but the entries since the
outcome before, so that the same journal gives the same lines with the same numbers, also to the next process after a
crash. What has no outcome when a journal ends is released: its process died.
"""

from __future__ import annotations

from binascii import crc32

from .jsonline import parse
from .levels import RANKS, level_of_record, level_of_text
from .lines import OUTCOME
from .render import has_metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .lines import Line

_REPORT = "platform.report"
_FIRETEE = '"firetee":{'

#: Outcomes that are none of an invocation, and always release: the journal is half full; a snapshot is taken; the
#: process ends between two invocations.
EARLY, SNAPSHOT, END = "early", "snapshot", "end"
#: From here on nothing is held: a forked child, which has no invocations.
UNHELD = "unheld"


class Outcome:
    """How an invocation ended. `status`: success, error or timeout, or one of those above. `sampled`: the trace's
    flag, None without a trace. `level`: the highest that was written before an early release.
    """

    __slots__ = ("cold", "duration_ms", "level", "request_id", "sampled", "status")

    def __init__(
        self,
        status: str,
        *,
        duration_ms: float = 0.0,
        cold: bool = False,
        sampled: bool | None = None,
        request_id: str = "",
        level: str = "",
    ) -> None:
        self.status = status
        self.duration_ms = duration_ms
        self.cold = cold
        self.sampled = sampled
        self.request_id = request_id
        self.level = level

    def entry(self) -> bytes:
        """As an entry of the journal, of the kind `EVENT`: its type, and the fields."""
        sampled = "" if self.sampled is None else str(int(self.sampled))
        fields = self.status, f"{self.duration_ms:.3f}", str(int(self.cold)), sampled, self.request_id, self.level
        return "\0".join((OUTCOME, *fields)).encode()

    @classmethod
    def unpacked(cls, text: str) -> Outcome:
        """From the fields of an entry, as they are there."""
        status, duration_ms, cold, sampled, request_id, level = text.split("\0")
        return cls(
            status,
            duration_ms=float(duration_ms),
            cold=cold == "1",
            sampled=sampled == "1" if sampled else None,
            request_id=request_id,
            level=level,
        )


class Rules:
    """Which lines are held, and what releases them.

    `below`: the level that a held line is below, None if none is held for its level; `unlevelled`: whether those
    without a level are. `release` has ``error``, ``timeout``, ``crash``, ``cold``, ``sampled``, ``slow:MS``,
    ``level:NAME`` and ``sample:SHARE``, each as its name and its value.
    """

    __slots__ = ("_below", "_release", "_unlevelled")

    def __init__(self, below: str | None, unlevelled: bool, release: Iterable[tuple[str, str]]) -> None:
        self._below = RANKS[below] if below else 0
        self._unlevelled = unlevelled
        self._release = tuple(release)

    def holds(self, level: str | None) -> bool:
        """Whether a line of this level waits. A level that has no rank is known, and not lower than any."""
        if level is None:
            return self._unlevelled
        return RANKS.get(level, 99) < self._below

    def reason(self, outcome: Outcome, highest: int) -> str | None:
        """What releases an invocation's lines, the first of the rules; None if nothing does.

        `highest`: the rank of its highest line.
        """
        if outcome.status in (EARLY, SNAPSHOT, END):
            return outcome.status
        for rule, value in self._release:
            if (
                (rule in ("error", "timeout") and outcome.status == rule)
                or (rule == "cold" and outcome.cold)
                or (rule == "sampled" and outcome.sampled)
                or (rule == "slow" and outcome.duration_ms >= float(value))
                or (rule == "level" and highest >= RANKS[value])
                or (rule == "sample" and _is_in_sample(outcome, float(value)))
            ):
                return f"{rule}:{value}" if value else rule
        return None

    @property
    def crash(self) -> bool:
        """Whether what a dead process had not decided is sent."""
        return any(rule == "crash" for rule, _ in self._release)


def _is_in_sample(outcome: Outcome, share: float) -> bool:
    """As the trace is, so that logs and traces go together; else by the request's id, so that retries agree."""
    if outcome.sampled is not None:
        return outcome.sampled
    return crc32(outcome.request_id.encode()) < share * (1 << 32)


class Holding:
    """Sifts the lines of one journal, in order; one thread may use it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._held: list[Line] = []
        self._bytes = 0
        self._highest = 0  # rank, since the last outcome of an invocation
        self._noted = 0  # what of that an early release has noted in the journal
        self._off = False
        self.released_early = False  # by the newest outcome
        self._told = (0, 0, "")  # lines, bytes and reason, for the next report

    @property
    def waits(self) -> bool:
        """Whether what the next outcome means depends on entries that were read already."""
        return bool(self._held) or self._highest > self._noted

    def early(self) -> bytes:
        """What to note in a journal that is half full: it releases what waits, and tells the highest level so far."""
        level = next((name for name, rank in RANKS.items() if rank == self._highest), "")
        return Outcome(EARLY, level=level).entry()

    def release(self) -> list[Line]:
        """The same where the journal has no room for a note."""
        lines, size, before = self._told
        self._told = (lines + len(self._held), size + self._bytes, before or EARLY)
        held, self._held, self._bytes, self._noted = self._held, [], 0, self._highest
        return held

    def sift(self, lines: Iterable[Line], *, delivered: bool = False) -> list[Line]:
        """The lines to send now, the released ones among them.

        `delivered`: those that are not held were sent by a process that is dead, so that none is to be sent now.
        """
        out: list[Line] = []
        for line in lines:
            kind = line[1]
            if kind == OUTCOME:
                self._decide(line[4], out)
            elif kind == _REPORT:
                out.append(self._with_what_was_held(line))
            elif kind != "function" or self._off:
                out.append(line)
            elif self._is_held(line):
                self._held.append(line)
                self._bytes += len(line[4])
            else:
                out.append(line)
        return [] if delivered else out

    def released(self) -> list[Line]:
        """All that waits: the journal has ended without an outcome."""
        held = self._held if self._rules.crash else []
        self._held, self._bytes, self._highest, self._noted = [], 0, 0, 0
        return held

    def _is_held(self, line: Line) -> bool:
        _, _, stream, level, text, _ = line
        record = parse(text) if text[:1] in "{ \t\r\n" else None
        if record is not None:
            if "_aws" in record and has_metrics(record["_aws"]):
                return False  # it may be routed by its type, and is no log
            level = level_of_record(record) or level
        elif level is None and stream == "log":
            level = level_of_text(text)
        if level is not None:
            self._highest = max(self._highest, RANKS.get(level, 0))
        return self._rules.holds(level)

    def _decide(self, packed: str, out: list[Line]) -> None:
        outcome = Outcome.unpacked(packed)
        if outcome.status == UNHELD:
            self._off = True
            return
        noted = RANKS.get(outcome.level, 0)
        reason = self._rules.reason(outcome, max(self._highest, noted))
        lines, size, before = self._told
        reasons = before if before and reason == EARLY else ",".join(filter(None, (before, reason)))
        self._told = (lines + len(self._held), size + self._bytes, reasons)
        if reason is not None:
            out += self._held
        self._held, self._bytes = [], 0
        self._noted = noted
        self.released_early = outcome.status == EARLY
        self._highest = max(self._highest, noted) if outcome.status == EARLY else 0

    def _with_what_was_held(self, line: Line) -> Line:
        """The report says how much was held, and why it was released."""
        lines, size, reason = self._told
        self._told = (0, 0, "")
        released = f'"{reason}"' if reason else "null"
        told = f'{_FIRETEE}"heldLines":{lines},"heldBytes":{size},"released":{released},'
        time_us, kind, stream, level, text, context = line
        return time_us, kind, stream, level, text.replace(_FIRETEE, told, 1), context
