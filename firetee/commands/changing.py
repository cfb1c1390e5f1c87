"""What `attach`, `detach` and `upgrade` share: run a plan for each function, and show what it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from firetee.cloud import recognise, state, versions
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import EXIT_LEFTOVERS, CloudError, Interrupted, Leftovers, WrongUsage, explain
from firetee.cloud.executor import Applied, carry_out, take_back
from firetee.cloud.plan import Plan
from firetee.cloud.state import FunctionState
from firetee.cloud.steps import Change
from firetee.commands import side_by_side
from firetee.commands.common import console, failure_fields, leave, show_failure, worst


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


def read(cloud: Cloud, name: str, layer_name: str) -> FunctionState:
    """The function, to be changed. Raises click's UsageError for a published version or an alias: changes are made to
    `$LATEST`, which nobody has asked for then."""
    function = state.read_function(cloud, name)
    if function.version != "$LATEST" or function.qualifier not in {"", "$LATEST"}:
        raise click.UsageError(f"{name}: published versions and aliases cannot be changed. Leave the qualifier away.")
    return versions.of(cloud, recognise.layers_of(cloud, function, layer_name))


def run(
    cloud: Cloud,
    functions: Sequence[str],
    plan: Callable[[str], Plan],
    *,
    dry_run: bool,
    as_json: bool,
    done: str,
    shared: Applied | None = None,
) -> None:
    """Plan and carry out each function's change, show it, and end the command with the worst exit code.

    One function's failure does not stop the others. `done` is what to say of a changed function, in the past tense.
    `shared` is what was made before, for all of them; it is taken back where every function fails. After Ctrl-C the
    exit code is that of a change left half way if anything is changed.
    """
    out = console()
    single = len(functions) == 1
    say: list[Callable[[str], None]] = []

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
                carry_out(planned, cloud, lambda title: say[0](f"{name}: {title}"))
        except click.UsageError as error:
            return Outcome(name, made, WrongUsage(error.format_message()))
        except KeyboardInterrupt:
            return Outcome(name, made, Interrupted("Interrupted. Nothing was changed."))
        except Exception as error:  # noqa: BLE001 - one function's failure is a result
            return Outcome(name, made, explain(error))
        return Outcome(name, made, None)

    def show(outcome: Outcome) -> None:
        if not as_json:
            _show(out, outcome, dry_run, done)

    common = shared.plan if shared is not None else Plan("")
    if common.steps and not as_json:
        _show(out, Outcome(common.function, common, None), dry_run, "made")
    outcomes = side_by_side.each(functions, one, _not_begun, show, quiet=as_json, describe=say.append)
    code = worst([each.exit_code for each in outcomes])
    unused: CloudError | None = None
    if shared is not None and common.steps and all(each.failure for each in outcomes):
        unused, common = _take_back(cloud, shared), Plan(common.function)
        code = worst([code, unused.exit_code])
    changed = any(each.changed for each in outcomes) or bool(common.steps)
    if changed and not dry_run and any(isinstance(each.failure, Interrupted) for each in outcomes):
        code = EXIT_LEFTOVERS
    if as_json:
        results = [each.fields(dry_run=dry_run) for each in outcomes]
        document: dict[str, Any] = {"dryRun": dry_run, "functions": results}
        if shared is not None:
            document["shared"] = Outcome(common.function, common, None).fields(dry_run=dry_run)["changes"]
        if unused is not None:
            document |= failure_fields(unused)
        click.echo(json.dumps(document, indent=2))
    else:
        if unused is not None:
            show_failure(unused)
        _show_notes(out, outcomes)
        if not single:
            out.print(Text(_total(outcomes, dry_run, done), "bold"))
    leave(code)


def _take_back(cloud: Cloud, shared: Applied) -> CloudError:
    """Take back what was made for all functions; what to say of it."""
    left = take_back(shared.plan.steps, cloud, shared.made)
    kept = f" In use by others by now, and kept: {'; '.join(shared.made.kept)}." * bool(shared.made.kept)
    if left:
        return Leftovers(f"Every function failed; not all that was made for them could be taken back.{kept}", "", left)
    return CloudError(f"Every function failed: what was made for them was taken back.{kept}")


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
