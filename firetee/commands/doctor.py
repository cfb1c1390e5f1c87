"""`firetee doctor`: is firetee on this function, and will it work?"""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.text import Text

from firetee.cloud import recognise
from firetee.cloud.checks import FINE, HINT, PROBLEM, UNKNOWN, examine
from firetee.cloud.facts import gather
from firetee.cloud.state import read_function
from firetee.commands.common import Command, console, failures_shown, json_option, leave, open_cloud, region_option

_MARKS = {
    FINE: ("ok     ", "green"),
    HINT: ("hint   ", "yellow"),
    PROBLEM: ("PROBLEM", "bold red"),
    UNKNOWN: ("?      ", "cyan"),
}


@click.command(
    cls=Command,
    epilog="\b\nExit codes:\n  0  no problem\n  1  at least one problem, or the function cannot be read\n  2  usage",
)
@click.argument("function")
@region_option
@json_option
@failures_shown
def doctor(function: str, region: str | None, as_json: bool) -> None:
    """Look at FUNCTION (a name, NAME:ALIAS or an ARN) and say what is wrong and how to repair it. Changes nothing."""
    cloud = open_cloud(region)
    findings = examine(gather(cloud, recognise.layers_of(cloud, read_function(cloud, function))))
    problems = sum(finding.level == PROBLEM for finding in findings)
    if as_json:
        document = {"function": function, "problems": problems, "findings": [asdict(each) for each in findings]}
        click.echo(json.dumps(document, indent=2))
    else:
        out = console()
        for finding in findings:
            mark, style = _MARKS[finding.level]
            out.print(Text(mark, style) + Text(f" {finding.check}: {finding.message}"))
            if finding.remedy:
                out.print(Text(f"        -> {finding.remedy}", "dim"))
        verdict = f"{problems} problem{'s' * (problems != 1)}" if problems else "No problem found."
        out.print(Text(verdict, "bold red" if problems else "bold green"))
    leave(1 if problems else 0)
