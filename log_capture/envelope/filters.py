"""Which lines are sent, and what in them is not: minimum level, include, exclude, redact. Pure.

The order: level, include, exclude, redact; so include and exclude see the text as it was written. All of it
comes before a line is split into parts, so that no secret is cut in two and missed.

Only what somebody wrote is filtered (types ``function`` and ``extension``); platform events always pass.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring

from .automaton import TooComplexError
from .levels import RANKS, normalised
from .patterns import compile_patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .patterns import Pattern

    Span = tuple[int, int]

#: What stands where something was redacted.
MASK = "***"

#: The scalars of a valid JSON text: strings (keys too), numbers, literals. Compiled only where something is redacted.
_SCALAR = r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*|true|false|null'


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
        redact: Sequence[Pattern] = (),
    ) -> None:
        """Patterns as `compile_patterns` makes them. An unknown `min_level` hides nothing."""
        self._min_rank = RANKS.get(normalised(min_level), 0) if min_level else 0
        self._include = include
        self._exclude = exclude
        self._redact = redact
        if redact:
            self._scalars = re.compile(_SCALAR)

    @classmethod
    def compile(
        cls, *, min_level: str | None, include: str | None, exclude: str | None, redact: str | None
    ) -> tuple[Filters | None, list[str]]:
        """From the settings of these names (see `split_patterns`): None if they hide nothing; and problems.

        Each problem is one line naming the variable, the pattern and the error. What a refused pattern should
        have redacted is not given away: every text is then sent as ``***``.
        """
        included, problems = compile_patterns("FIRETEE_INCLUDE", include)
        excluded, more = compile_patterns("FIRETEE_EXCLUDE", exclude)
        redacted, most = compile_patterns("FIRETEE_REDACT", redact, withhold=True)
        filters = cls(min_level=min_level, include=included, exclude=excluded, redact=redacted)
        idle = not (filters._min_rank or included or excluded or redacted)
        return None if idle else filters, problems + more + most

    def wants(self, text: str, level: str | None) -> bool:
        """Whether a line with this text and level is sent. A level that is unknown, or has no rank, passes."""
        if level is not None and RANKS.get(level, self._min_rank) < self._min_rank:
            return False
        if self._include and not any(_found(pattern, text, in_doubt=True) for pattern in self._include):
            return False
        return not any(_found(pattern, text, in_doubt=False) for pattern in self._exclude)

    def redacted(self, text: str, is_object: bool) -> str:
        """The text with each match of each pattern replaced by ``***``; the same object if there is none.

        In a JSON object each scalar is searched by itself, decoded, and then the text as a whole, so that
        ``"password": *"[^"]*"`` works as well as ``^[0-9]{16}$`` on a value. What is left is valid JSON: a
        number or literal with a match becomes a string, and a match that reaches across scalars hides each of
        them. (Two keys of one object may then be equal, so that it is sent as text.)
        """
        if not self._redact:
            return text
        return self._redacted_object(text) if is_object else self._redacted_text(text)

    def _redacted_text(self, text: str) -> str:
        spans = self._spans(text)
        return _masked(text, spans) if spans else text

    def _redacted_object(self, text: str) -> str:
        """Scalar by scalar; the matches in the whole text and the scalars are both in order."""
        spans = self._spans(text)
        pieces: list[str] = []
        position = at = 0
        for match in self._scalars.finditer(text):
            first, last = match.span()
            while at < len(spans) and spans[at][1] <= first:
                at += 1
            here = []
            for start, end in islice(spans, at, None):
                if start >= last:
                    break
                here.append((start - first, end - first))
            masked = self._redacted_scalar(match[0], here)
            if masked is not None:
                pieces += (text[position:first], encode_basestring(masked))
                position = last
        return "".join((*pieces, text[position:])) if pieces else text

    def _redacted_scalar(self, scalar: str, outer: list[Span]) -> str | None:
        """What is left of its value, or None if all is; `outer` is what is matched of it in the whole text."""
        value = scanstring(scalar, 1)[0] if scalar[0] == '"' else scalar
        spans = self._spans(value)
        if outer:
            inner = _in_value(scalar, outer)
            if inner is None:
                return MASK
            spans = _merged(spans + inner)
        return _masked(value, spans) if spans else None

    def _spans(self, text: str) -> list[Span]:
        """What all patterns match in the text, in order; matches that overlap are one."""
        found: list[Span] = []
        for pattern in self._redact:
            try:
                found += pattern.spans(text)
            except TooComplexError:
                return [(0, len(text))]
        return found if len(self._redact) == 1 else _merged(found)


def _found(pattern: Pattern, text: str, *, in_doubt: bool) -> bool:
    try:
        return pattern.found(text)
    except TooComplexError:
        return in_doubt


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _masked(text: str, spans: list[Span]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        pieces += (text[position:start], MASK)
        position = end
    return "".join((*pieces, text[position:]))


def _in_value(scalar: str, spans: list[Span]) -> list[Span] | None:
    """Places in a scalar as it is spelled to places in its value; None if one is not within the value."""
    if scalar[0] != '"':
        return spans if spans[0][0] >= 0 and spans[-1][1] <= len(scalar) else None
    if spans[0][0] < 1 or spans[-1][1] >= len(scalar):
        return None
    offsets = []
    position, offset = 1, 0
    for place in chain.from_iterable(spans):
        try:
            offset += len(scanstring(f'"{scalar[position:place]}"', 1)[0])
        except ValueError:  # inside an escape
            return None
        offsets.append(offset)
        position = place
    return list(zip(offsets[::2], offsets[1::2], strict=True))
