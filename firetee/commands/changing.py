"""What `attach` and `detach` share: run a plan for each function, and show what it does."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from firetee.cloud import fleet
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import EXIT_LEFTOVERS, CloudError, Interrupted, WrongUsage, explain
from firetee.cloud.executor import carry_out
from firetee.cloud.plan import Plan
from firetee.cloud.steps import Change
from firetee.commands.common import console, failure_fields, leave, show_failure, worst

FUNCTIONS_AT_ONCE = 4
"""Lambda takes 15 control-plane calls a second from an account, and a function needs about ten of them."""


@dataclass(frozen=True)
class Outcome:
    """How it went with one function: its plan, or the failure that kept it from being carried out."""

    function: str
    plan: Plan | None
    failure: CloudError | None

    @property
    def exit_code(self) -> int:
        return self.failure.exit_code if self.failure else 0

    @property
    def changed(self) -> bool:
        """Whether the function is changed, or would be."""
        return self.failure is None and self.plan is not None and bool(self.plan.steps)

    def fields(self, *, dry_run: bool) -> dict[str, Any]:
        """The outcome as the JSON document has it."""
        found: dict[str, Any] = {"function": self.function, "changed": False, "changes": []}
        if self.plan is not None:
            changes = [change for step in self.plan.steps for change in step.changes()]
            found["changes"] = [{"what": c.what, "before": c.before, "after": c.after} for c in changes]
            found["changed"] = bool(changes) and not dry_run and self.failure is None
            found["notes"] = list(self.plan.notes)
        if self.failure is not None:
            found |= failure_fields(self.failure)
        return found


@dataclass(frozen=True)
class Selection:
    """Which functions a command line means."""

    names: tuple[str, ...]
    every: bool
    tags: tuple[str, ...]
    match: str
    yes: bool

    @property
    def is_whole_region(self) -> bool:
        """Whether nothing narrows down `--all`."""
        return self.every and not self.tags and not self.match


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds what selects functions; the command gets it as `selection`."""

    @functools.wraps(command)
    def run(**kwargs: Any) -> None:
        names = tuple(dict.fromkeys((*kwargs.pop("functions"), *_listed(kwargs.pop("names_file")))))
        every, tags, match = kwargs.pop("every"), kwargs.pop("tags"), kwargs.pop("match")
        command(selection=Selection(names, every, tags, match, kwargs.pop("yes")), **kwargs)

    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before a whole region is changed."),
        click.option("--from", "names_file", type=click.File(), metavar="FILE", help="Names, one a line; - is stdin."),
        click.option("--match", default="", metavar="REGEX", help="Python functions in whose name this is found."),
        click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Python functions with this tag."),
        click.option("--all", "every", is_flag=True, help="All Python functions of the region."),
        click.argument("functions", nargs=-1, metavar="[FUNCTION]..."),
    ):
        run = option(run)
    return run


def _listed(file: IO[str] | None) -> list[str]:
    """The names in a file: one a line, without comments."""
    lines = [line.partition("#")[0].strip() for line in file or ()]
    return [line for line in lines if line]


def choose(cloud: Cloud, selection: Selection) -> list[str]:
    """The functions that are meant. Raises click's UsageError if there are none or if it contradicts itself."""
    narrowed = selection.every or bool(selection.tags) or bool(selection.match)
    if bool(selection.names) == narrowed:
        raise click.UsageError("Name the functions, one by one or by --from FILE; or give --all, --tag or --match.")
    if selection.names:
        return list(selection.names)
    try:
        pattern = re.compile(selection.match)
    except re.error as error:
        raise click.UsageError(f"--match {selection.match}: {error}") from error
    chosen = [name for name in fleet.select(cloud, fleet.parse_tags(selection.tags)) if pattern.search(name)]
    if not chosen:
        raise CloudError(f"No Python function in {cloud.region} matches.", "Check --tag, --match and --region.")
    return chosen


def ask(cloud: Cloud, selection: Selection, chosen: Sequence[str], *, dry_run: bool) -> None:
    """Ask before a whole region is changed; where nobody can answer, raises click's UsageError."""
    if dry_run or selection.yes or not selection.is_whole_region:
        return
    question = f"All {len(chosen)} Python functions in {cloud.region} are to be changed."
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Give --yes if that is what you want.")
    if not click.confirm(f"{question} Go on?", err=True):
        raise CloudError("Nothing was changed.")


def run(
    cloud: Cloud,
    functions: Sequence[str],
    plan: Callable[[str], Plan],
    *,
    dry_run: bool,
    as_json: bool,
    done: str,
    shared: Plan | None = None,
) -> None:
    """Plan and carry out each function's change, show it, and end the command with the worst exit code.

    One function's failure does not stop the others. `done` is what to say of a changed function, in the past tense.
    `shared` is what was made before, for all of them. After Ctrl-C the exit code is that of a change left half way if
    anything is changed.
    """
    out = console()
    single = len(functions) == 1
    status = console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        console=status,
        transient=True,
        disable=as_json or not status.is_terminal,
        redirect_stdout=False,  # results go to stdout even where only stderr is a terminal
    )
    task = progress.add_task("functions" if not single else functions[0], total=len(functions))

    def one(name: str) -> Outcome:
        made: Plan | None = None

        def planned() -> Plan:
            nonlocal made
            made = plan(name)
            return made

        try:
            if dry_run:
                planned()
            else:
                carry_out(planned, cloud, lambda title: progress.update(task, description=f"{name}: {title}"))
        except click.UsageError as error:
            return Outcome(name, made, WrongUsage(error.format_message()))
        except KeyboardInterrupt:
            return Outcome(name, made, Interrupted("Interrupted. Nothing was changed."))
        except Exception as error:  # noqa: BLE001 - one function's failure is a result
            return Outcome(name, made, explain(error))
        finally:
            progress.advance(task)
        return Outcome(name, made, None)

    def show(outcome: Outcome) -> None:
        if not as_json:
            progress.stop()
            _show(out, outcome, dry_run, done)
            progress.start()

    if shared is not None and shared.steps and not as_json:
        _show(out, Outcome(shared.function, shared, None), dry_run, "made")
    with progress:
        if single:
            outcomes = [one(functions[0])]
            show(outcomes[0])
        else:
            outcomes = _side_by_side(one, functions, show, status)
    code = worst([each.exit_code for each in outcomes])
    changed = any(each.changed for each in outcomes) or bool(shared and shared.steps)
    if changed and not dry_run and any(isinstance(each.failure, Interrupted) for each in outcomes):
        code = EXIT_LEFTOVERS
    if as_json:
        results = [each.fields(dry_run=dry_run) for each in outcomes]
        document: dict[str, Any] = {"dryRun": dry_run, "functions": results}
        if shared is not None:
            document["shared"] = Outcome(shared.function, shared, None).fields(dry_run=dry_run)["changes"]
        click.echo(json.dumps(document, indent=2))
    else:
        _show_notes(out, outcomes)
        if not single:
            out.print(Text(_total(outcomes, dry_run, done), "bold"))
    leave(code)


def _side_by_side(
    one: Callable[[str], Outcome], functions: Sequence[str], show: Callable[[Outcome], None], status: Console
) -> list[Outcome]:
    """Every function's outcome, in the order of `functions`; each is shown as soon as it is there.

    After Ctrl-C those under way are brought to their end, and no other is begun: all have an outcome that says so.
    """
    found: dict[str, Outcome] = {}
    with ThreadPoolExecutor(FUNCTIONS_AT_ONCE) as pool:
        waiting = {pool.submit(one, name): name for name in functions}
        while waiting:
            try:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    name = waiting[future]
                    if name not in found:
                        found[name] = _not_begun(name) if future.cancelled() else future.result()
                        show(found[name])
                    del waiting[future]
            except KeyboardInterrupt:
                for future in waiting:
                    future.cancel()
                under_way = sum(not future.done() for future in waiting)
                status.print(f"Interrupted: waiting for the {under_way} under way; no other function is begun.")
    return [found[name] for name in functions]


def _not_begun(name: str) -> Outcome:
    return Outcome(name, None, Interrupted("Interrupted before this function was begun: it is as it was."))


def _total(outcomes: Sequence[Outcome], dry_run: bool, done: str) -> str:
    """How many functions fared how, in one line."""
    changed = sum(each.changed for each in outcomes)
    same = sum(each.failure is None and not each.changed for each in outcomes)
    interrupted = sum(isinstance(each.failure, Interrupted) for each in outcomes)
    failed = sum(each.failure is not None for each in outcomes) - interrupted
    parts = [f"{changed} {'to be changed' if dry_run else done}", f"{same} with nothing to do"]
    parts += [f"{failed} failed"] * bool(failed) + [f"{interrupted} not begun or taken back"] * bool(interrupted)
    return f"{len(outcomes)} functions: {', '.join(parts)}"


def _show(out: Console, outcome: Outcome, dry_run: bool, done: str) -> None:
    if outcome.plan is not None and not outcome.plan.steps:
        out.print(Text(f"{outcome.function}: nothing to do", "green"))
        return
    heading = Text(outcome.function, "bold")
    out.print(heading + Text(" (dry run: nothing is changed)" if dry_run else ""))
    if outcome.plan is not None:
        for step in outcome.plan.steps:
            for change in step.changes():
                _show_change(out, change)
    if outcome.failure is not None:
        show_failure(outcome.failure)
    elif not dry_run:
        out.print(Text(f"{outcome.function}: {done}", "green"))


def _show_change(out: Console, change: Change) -> None:
    if change.before:
        out.print(Text(f"  - {change.what}: {change.before}", "red"))
    if change.after:
        out.print(Text(f"  + {change.what}: {change.after}", "green"))


def _show_notes(out: Console, outcomes: Sequence[Outcome]) -> None:
    notes = [note for each in outcomes if each.plan and not each.failure for note in each.plan.notes]
    for note in dict.fromkeys(notes):
        out.print(Text(f"Note: {note}", "dim"))
