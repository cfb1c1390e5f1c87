"""How the cost grows: milliseconds until the response is posted, by lines, by the size of a line, by the response."""

from __future__ import annotations

from typing import Any

from benchmarks.ground import Ground
from benchmarks.stats import added, summary
from benchmarks.variants import BARE, BEFORE_RETURN

#: The event of each point. 6 MB is the most that Lambda takes as a response.
CURVES: dict[str, dict[int, dict[str, int]]] = {
    "lines": {count: {"prints": count} for count in (0, 1, 10, 100, 1_000, 10_000, 100_000)},
    "line bytes": {size: {"prints": 1, "size": size} for size in (10, 100, 1_000, 10_000, 100_000, 1_000_000)},
    "response bytes": {size: {"lines": 1, "answer": size} for size in (1_000, 10_000, 100_000, 1_000_000, 6_000_000)},
}
ENV = {"FIRETEE_OVERFLOW": "block", "FIRETEE_FLUSH_TIMEOUT_MS": "60000"}


def measure(ground: Ground, rounds: int) -> dict[str, Any]:
    """Each point in turn with the bare function and with firetee, which has every line delivered before it answers."""
    result: dict[str, Any] = {}
    with ground.environment(BARE) as bare, ground.environment(BEFORE_RETURN, ENV) as ours:
        for environment in (bare, ours):
            environment.rows(5, lines=1)
        for curve, points in CURVES.items():
            result[curve] = {}
            for at, event in points.items():
                ground.progress(f"growth, {curve} {at:,}")
                bare_ms, ours_ms = [], []
                for _ in range(rounds):
                    # The first of each pair of invocations only wakes the process up.
                    bare_ms.append(bare.rows(2, **event)[-1][0])
                    ours_ms.append(ours.rows(2, **event)[-1][0])
                    ours.sink.clear()
                result[curve][str(at)] = {
                    "bare_ms": summary(bare_ms),
                    "firetee_ms": summary(ours_ms),
                    "added_ms": added(ours_ms, bare_ms),
                }
    return result
