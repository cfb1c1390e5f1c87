"""What the runtime client writes in its text format, taken apart. Pure.

A line of `logging`, ``[INFO]\t2026-11-23T13:50:32.480Z\t<request id>\tmessage``, has what the envelope says anyway in
front of its message (awslambdaric/bootstrap.py, `_setup_logging`). An uncaught error is a type, a message and a stack
(the same file, `log_error`). Only what came in a frame, from the runtime itself, is given to these functions.
"""

from __future__ import annotations

from json.encoder import encode_basestring

from .levels import RANKS, normalised

#: The lines of a stack begin like this; the runtime may make the spaces unbreakable.
_INDENTED = (" ", "\u00a0")
_STACK = "\nTraceback (most recent call last):"


def message_of(text: str, level: str | None, context: str, seconds: tuple[str, str]) -> tuple[str, str] | None:
    """Message and level of a line of `logging`; None if this is none, or one that says more than the envelope will.

    `level` is the frame's, `context` the envelope's fragment with the ids, and `seconds` are the envelope's time and
    the second before it, up to the second: a record that waited longer, in a queue, keeps its own time in its text.
    """
    name, tab, rest = text.partition("]\t")
    when, _, rest = rest.partition("\t")
    request_id, last, message = rest.partition("\t")
    if text[:1] != "[" or not tab or not last or when[-1:] != "Z" or when[19:20] != "." or when[:19] not in seconds:
        return None
    if request_id and f'"requestId":"{request_id}"' not in context:
        return None
    own = name[1:]
    if own == level:
        return message, own
    own = normalised(own)
    if level is not None and own != level and own in RANKS:
        return None
    return message, own


def error_of(text: str) -> str | None:
    """An uncaught error as a JSON object, ``{"errorType", "errorMessage", "stackTrace": [...], "text"}``; else None."""
    if not text.startswith("[ERROR] "):
        return None
    said, found, stack = text[8:].rpartition(_STACK)
    kind, _, message = said.partition(": ")
    lines = stack.split("\n")[1:]
    if not found or not kind.replace(".", "").isidentifier() or not all(line.startswith(_INDENTED) for line in lines):
        return None
    entries: list[str] = []
    for line in lines:
        if line.lstrip(" \u00a0").startswith('File "') or not entries:
            entries.append(line)
        else:
            entries[-1] += "\n" + line
    quoted = ",".join(map(encode_basestring, entries))
    return (
        f'{{"errorType":{encode_basestring(kind)},"errorMessage":{encode_basestring(message)},'
        f'"stackTrace":[{quoted}],"text":{encode_basestring(text)}}}'
    )
