"""`python -m benchmarks`: measure, write results.json, docs/performance.md and docs/images/, show the goals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from benchmarks import bill, cold, floor, goals, growth, journal, loss, report, results, sustained, warm
from benchmarks.ground import Ground, prepared
from firetee import runtimes

#: Repetitions: (all of them, with --quick).
ROUNDS = {
    "cold": (25, 4),
    "warm": (12, 3),
    "print": (20, 6),
    "floor": (7, 2),
    "sustained": (7, 2),
    "growth": (7, 2),
    "loss": (3, 1),
    "journal": (11, 3),
}
MEASUREMENTS: dict[str, Callable[[Ground, int], Any]] = {
    "cold": cold.measure,
    "warm": warm.measure,
    "print": warm.measure_print,
    "floor": floor.measure,
    "sustained": sustained.measure,
    "growth": growth.measure,
    "loss": loss.measure,
    "journal": journal.measure,
    "bill": lambda ground, rounds: bill.measure(ground),
    "bulk": lambda ground, rounds: bill.measure_bulk(ground),
}


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="The same rows with fewer repetitions.")
@click.option(
    "--only", type=click.Choice(list(MEASUREMENTS)), multiple=True, help="Measure this, keep the other results."
)
@click.option("--python", "minor", metavar="3.N", help="The Python of the function; by default the newest installed.")
def main(quick: bool, only: tuple[str, ...], minor: str | None) -> None:
    console = Console(stderr=True)
    python = runtimes.find(minor) if minor else runtimes.installed()[-1]
    found = results.load() if only else results.empty()
    begun = time.monotonic()
    with console.status("") as status, prepared(python, status.update) as ground:
        for name in only or MEASUREMENTS:
            since = time.monotonic()
            rounds = ROUNDS.get(name, (1, 1))[quick]
            found["measured"][name] = MEASUREMENTS[name](ground, rounds)
            found["conditions"][name] = {"rounds": rounds, "seconds": round(time.monotonic() - since, 1)}
            found["machine"] = results.machine(python)
            results.save(found)  # each by itself, so that what was measured outlives an interruption
            console.print(f"{name}: {time.monotonic() - since:.0f} s")
    from benchmarks import plots  # matplotlib is there for `make bench` alone

    plots.draw(found)
    report.write(found)
    Console().print(goals.table(found))
    console.print(f"{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
