"""Whether everything arrived: what every test of faults asks in the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from firetee.emulator import Emulator

Line = dict[str, Any]


def once(lines: Iterable[Line]) -> list[Line]:
    """The lines without those that came again, in order; fails if a number is missing, or stands for two lines."""
    found: dict[tuple[str, int], Line] = {}
    numbers = defaultdict(set)
    for line in lines:
        number = line["environment"], line["seq"]
        assert found.setdefault(number, line) == line, f"{number} stands for two lines"
        numbers[line["environment"]].add(line["seq"])
    for environment, seen in numbers.items():
        missing = set(range(max(seen) + 1)) - seen
        assert not missing, f"{environment} has gaps: {sorted(missing)[:20]}"
    return list(found.values())


def texts(lines: Iterable[Line]) -> list[Any]:
    """What the function wrote, without repetitions, in order of the numbers within each environment."""
    ordered = sorted(once(lines), key=lambda line: (line["environment"], line["seq"]))
    return [line["record"] for line in ordered if line["type"] == "function"]


def arrived(lines: Iterable[Line], wanted: Iterable[Any]) -> bool:
    """Whether the function's lines in `wanted` are all there; for use while others may still be missing."""
    return set(wanted) <= {line["record"] for line in lines if line["type"] == "function"}


def invoke_until(
    emulator: Emulator, condition: Callable[[], bool], *, event: object = None, timeout_s: float = 30.0
) -> float:
    """Invoke again and again until `condition()`; the seconds that took. Raises TimeoutError.

    While nothing is invoked nothing is sent, so this, and not waiting, is how time passes for a function.
    """
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > timeout_s:
            raise TimeoutError(f"not within {timeout_s:g} s of invocations")
        emulator.invoke({} if event is None else event)
    return time.monotonic() - begun
