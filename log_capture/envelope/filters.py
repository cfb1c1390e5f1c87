"""Which lines are sent, and what in them is not: minimum level, include, exclude, redact. Pure.

The order: level, include, exclude, redact; so include and exclude see the text as it was written. All of it
comes before a line is split into parts, so that no secret is cut in two and missed.

Only what somebody wrote is filtered (types ``function`` and ``extension``); platform events always pass.
"""

from __future__ import annotations

from .automaton import TooComplexError
from .levels import RANKS, normalised
from .patterns import compile_patterns, compile_replacements
from .redaction import Redaction
from .secret_keys import SecretKeys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .patterns import Pattern


class Filters:
    """Decides about one line at a time; the sender's thread only (automata grow as they are used).

    A pattern that a text proves too complex for (`TooComplexError`) errs towards keeping the line and hiding
    its text: include counts as found, exclude as not found, and redact hides the whole text.
    """

    def __init__(
        self,
        *,
        min_level: str | None = None,
        include: Sequence[Pattern] = (),
        exclude: Sequence[Pattern] = (),
        redaction: Redaction | None = None,
    ) -> None:
        """Patterns as `compile_patterns` makes them. An unknown `min_level` hides nothing."""
        self._min_rank = RANKS.get(normalised(min_level), 0) if min_level else 0
        self._include = include
        self._exclude = exclude
        self._redaction = redaction

    @classmethod
    def compile(
        cls,
        *,
        min_level: str | None,
        include: str | None,
        exclude: str | None,
        redact: str | None,
        redact_keys: Sequence[str] = (),
    ) -> tuple[Filters | None, list[str]]:
        """From the settings of these names (see `split_patterns`): None if they hide nothing; and problems.

        Each problem is one line naming the variable, the pattern and the error. What a refused pattern should
        have redacted is not given away: every text is then sent as ``***``.
        """
        included, problems = compile_patterns("FIRETEE_INCLUDE", include)
        excluded, more = compile_patterns("FIRETEE_EXCLUDE", exclude)
        replacements, most = compile_replacements("FIRETEE_REDACT", redact)
        redaction = Redaction(replacements, SecretKeys(redact_keys) if redact_keys else None)
        filters = cls(min_level=min_level, include=included, exclude=excluded, redaction=redaction)
        idle = not (filters._min_rank or included or excluded or redaction)
        return None if idle else filters, problems + more + most

    def wants(self, text: str, level: str | None) -> bool:
        """Whether a line with this text and level is sent. A level that is unknown, or has no rank, passes."""
        if level is not None and RANKS.get(level, self._min_rank) < self._min_rank:
            return False
        if self._include and not any(_found(pattern, text, in_doubt=True) for pattern in self._include):
            return False
        return not any(_found(pattern, text, in_doubt=False) for pattern in self._exclude)

    def redacted(self, text: str, is_object: bool) -> str:
        """See `Redaction.redacted`."""
        return self._redaction.redacted(text, is_object) if self._redaction else text


def _found(pattern: Pattern, text: str, *, in_doubt: bool) -> bool:
    try:
        return pattern.found(text)
    except TooComplexError:
        return in_doubt
