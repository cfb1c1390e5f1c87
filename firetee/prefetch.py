"""`python -m firetee.prefetch [--matrix]`: fetches what the tests run on, so that no test waits for the network."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial

import click
from rich.progress import Progress

from firetee import emulator, fetch, layer, runtimes


@click.command()
@click.option("--matrix", is_flag=True, help="Every version of the runtime client, not only the newest.")
def main(matrix: bool) -> None:
    """Fetch the CPythons that are missing, the emulator, wrapt's wheels and the runtime clients.

    Quick when they are there. Without network for a CPython the tests run on those that are.
    """
    steps: list[tuple[str, Callable[[], object]]] = [("the emulator", emulator.rie), ("wrapt's wheels", layer.wheels)]
    with Progress(transient=True) as progress:
        task = progress.add_task("Fetching", total=len(runtimes.MINORS))
        for minor in runtimes.MINORS:
            progress.update(task, description=f"Looking for CPython {minor}")
            try:
                runtimes.fetch_missing(minor)
            except fetch.FetchError as error:
                progress.console.print(f"{error}\nGoing on without it.", highlight=False)
            progress.advance(task)
    for python, ric in runtimes.combinations():
        if matrix or ric == runtimes.DEFAULT_RIC:
            steps.append((f"awslambdaric {ric} for {python}", partial(runtimes.runtime, python, ric)))
    if matrix and platform.machine() != "aarch64":
        steps += [(f"CPython {minor} for aarch64", partial(_emulated, minor)) for minor in runtimes.MINORS[-2:]]
    with Progress(transient=True) as progress:
        task = progress.add_task("Fetching", total=len(steps))
        for name, fetch_it in steps:
            progress.update(task, description=f"Fetching {name}")
            try:
                fetch_it()
            except fetch.FetchError as error:
                raise click.ClickException(str(error)) from error
            progress.advance(task)


def _emulated(minor: str) -> None:
    runtimes.runtime(runtimes.emulated(minor, "aarch64"))


if __name__ == "__main__":
    main()
