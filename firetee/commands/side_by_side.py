"""Work on many functions a few at a time, and show each result as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from firetee.commands.common import console

FUNCTIONS_AT_ONCE = 4
"""Lambda takes 15 control-plane calls a second from an account, and a function needs about ten of them."""

T = TypeVar("T")


def each(
    names: Sequence[str],
    work: Callable[[str], T],
    not_begun: Callable[[str], T],
    show: Callable[[T], None],
    *,
    quiet: bool = False,
    describe: Callable[[Callable[[str], None]], None] = lambda say: None,
) -> list[T]:
    """Every function's result, in the order of `names`; `show` gets each as soon as it is there, on this thread.

    `work` runs on threads of its own (a single function's on this one) and never raises. Progress is shown on a
    terminal unless `quiet`; `describe` gets a way to say what is being done. After Ctrl-C what is under way is brought
    to its end, and no other is begun: `not_begun` says so of each.
    """
    status = console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        console=status,
        transient=True,
        disable=quiet or not status.is_terminal,
        redirect_stdout=False,  # results go to stdout even where only stderr is a terminal
    )
    single = len(names) == 1
    task = progress.add_task(names[0] if single else "functions", total=len(names))
    describe(lambda text: progress.update(task, description=text))
    found: dict[str, T] = {}

    def take(name: str, result: T) -> None:
        found[name] = result
        progress.advance(task)
        progress.stop()
        show(result)
        progress.start()

    with progress:
        if single:
            take(names[0], work(names[0]))
            return [found[names[0]]]
        with ThreadPoolExecutor(FUNCTIONS_AT_ONCE) as pool:
            waiting = {pool.submit(work, name): name for name in names}
            while waiting:
                try:
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        name = waiting[future]
                        if name not in found:
                            take(name, not_begun(name) if future.cancelled() else future.result())
                        del waiting[future]
                except KeyboardInterrupt:
                    for future in waiting:
                        future.cancel()
                    under_way = sum(not future.done() for future in waiting)
                    status.print(f"Interrupted: waiting for the {under_way} under way; no other function is begun.")
    return [found[name] for name in names]
