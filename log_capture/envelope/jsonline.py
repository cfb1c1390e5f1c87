"""Is this line a JSON object? Strict, so that what is embedded verbatim is valid for every reader. Pure.

Strict means: no NaN or Infinity, no key twice in one object (readers disagree which one counts), nothing
after the object, no more than `MAX_DEPTH` levels. The value is only looked at: what is sent is the text
itself, so that no number changes on its way.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: Deeper objects stay text; a choice, far below what the common readers refuse (CPython and Jackson: 1,000).
MAX_DEPTH = 100

_BLANKS = " \t\r\n"  # RFC 8259, section 2

#: A bracket, or a string, which may lack its end: so it never fails, and takes linear time on any text. Compiled
#: when first needed: compiling costs every cold start as much as importing this module.
_BRACKET_OR_STRING = r'(?s)[][{}]|"[^"\\]*(?:\\.[^"\\]*)*"?'


def parse(text: str) -> dict[str, Any] | None:
    """The object that this text is, or None if it is none. Blanks around it do not matter."""
    text = text.strip(_BLANKS)
    if text[:1] != "{" or text[-1:] != "}" or _too_deep(text):
        return None
    value: dict[str, Any]
    try:
        value, end = _strict.raw_decode(text)
    except JSONDecodeError:
        return None
    except ValueError:  # more digits than int() takes (sys.set_int_max_str_digits), but valid JSON
        try:
            value, end = _strict_integers_as_text.raw_decode(text)
        except ValueError:
            return None
    except (_NotStrict, RecursionError):
        return None
    return value if end == len(text) else None


class _NotStrict(Exception):
    """JSON that readers do not agree on."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _NotStrict
    return value


def _constant(_: str) -> NoReturn:
    raise _NotStrict


_strict = JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_strict_integers_as_text = JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=str)


def _too_deep(text: str) -> bool:
    """Told before decoding: the decoder recurses in C, and a function may have lifted the recursion limit."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in re.findall(_BRACKET_OR_STRING, text):
        if token in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token in "]}":
            depth -= 1
    return False
