"""Delivered lines: what they say, and which of them are asked for. Pure."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from firetee.cloud.errors import WrongUsage

_GZIP = b"\x1f\x8b"
_LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Line:
    """One delivered line. `envelope` is None for a line that is no JSON object (`FIRETEE_FORMAT=text`)."""

    text: str
    envelope: dict[str, Any] | None

    def get(self, field: str) -> str:
        """A field of the envelope as text; empty where it is absent."""
        value = (self.envelope or {}).get(field, "")
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    @property
    def identity(self) -> tuple[str, str] | None:
        """`(environment, seq)`, which tells a line that was delivered twice; None if it has none."""
        if self.envelope is None or "seq" not in self.envelope:
            return None
        return self.get("environment"), self.get("seq")


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for; None and empty mean any. `since` and `until` are aware times."""

    function: str = ""
    request_id: str = ""
    min_level: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    pattern: re.Pattern[str] | None = None

    def takes(self, line: Line) -> bool:
        """Whether the line is asked for. A line without an envelope has no fields: it passes where none is wanted."""
        if self.pattern is not None and not self._is_found(line):
            return False
        if line.envelope is None:
            return not (self.function or self.request_id or self.min_level or self.kind)
        if self.function and line.get("function") != self.function:
            return False
        if self.request_id and not line.get("requestId").startswith(self.request_id):
            return False
        if self.kind and not line.get("type").startswith(self.kind):
            return False
        if self.min_level and _LEVELS.get(line.get("level"), -1) < _LEVELS[self.min_level]:
            return False
        return self._in_time(line.get("time"))

    def _is_found(self, line: Line) -> bool:
        """Whether the pattern is found in the line as it was delivered, or in its record as it was written (in JSON,
        an umlaut is an escape)."""
        assert self.pattern is not None
        if self.pattern.search(line.text):
            return True
        return line.envelope is not None and self.pattern.search(line.get("record")) is not None

    def _in_time(self, text: str) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            return True
        return not ((self.since and time < self.since) or (self.until and time > self.until))


def read_lines(content: bytes) -> Iterator[Line]:
    """The lines of a delivered object: plain, or gzip in one member or many."""
    for text in unpacked(content).decode("utf-8", "replace").split("\n"):
        if text:
            yield line(text)


def unpacked(content: bytes) -> bytes:
    """The text of an object: plain, gzip in one member or many, both by turns (functions that share a stream need not
    agree), or what was gzip already and was compressed once more by the stream."""
    if _GZIP not in content:
        return content
    found = []
    while content:
        if content.startswith(_GZIP):
            member = zlib.decompressobj(wbits=31)
            found.append(unpacked(member.decompress(content)))
            content = member.unused_data
        else:
            end = content.find(b"\n" + _GZIP) + 1 or len(content)
            found.append(content[:end])
            content = content[end:]
    return b"".join(found)


def line(text: str) -> Line:
    """A line from its text."""
    return Line(text, _envelope(text))


def _envelope(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "type" in value and "record" in value else None


class Once:
    """Lets each line pass once: delivery is at least once, and the same line has the same `(environment, seq)`."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def new(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Those of the lines that did not pass before."""
        for line in lines:
            identity = line.identity
            if identity is None or identity not in self._seen:
                if identity is not None:
                    self._seen.add(identity)
                yield line


def parse_span(text: str) -> timedelta:
    """`15m`, `2h` or `1d` as a span. Raises WrongUsage on all else."""
    found = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if not found:
        raise WrongUsage(f"{text!r} is not a span of time.", "Write 30s, 15m, 2h or 1d.")
    return timedelta(seconds=int(found.group(1)) * _UNITS[found.group(2)])


def parse_time(text: str, now: datetime) -> datetime:
    """`15m`, `2h`, `1d` before `now`, or an ISO time (UTC unless it says otherwise). Raises WrongUsage on all else."""
    ago = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if ago:
        return now - timedelta(seconds=int(ago.group(1)) * _UNITS[ago.group(2)])
    try:
        time = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise WrongUsage(f"{text!r} is not a time.", "Write 15m, 2h or 1d, or a time like 2026-11-23T13:50.") from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def levels() -> list[str]:
    """The names of levels, lowest first."""
    return sorted(_LEVELS, key=lambda name: _LEVELS[name])
