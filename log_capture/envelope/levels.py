"""Levels of lines: one set of names, where a line may carry one, and their order. Pure.

The names are those of Lambda's advanced logging controls without their abbreviations: TRACE, DEBUG, INFO,
WARNING, ERROR, CRITICAL. Any other name (``NOTICE``, loguru's ``SUCCESS``) is kept in upper case; it has no
rank, so no minimum level hides it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Rank by name, lowest first: the numbers of the standard library's logging, and 5 for TRACE (loguru's).
RANKS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}

_SYNONYMS = {"WARN": "WARNING", "FATAL": "CRITICAL", "ERR": "ERROR", "CRIT": "CRITICAL"}

#: A number is the standard library's, since this is Python: pino and bunyan (30 = info) write from Node.js.
_NUMBERS = {rank: name for name, rank in RANKS.items()}

#: Keys that name the level of a JSON line, the first one present wins: structlog and Powertools, Google
#: Cloud, python-json-logger, and the Elastic Common Schema.
_KEYS = ("level", "severity", "levelname", "log_level", "log.level")

#: Longer values are no level names, whatever the key says; a choice.
_MAX_NAME_CHARS = 32


def normalised(name: str) -> str:
    """The level's name in upper case and without abbreviations: ``warn`` is ``WARNING``."""
    if name in RANKS:  # as most write it
        return name
    upper = name.strip().upper()
    return _SYNONYMS.get(upper, upper)


def level_of_record(record: Mapping[str, object]) -> str | None:
    """The level that a JSON line names, or None; also loguru's ``{"record": {"level": {"name": ...}}}``."""
    for key in _KEYS:
        if key in record:
            return _level(record[key])
    nested = record.get("record")
    return _level(nested.get("level")) if isinstance(nested, dict) else None


def level_of_text(text: str) -> str | None:
    """The level at the front of a line in Lambda's text format, or None.

    ``[INFO]\\t2026-...`` is how the runtime formats logging, ``[ERROR] ValueError: ...`` an unhandled error.
    """
    if text[:1] != "[":
        return None
    end = text.find("]", 1, _MAX_NAME_CHARS)
    if end < 0 or text[end + 1 : end + 2] not in ("\t", " "):
        return None
    name = normalised(text[1:end])
    return name if name in RANKS else None


def _level(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, str):
        return normalised(value) or None if len(value) <= _MAX_NAME_CHARS else None
    return _NUMBERS.get(value) if type(value) is int else None
