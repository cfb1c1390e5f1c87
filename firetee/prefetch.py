"""`python -m firetee.prefetch [--matrix]`: fetches what the tests run on, so that no test waits for the network."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click
from rich.console import Console
from rich.progress import Progress

from firetee import emulator, fetch, layer, runtimes

Step = tuple[str, Callable[[], object]]


@click.command()
@click.option("--matrix", is_flag=True, help="Every version of the runtime client, not only the newest.")
def main(matrix: bool) -> None:
    """Fetch the CPythons that are missing, the emulator, wrapt's wheels and the runtime clients.

    Quick when they are there. Without network for a CPython the tests run on those that are.
    """
    missing: list[Step] = [
        (f"CPython {minor}", partial(runtimes.fetch_missing, minor))
        for minor in runtimes.MINORS
        if all(python.minor != minor for python in runtimes.installed())
    ]
    first: list[Step] = [("the emulator", emulator.rie), ("wrapt's wheels", layer.wheels), *missing]
    for step, error in take_all(first):
        if step not in missing:
            raise click.ClickException(str(error)) from error
        click.echo(f"{error}\nGoing on without it.", err=True)
    then: list[Step] = [
        (f"awslambdaric {ric} for {python}", partial(runtimes.runtime, python, ric))
        for python, ric in runtimes.combinations()
        if matrix or ric == runtimes.DEFAULT_RIC
    ]
    if matrix and platform.machine() != "aarch64":
        then += [(f"CPython {minor} for aarch64", partial(_emulated, minor)) for minor in runtimes.MINORS[-2:]]
    for _, error in take_all(then):
        raise click.ClickException(str(error)) from error


def take_all(steps: Sequence[Step]) -> list[tuple[Step, fetch.FetchError]]:
    """Take all steps, as many at a time as there are processors; returns those that failed, and why."""
    failed = []
    console = Console()
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("Fetching", total=len(steps))

        def take(step: Step) -> None:
            name, fetch_it = step
            progress.update(task, description=f"Fetching {name}")
            try:
                fetch_it()
            except fetch.FetchError as error:
                failed.append((step, error))
            progress.advance(task)

        list(pool.map(take, steps))
    return failed


def _emulated(minor: str) -> None:
    runtimes.runtime(runtimes.emulated(minor, "aarch64"))


if __name__ == "__main__":
    main()
