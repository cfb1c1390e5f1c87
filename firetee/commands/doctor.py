"""`firetee doctor`: is firetee on these functions, and will it work?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from firetee.cloud import recognise, versions
from firetee.cloud.aws import Cloud
from firetee.cloud.checks import FINE, HINT, PROBLEM, UNKNOWN, Finding, examine
from firetee.cloud.errors import CloudError, Interrupted, explain
from firetee.cloud.facts import gather
from firetee.cloud.state import read_function
from firetee.commands import selecting, side_by_side
from firetee.commands.common import (
    Command,
    console,
    failure_fields,
    failures_shown,
    json_option,
    leave,
    region_option,
    show_failure,
)

_MARKS = {
    FINE: ("ok     ", "green"),
    HINT: ("hint   ", "yellow"),
    PROBLEM: ("PROBLEM", "bold red"),
    UNKNOWN: ("?      ", "cyan"),
}


@dataclass(frozen=True)
class Diagnosis:
    """What was found on one function, or why it could not be looked at."""

    function: str
    findings: tuple[Finding, ...] = ()
    failure: CloudError | None = None

    @property
    def problems(self) -> int:
        """How many of the findings are problems."""
        return sum(finding.level == PROBLEM for finding in self.findings)

    @property
    def is_bad(self) -> bool:
        return self.failure is not None or self.problems > 0

    def fields(self) -> dict[str, Any]:
        """The diagnosis as the JSON document has it."""
        if self.failure is not None:
            return {"function": self.function, **failure_fields(self.failure)}
        found = [asdict(each) for each in self.findings]
        return {"function": self.function, "problems": self.problems, "findings": found}


@click.command(
    cls=Command,
    epilog="\b\nExit codes:\n  0  no problem\n  1  at least one problem, or a function cannot be read\n  2  usage",
)
@selecting.selection_options
@region_option
@json_option
@failures_shown
def doctor(selection: selecting.Selection, region: str | None, as_json: bool) -> None:
    """Look at FUNCTIONs (a name, NAME:ALIAS or an ARN) and say what is wrong and how to repair it. Changes nothing.

    Of one function everything is shown that was looked at; of several, what is not as it should be.
    """
    cloud, chosen = selecting.choose(region, selection)
    if selection.is_one:
        findings = _findings(cloud, chosen[0])
        diagnosis = Diagnosis(chosen[0], findings)
        if as_json:
            click.echo(json.dumps(diagnosis.fields(), indent=2))
        else:
            out = console()
            _show_findings(out, findings)
            verdict = f"{_count(diagnosis.problems, 'problem')}" if diagnosis.problems else "No problem found."
            out.print(Text(verdict, "bold red" if diagnosis.problems else "bold green"))
        leave(1 if diagnosis.problems else 0)
    diagnoses = side_by_side.each(
        chosen,
        lambda name: _diagnosis(cloud, name),
        lambda name: Diagnosis(name, failure=Interrupted("Interrupted before this function was looked at.")),
        _nothing if as_json else _shower(console()),
        quiet=as_json,
    )
    if as_json:
        click.echo(json.dumps({"functions": [each.fields() for each in diagnoses]}, indent=2))
    else:
        console().print(Text(_total(diagnoses), "bold"))
    leave(1 if any(each.is_bad for each in diagnoses) else 0)


def _findings(cloud: Cloud, name: str) -> tuple[Finding, ...]:
    function = recognise.layers_of(cloud, read_function(cloud, name))
    if function.version == "$LATEST":
        function = versions.of(cloud, function)
    return tuple(examine(gather(cloud, function)))


def _diagnosis(cloud: Cloud, name: str) -> Diagnosis:
    try:
        return Diagnosis(name, _findings(cloud, name))
    except Exception as error:  # noqa: BLE001 - one function's failure is a result
        return Diagnosis(name, failure=explain(error))


def _nothing(diagnosis: Diagnosis) -> None:
    """For JSON, which is printed at the end."""


def _shower(out: Console) -> Callable[[Diagnosis], None]:
    def show(diagnosis: Diagnosis) -> None:
        if diagnosis.failure is not None:
            out.print(Text(diagnosis.function, "bold"))
            show_failure(diagnosis.failure)
            return
        verdict = _count(diagnosis.problems, "problem") if diagnosis.problems else "no problem"
        out.print(Text(f"{diagnosis.function}: {verdict}", "bold red" if diagnosis.problems else "green"))
        _show_findings(out, [each for each in diagnosis.findings if each.level != FINE])

    return show


def _show_findings(out: Console, findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark, style = _MARKS[finding.level]
        out.print(Text(mark, style) + Text(f" {finding.check}: {finding.message}"))
        if finding.remedy:
            out.print(Text(f"        -> {finding.remedy}", "dim"))


def _total(diagnoses: Sequence[Diagnosis]) -> str:
    """How the functions fare, in one line."""
    failed = sum(each.failure is not None for each in diagnoses)
    ill = sum(each.problems > 0 for each in diagnoses)
    parts = [f"{len(diagnoses) - failed - ill} without a problem", f"{ill} with problems"]
    parts += [f"{failed} that cannot be looked at"] * bool(failed)
    return f"{_count(len(diagnoses), 'function')}: {', '.join(parts)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
