"""Sustained rate: one function that writes without pause, all lines in Firehose (the sink) before it may answer."""

from __future__ import annotations

from typing import Any

from benchmarks.ground import Ground
from benchmarks.stats import summary
from benchmarks.variants import BARE, BEFORE_RETURN

LINES = 100_000
#: How the lines are written: one `print` each, or in calls of 100 lines, where Python's own printing is no limit.
WAYS = {"printed": {"prints": LINES}, "blocks": {"blocks": LINES // 100}}
#: A full journal waits for room instead of dropping, and nothing is left behind for lack of time.
ENV = {"FIRETEE_OVERFLOW": "block", "FIRETEE_FLUSH_TIMEOUT_MS": "60000"}


def measure(ground: Ground, rounds: int) -> dict[str, Any]:
    """For each way to write: lines of 200 characters a second, written by the bare function, and written, rendered,
    packed and sent; and the processor time of each, in us, of the function's process.

    Raises `RuntimeError` if lines are missing.
    """
    rates: dict[str, dict[str, list[float]]] = {way: {BARE.name: [], BEFORE_RETURN.name: []} for way in WAYS}
    cpu_us: dict[str, dict[str, list[float]]] = {way: {BARE.name: [], BEFORE_RETURN.name: []} for way in WAYS}
    with ground.environment(BARE) as bare, ground.environment(BEFORE_RETURN, ENV) as ours:
        for environment in (bare, ours):
            environment.rows(1, prints=1000)
        ours.sink.clear()
        for number in range(rounds):
            for way, event in WAYS.items():
                ground.progress(f"sustained rate, {way}, round {number + 1} of {rounds}")
                for variant, environment in ((BARE, bare), (BEFORE_RETURN, ours)):
                    before = environment.cpu_ms()
                    ((answered_ms, _),) = environment.rows(1, **event)
                    rates[way][variant.name].append(LINES / answered_ms * 1000)
                    cpu_us[way][variant.name].append((environment.cpu_ms() - before) / LINES * 1000)
                arrived = sum(data.count(b"m-0;") for each in ours.sink.received for data in each.payloads())
                ours.sink.clear()
                if arrived != LINES:
                    raise RuntimeError(f"{LINES - arrived} of {LINES} lines did not arrive: {ours.emulator.stderr!r}")
    return {
        way: {name: {"rate": summary(rates[way][name]), "cpu_us": summary(cpu_us[way][name])} for name in rates[way]}
        for way in WAYS
    }
