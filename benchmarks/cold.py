"""Cold start: milliseconds from the first request to its answer; the emulator starts the runtime when it comes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.ground import Ground
from benchmarks.stats import added, summary
from benchmarks.variants import BY_NAME, FIELD, WITH_BOTO3, Variant


def one(ground: Ground, variant: Variant) -> tuple[float, float]:
    """One fresh environment, one invocation that logs one line: time on the clock and processor time, in ms."""
    with ground.environment(variant) as environment:
        return environment.invoke(lines=1), environment.cpu_ms()


def measure(ground: Ground, rounds: int, variants: Iterable[Variant] = (*FIELD, *WITH_BOTO3)) -> dict[str, Any]:
    """In each round all variants once, one after the other; the first round, which fills caches, does not count."""
    taken: dict[str, list[tuple[float, float]]] = {variant.name: [] for variant in variants}
    for number in range(rounds + 1):
        ground.progress(f"cold starts, round {number} of {rounds}")
        for name, values in taken.items():
            pair = one(ground, BY_NAME[name])
            if number:
                values.append(pair)
    result: dict[str, Any] = {}
    for name, pairs in taken.items():
        (clock, cpu), (bare_clock, bare_cpu) = zip(*pairs, strict=True), zip(*taken[BY_NAME[name].floor], strict=True)
        result[name] = {
            "ms": summary(clock),
            "added_ms": added(clock, bare_clock),
            "cpu_ms": summary(cpu),
            "added_cpu_ms": added(cpu, bare_cpu),
        }
    return result
