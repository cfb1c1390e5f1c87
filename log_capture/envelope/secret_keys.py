"""Values of secret keys (`FIRETEE_REDACT_KEYS`), in JSON objects and in text like ``password=...``. Pure.

What is hidden errs towards too much: nothing says where a value without quotes ends.

* In a JSON object, the value of each key of that name, at any depth: whatever it is, it becomes ``"***"``. Strings in
  it, other keys too, are searched as text.
* In text, what follows the name, a ``=`` or ``:`` between them: a value in quotes (of Python, of JSON, of JSON in a
  string of JSON) or brackets to its end; after ``=`` a word, up to a blank or one of ``,;&``, and the rest of the line
  if it begins with a scheme of HTTP authorization; after ``:`` the rest of the line.

A name matches in any case, and as a whole: ``password`` is not found in ``password_hint`` or ``old-password``. Every
way through a text is straight on, so that the time is in proportion to its length.
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What stands where something was redacted.
MASK = "***"

_TOKEN = r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+'
_OPENING = r"[bBrRuUfF]{0,2}(\\*)([\"'])"
_WORD = r"[^\s,;&]*"
#: https://www.iana.org/assignments/http-authschemes/ and what AWS signs with.
_SCHEME = (
    r"(?i:AWS4-HMAC-SHA256|Basic|Bearer|Digest|DPoP|GNAP|HOBA|Mutual|Negotiate|OAuth|PrivateToken|SCRAM-SHA-\d+|Token|"
    r"vapid)[ \t]"
)
_CLOSING = {"{": "}", "[": "]", "(": ")"}


class SecretKeys:
    """`names` as the user wrote them; at least one. One thread may use it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower() for name in names)
        alternatives = "|".join(sorted(map(re.escape, self._names), key=len, reverse=True))
        self._key = re.compile(
            rf"(?<!\w)(?<![A-Za-z0-9]-)(?:{alternatives})(?![\w-])(?:\\*[\"'])?\]?\s*(=>|==?|:=?)\s*", re.IGNORECASE
        )
        self._tokens = re.compile(_TOKEN)
        self._opening = re.compile(_OPENING)
        self._word = re.compile(_WORD)
        self._scheme = re.compile(_SCHEME)

    def hidden(self, text: str, is_object: bool) -> str:
        """The text with each value replaced by ``***``; the same object if there is none."""
        lowered = text.lower()
        if not any(name in lowered for name in self._names) and not (is_object and "\\u" in text):
            return text
        return self._hidden_in_object(text) if is_object else self._hidden_in_text(text)

    # ---- JSON --------------------------------------------------------------------------------------------------------

    def _hidden_in_object(self, text: str) -> str:
        """`text` is valid JSON, so that a string before a colon is a key."""
        pieces: list[str] = []
        position = 0
        tokens = list(self._tokens.finditer(text))
        index = 0
        while index < len(tokens):
            token = tokens[index]
            index += 1
            if token[0][0] != '"':
                continue
            value = scanstring(token[0], 1)[0]
            is_key = index < len(tokens) and tokens[index][0] == ":"
            if is_key and value.lower() in self._names:
                last = self._end_of_value(tokens, index + 1)
                start, end, shown = tokens[index + 1].start(), tokens[last].end(), MASK
                index = last + 1
            else:
                shown = self._hidden_in_text(value)
                if shown is value:
                    continue
                start, end = token.span()
            pieces += (text[position:start], encode_basestring(shown))
            position = end
        return "".join((*pieces, text[position:])) if pieces else text

    @staticmethod
    def _end_of_value(tokens: list[re.Match[str]], index: int) -> int:
        """The last token of the value that begins with this one."""
        depth = 0
        while True:
            token = tokens[index][0]
            depth += (token in "{[") - (token in "}]")
            if depth == 0:
                return index
            index += 1

    # ---- text --------------------------------------------------------------------------------------------------------

    def _hidden_in_text(self, text: str) -> str:
        pieces: list[str] = []
        position = 0
        for start, end in self._values(text):
            pieces += (text[position:start], MASK)
            position = end
        return "".join((*pieces, text[position:])) if pieces else text

    def _values(self, text: str) -> Iterator[tuple[int, int]]:
        """Where values are, without the quotes around them."""
        position = 0
        while (key := self._key.search(text, position)) is not None:
            start = key.end()
            quote = self._opening.match(text, start)
            if quote is not None and not quote[1] and text.startswith(quote[2] * 3, quote.start(2)):
                start = quote.end() + 2
                end = text.find(quote[2] * 3, start)
                end = end if end >= 0 else len(text)
            elif quote is not None:
                start = quote.end()
                end = _closing_quote(text, start, quote[2], len(quote[1]))
            elif text[start : start + 1] in _CLOSING:
                end = _closing_bracket(text, start)
            elif key[1].startswith(":") or self._scheme.match(text, start):
                end = _end_of_line(text, start)
            else:
                end = self._word.match(text, start).end()  # type: ignore[union-attr]  # it matches nothing, too
            if end > start:
                yield start, end
            position = max(end, key.end())


def _closing_quote(text: str, start: int, quote: str, escapes: int) -> int:
    """The place of the quote that ends a value, its own backslashes before it; the text's end if there is none.

    `escapes`: how many backslashes the opening one had: 0, 1, 3, 7, ... for each level of escaping. A quote inside the
    value has twice as many and one.
    """
    at = text.find(quote, start)
    while at >= 0:
        before = at
        while before > start and text[before - 1] == "\\":
            before -= 1
        if (at - before) % (2 * escapes + 2) == escapes:
            return at - escapes
        at = text.find(quote, at + 1)
    return len(text)


def _closing_bracket(text: str, start: int) -> int:
    """Behind the bracket that ends a value; those in quotes do not count. The text's end if there is none."""
    opening, closing = text[start], _CLOSING[text[start]]
    depth = 0
    quote = ""
    escaped = False
    for at in range(start, len(text)):
        character = text[at]
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def _end_of_line(text: str, start: int) -> int:
    found = text.find("\n", start)
    return found if found >= 0 else len(text)
