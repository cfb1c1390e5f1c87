"""The goals that firetee sets itself, beside what was measured. A goal missed fails nobody; it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Goal:
    """`measured` takes it out of the results; `least`: a rate, which is to be reached, not a limit."""

    title: str
    limit: float
    unit: str
    measured: Callable[[dict[str, Any]], float]
    least: bool = False
    digits: int = 2

    def met(self, results: dict[str, Any]) -> bool:
        value = self.measured(results)
        return value >= self.limit if self.least else value <= self.limit

    def show(self, value: float) -> str:
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()


def _cold(name: str) -> Callable[[dict[str, Any]], float]:
    return lambda measured: float(measured["cold"][name]["added_ms"]["median"])


def _warm(name: str, lines: int, until: str) -> Callable[[dict[str, Any]], float]:
    return lambda measured: float(measured["warm"][name]["lines"][str(lines)][f"added_{until}_ms"]["median"])


def _sustained(way: str) -> Callable[[dict[str, Any]], float]:
    return lambda measured: float(measured["sustained"][way]["before-return"]["rate"]["median"])


def _resident(measured: dict[str, Any]) -> float:
    warm = measured["warm"]
    return float(warm["before-return"]["resident_mb"] - warm["bare"]["resident_mb"])


GOALS = (
    Goal("cold start: init and first invocation, one line", 40, "ms", _cold("before-return"), digits=1),
    Goal("the same when the function itself imports boto3", 40, "ms", _cold("firetee-boto3"), digits=1),
    Goal("resident memory", 8, "MB", _resident, digits=1),
    Goal("invocation that writes nothing", 0.10, "ms", _warm("before-return", 0, "asked"), digits=3),
    Goal("invocation with 10 lines, flush before return", 1.0, "ms", _warm("before-return", 10, "asked")),
    Goal(
        "invocation with 10 lines, `after-return`: until the response is posted", 0.10, "ms",
        _warm("after-return", 10, "answered"), digits=3,
    ),
    Goal("one `print` of 200 bytes", 1.0, "µs", lambda measured: float(measured["print"]["added_us"]["median"])),
    Goal(
        "sustained, through render, pack and send: one `print` a line", 150_000, "lines/s",
        _sustained("printed"), least=True, digits=0,
    ),
    Goal(
        "the same with 100 lines a write", 150_000, "lines/s", _sustained("blocks"), least=True, digits=0,
    ),
    Goal(
        "billed bytes over lines with envelope, bulk", 1.05, "",
        lambda measured: float(measured["bulk"]["before-return"]), digits=3,
    ),
    Goal("the same with gzip", 0.10, "", lambda measured: float(measured["bulk"]["gzip"]), digits=3),
)  # fmt: skip


def table(results: dict[str, Any]) -> Table:
    """For the terminal; goals whose measurement is missing are left out."""
    shown = Table("added to the bare function", "goal", "measured", "")
    for goal in GOALS:
        try:
            value = goal.measured(results["measured"])
        except KeyError:
            continue
        met = goal.met(results["measured"])
        shown.add_row(goal.title, goal.show(goal.limit), goal.show(value), "[green]met" if met else "[red]missed")
    return shown
