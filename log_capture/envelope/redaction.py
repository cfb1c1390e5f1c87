"""What in a line is replaced before it is sent: patterns (`FIRETEE_REDACT`) and secret keys. Pure."""

from __future__ import annotations

import re
from itertools import chain, islice
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring

from .automaton import TooComplexError
from .secret_keys import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .patterns import Pattern
    from .secret_keys import SecretKeys

    Span = tuple[int, int]
    #: From where to where, and what stands there instead.
    Change = tuple[int, int, str]

#: The scalars of a valid JSON text: strings (keys too), numbers, literals. Compiled only where something is redacted.
_SCALAR = r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*|true|false|null'


class Replacing:
    """A pattern, and what stands where it matches: `text`, or with `template` what `re` makes of the match and that."""

    __slots__ = ("pattern", "template", "text")

    def __init__(self, pattern: Pattern, text: str = MASK, template: str | None = None) -> None:
        self.pattern = pattern
        self.text = text
        self.template = template

    def changes(self, text: str) -> list[Change]:
        """What is replaced, in order. Raises `TooComplexError`."""
        if self.template is not None:
            return [(*match.span(), match.expand(self.template)) for match in self.pattern.matches(text)]  # type: ignore[union-attr]
        return [(start, end, self.text) for start, end in self.pattern.spans(text)]


class Redaction:
    """One thread may use it. The secret keys' values go first, then what the patterns match of the rest."""

    def __init__(self, patterns: Sequence[Replacing] = (), keys: SecretKeys | None = None) -> None:
        self._patterns = patterns
        self._keys = keys
        self._scalars = re.compile(_SCALAR)

    def __bool__(self) -> bool:
        return bool(self._patterns) or self._keys is not None

    def redacted(self, text: str, is_object: bool) -> str:
        """The text with each match of each pattern replaced; the same object if there is none.

        In a JSON object each scalar is searched by itself, decoded, and then the text as a whole, so that
        ``"password": *"[^"]*"`` works as well as ``^[0-9]{16}$`` on a value. What is left is valid JSON: a
        number or literal with a match becomes a string, and a match that reaches across scalars makes ``***`` of
        each of them. (Two keys of one object may then be equal, so that it is sent as text.) Matches that overlap
        are one, and ``***``.
        """
        if self._keys is not None:
            text = self._keys.hidden(text, is_object)
        if not self._patterns:
            return text
        return self._redacted_object(text) if is_object else self._redacted_text(text)

    def _redacted_text(self, text: str) -> str:
        changes = self._changes(text)
        return _replaced(text, changes) if changes else text

    def _redacted_object(self, text: str) -> str:
        """Scalar by scalar; the matches in the whole text and the scalars are both in order."""
        changes = self._changes(text)
        pieces: list[str] = []
        position = at = 0
        for match in self._scalars.finditer(text):
            first, last = match.span()
            while at < len(changes) and changes[at][1] <= first:
                at += 1
            here = []
            for start, end, instead in islice(changes, at, None):
                if start >= last:
                    break
                here.append((start - first, end - first, instead))
            masked = self._redacted_scalar(match[0], here)
            if masked is not None:
                pieces += (text[position:first], encode_basestring(masked))
                position = last
        return "".join((*pieces, text[position:])) if pieces else text

    def _redacted_scalar(self, scalar: str, outer: list[Change]) -> str | None:
        """What is left of its value, or None if all is; `outer` is what is matched of it in the whole text."""
        value = scanstring(scalar, 1)[0] if scalar[0] == '"' else scalar
        changes = self._changes(value)
        if outer:
            inner = _in_value(scalar, [(start, end) for start, end, _ in outer])
            if inner is None:
                return MASK
            instead = (text for _, _, text in outer)
            changes = _merged(changes + [(*span, text) for span, text in zip(inner, instead, strict=True)])
        return _replaced(value, changes) if changes else None

    def _changes(self, text: str) -> list[Change]:
        """What all patterns change in the text, in order; where they overlap it is one change."""
        found: list[Change] = []
        for pattern in self._patterns:
            try:
                found += pattern.changes(text)
            except TooComplexError:
                return [(0, len(text), MASK)]
        return found if len(self._patterns) == 1 else _merged(found)


def _merged(changes: list[Change]) -> list[Change]:
    merged: list[Change] = []
    for change in sorted(set(changes)):
        start, end, _ = change
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), MASK)  # none of them may show what another hides
        else:
            merged.append(change)
    return merged


def _replaced(text: str, changes: list[Change]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end, instead in changes:
        pieces += (text[position:start], instead)
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
