"""What a function wrote, side by side with what lies in the bucket.

Every line that reached fd 1 or fd 2 and every frame on the telemetry fd is looked for among the delivered envelopes of
its stream. Pure: works on bytes that others have read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from firetee.emulator import Emulator

Envelope = dict[str, Any]
Key = tuple[str, int]  # environment, seq: what tells one delivered line from another


@dataclass(frozen=True)
class Line:
    """One line on its way. `written` is None if nobody wrote it, `envelope` is None if it did not arrive."""

    stream: str
    written: str | None
    envelope: Envelope | None
    took_ms: float | None


#: What firetee says itself on stderr begins with this; the function did not write it.
OWN_PREFIX = "[firetee] "


def written(emulator: Emulator) -> dict[str, list[tuple[str, str | None]]]:
    """What the function wrote, by stream (`stdout`, `stderr`, `log`), in order, with the level of what has one of its
    own. Empty lines count.
    """
    stderr = [line for line in _lines(emulator.stderr) if not line.startswith(OWN_PREFIX)]
    return {
        "stdout": [(line, None) for line in _lines(emulator.stdout)],
        "stderr": [(line, None) for line in stderr],
        "log": [
            (frame.message.rstrip("\n"), None if frame.level == "NOTSET" else frame.level) for frame in emulator.frames
        ],
    }


def own_messages(emulator: Emulator) -> list[str]:
    """What firetee itself said on stderr."""
    return [line for line in _lines(emulator.stderr) if line.startswith(OWN_PREFIX)]


def pair(
    texts: Mapping[str, Sequence[str]], envelopes: Iterable[Envelope], stored_at: Mapping[Key, float]
) -> list[Line]:
    """Each text with its envelope, in the order in which they were delivered; then what is missing.

    `stored_at`: when each envelope was in the bucket, in seconds since the epoch. An envelope that was delivered twice
    counts once. Envelopes of other kinds than `function` are left out: nobody wrote them.
    """
    unseen = {stream: Counter(lines) for stream, lines in texts.items()}
    delivered: list[Line] = []
    for envelope in _whole(_distinct(envelopes)):
        stream = envelope["stream"]
        found = _text(envelope, unseen[stream])
        if found is not None:
            unseen[stream][found] -= 1
        took_ms = (stored_at[_key(envelope)] - time_s(envelope)) * 1000
        delivered.append(Line(stream, found, envelope, took_ms))
    missing = [
        Line(stream, text, None, None)
        for stream, left in unseen.items()
        for text, count in left.items()
        for _ in range(count)
    ]
    for stream in texts:
        delivered, missing = _untangled(stream, delivered, missing)
    return delivered + missing


def _untangled(stream: str, delivered: list[Line], missing: list[Line]) -> tuple[list[Line], list[Line]]:
    """The same, but where what is missing and what nobody wrote are the same characters, everything has arrived.

    `print` is several writes, and what several threads print at once is a tangle on the descriptor; so is an
    unfinished line and what the next invocation writes behind it. firetee sends whole lines.
    """
    made_up = [line for line in delivered if line.stream == stream and line.written is None]
    torn = [line for line in missing if line.stream == stream]
    whole = "".join(line.envelope["record"] for line in made_up if line.envelope and _is_text(line.envelope))
    if not made_up or Counter(whole) != Counter("".join(line.written or "" for line in torn)):
        return delivered, missing
    untangled = [
        replace(line, written=line.envelope["record"]) if line in made_up and line.envelope else line
        for line in delivered
    ]
    return untangled, [line for line in missing if line.stream != stream]


def _is_text(envelope: Envelope) -> bool:
    return isinstance(envelope["record"], str)


def key_times(calls: Iterable[tuple[Iterable[Envelope], float]]) -> dict[Key, float]:
    """When each envelope was first stored, from calls of envelopes and their time."""
    times: dict[Key, float] = {}
    for envelopes, time_s in calls:
        for envelope in envelopes:
            times.setdefault(_key(envelope), time_s)
    return times


def _lines(data: bytes) -> list[str]:
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.decode("utf-8", "backslashreplace") for line in lines]


def _key(envelope: Envelope) -> Key:
    return envelope["environment"], envelope["seq"]


def time_s(envelope: Envelope) -> float:
    """When an envelope's line was written, in seconds since the epoch."""
    return datetime.fromisoformat(envelope["time"].replace("Z", "+00:00")).timestamp()


def _distinct(envelopes: Iterable[Envelope]) -> list[Envelope]:
    """The function's envelopes without what was sent again, in the order of their numbers."""
    first: dict[Key, Envelope] = {}
    for envelope in envelopes:
        if envelope["type"] in ("function", "function.emf"):
            first.setdefault(_key(envelope), envelope)
    environments = list(dict.fromkeys(environment for environment, _ in first))
    return [first[key] for key in sorted(first, key=lambda key: (environments.index(key[0]), key[1]))]


def _whole(envelopes: Iterable[Envelope]) -> list[Envelope]:
    """The envelopes with the parts of long lines joined."""
    whole: list[Envelope] = []
    for envelope in envelopes:
        part, _ = envelope.get("part", (1, 1))
        if part == 1:
            whole.append(dict(envelope))
        else:
            whole[-1]["record"] += envelope["record"]
    return whole


def _text(envelope: Envelope, unseen: Mapping[str, int]) -> str | None:
    """Which of the unseen texts an envelope carries, if any: the text itself, or JSON that says the same."""
    record = envelope["record"]
    if isinstance(record, dict) and "stackTrace" in record:  # an uncaught error in the runtime's text format
        record = record.get("text", record)
    if isinstance(record, str):
        if unseen.get(record):
            return record
        ending = "\t" + record  # the message of a line of logging
        return next((text for text, left in unseen.items() if left and text[:1] == "[" and text.endswith(ending)), None)
    return next((text for text, count in unseen.items() if count and _says(text, record)), None)


def _says(text: str, record: object) -> bool:
    try:
        return bool(json.loads(text) == record)
    except ValueError:
        return False
