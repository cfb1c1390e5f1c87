"""Lines lost of 100: when the process dies at once, and when the environment is frozen after the answer for good."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.ground import Environment, Ground
from benchmarks.variants import FIELD, Variant

LINES = 100
#: How long the sink may go on receiving what was already on its way when the process was stopped.
SETTLE_S = 0.3
#: How long what the next invocation sends may take to come.
ARRIVE_S = 1.0


def measure(ground: Ground, rounds: int) -> dict[str, Any]:
    """Medians per variant that ships lines: lost by `os._exit` after 100 lines if an invocation follows, if none does,
    and lost by a freeze right after the answer (the process is stopped, then killed)."""
    result: dict[str, Any] = {}
    for variant in FIELD:
        if variant.ships:
            ground.progress(f"lines lost by {variant.title}")
            result[variant.name] = {case: median(lost(ground, variant, case) for _ in range(rounds)) for case in CASES}
    return result


def lost(ground: Ground, variant: Variant, case: str) -> int:
    """How many of the 100 lines did not arrive."""
    return LINES - len(CASES[case](ground, variant))


def _exit(ground: Ground, variant: Variant) -> set[int]:
    with _warm(ground, variant) as environment:
        environment.emulator.invoke({"lines": LINES, "mark": "lost", "exit": True})
        return _arrived(environment, SETTLE_S)


def _exit_then_next(ground: Ground, variant: Variant) -> set[int]:
    with _warm(ground, variant) as environment:
        environment.emulator.invoke({"lines": LINES, "mark": "lost", "exit": True})
        environment.invoke(lines=1)
        return _arrived(environment, ARRIVE_S)


def _freeze(ground: Ground, variant: Variant) -> set[int]:
    with _warm(ground, variant) as environment:
        environment.invoke(lines=LINES, mark="lost")
        os.killpg(environment.emulator.runs[-1].group, signal.SIGSTOP)
        return _arrived(environment, SETTLE_S)


@contextmanager
def _warm(ground: Ground, variant: Variant) -> Iterator[Environment]:
    """An environment that has answered once, so that not the cold start is measured."""
    with ground.environment(variant) as environment:
        environment.invoke(lines=1)
        yield environment


def _arrived(environment: Environment, most_s: float) -> set[int]:
    """The lines that came, all of them or those of `most_s` seconds."""
    try:
        environment.sink.wait_until(lambda: len(environment.sink.lines("lost")) == LINES, most_s)
    except TimeoutError:
        pass
    return environment.sink.lines("lost")


CASES = {"exit, then an invocation": _exit_then_next, "exit, then nothing": _exit, "freeze": _freeze}
