"""Warm invocations: latency by the number of lines, what one `print` costs, and what stays in memory."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import Any

from benchmarks.ground import Ground, Row
from benchmarks.stats import added, quantiles, summary
from benchmarks.variants import BEFORE_RETURN, FIELD

LINES = (0, 1, 10, 100)
#: Invocations in a row of one variant before it is the next one's turn: caches are warm, as under steady traffic.
BLOCK = 20
#: Blocks of 100 prints in one invocation.
BLOCKS = 20


def measure(ground: Ground, rounds: int) -> dict[str, Any]:
    """All variants stay alive and take turns; a round's medians are compared with the bare function's in that round.

    Per variant and number of lines: `answered` (until the response is posted) and `asked` (until the runtime asks for
    the next event, which is what is billed), in ms; `cpu`: the processor time of an invocation, all threads, in ms.
    """
    cpu_ms: dict[str, dict[int, list[float]]] = {each.name: {lines: [] for lines in LINES} for each in FIELD}
    rows: dict[str, dict[int, list[list[Row]]]] = {each.name: {lines: [] for lines in LINES} for each in FIELD}
    with ExitStack() as stack:
        environments = {each.name: stack.enter_context(ground.environment(each)) for each in FIELD}
        for environment in environments.values():
            environment.rows(5, lines=10)
        for number in range(rounds):
            ground.progress(f"warm invocations, round {number + 1} of {rounds}")
            for name, environment in environments.items():
                for lines in LINES:
                    count = BLOCK if lines < 100 else BLOCK // 4
                    before = environment.cpu_ms()
                    rows[name][lines].append(environment.rows(count, lines=lines))
                    cpu_ms[name][lines].append((environment.cpu_ms() - before) / count)
                environment.sink.clear()
        resident = {name: environment.resident_mb() for name, environment in environments.items()}
    result: dict[str, Any] = {}
    for name in rows:
        result[name] = {"resident_mb": round(resident[name], 2), "lines": {}}
        for lines in LINES:
            taken, floor = rows[name][lines], rows["bare"][lines]
            result[name]["lines"][str(lines)] = {
                "answered_ms": summary([row[0] for block in taken for row in block]),
                "asked_ms": summary([row[1] for block in taken for row in block]),
                "added_answered_ms": added(_medians(taken, 0), _medians(floor, 0)),
                "added_asked_ms": added(_medians(taken, 1), _medians(floor, 1)),
                "cpu_ms": summary(cpu_ms[name][lines]),
                "asked_quantiles_ms": quantiles([row[1] for block in taken for row in block]),
            }
    return result


def _medians(blocks: list[list[Row]], column: int) -> list[float]:
    return [median(row[column] for row in block) for block in blocks]


def measure_print(ground: Ground, rounds: int) -> dict[str, Any]:
    """Microseconds that one `print` of 200 characters takes inside a handler, alternating with the bare function."""
    bare_us: list[float] = []
    ours_us: list[float] = []
    bare = next(each for each in FIELD if each.name == "bare")
    with ground.environment(bare) as one, ground.environment(BEFORE_RETURN) as other:
        ground.progress("the cost of a print")
        for number in range(rounds + 1):
            for environment, values in ((one, bare_us), (other, ours_us)):
                blocks_ns = environment.ask(timed_prints=BLOCKS)
                if number:
                    values.append(median(blocks_ns) / 100 / 1000)
    return {"bare_us": summary(bare_us), "firetee_us": summary(ours_us), "added_us": added(ours_us, bare_us)}
