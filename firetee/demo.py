"""`make demo`: functions through the built layer in the emulator, then what they wrote beside what lies in S3.

Exits with 1 if a line is missing, was delivered without having been written, or a function answered wrongly.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from firetee import fetch, journey, layer, runtimes
from firetee.embedded import EmbeddedFirehose
from firetee.emulator import Function, Response
from firetee.local import Rehearsal, rehearse, short

EXAMPLES = fetch.ROOT / "examples"


@dataclass(frozen=True)
class Example:
    """A function to show: a file of `examples/`, what it is about, and the events it gets."""

    file: str
    about: str
    events: Sequence[dict[str, object]]
    fails: int = 0  # how many of the invocations are meant to

    @property
    def function(self) -> Function:
        return Function(EXAMPLES, f"{self.file}.handler", name=self.file)


SHOWN = [
    Example("prints", "print, to both streams; a cold start, then warm", [{"say": "hello"}, {"say": "hello again"}]),
    Example("logs", "logging, which bypasses the streams on Lambda", [{"order": 17}, {"order": 18}]),
    Example("json_lines", "JSON lines arrive as objects, with their level", [{"order": 17}]),
    Example("fails", "an exception: the traceback is one record", [{"by": 2}, {"by": 0}, {"by": 3}], fails=1),
    Example("child", "a subprocess writes to the streams that it inherits", [{}]),
]


def failures(example: Example, responses: Sequence[Response], lines: Sequence[journey.Line]) -> list[str]:
    """What is wrong with an example's run, in words."""
    found = [f"{line.stream}: not in S3: {line.written!r}" for line in lines if line.envelope is None]
    found += [f"in S3, but nobody wrote it: {line.envelope}" for line in lines if line.written is None]
    failed = sum(response.status != 200 or b'"errorType"' in response.body for response in responses)
    if failed != example.fails:
        found.append(f"{failed} invocations failed, {example.fails} should have")
    return found


def table(example: Example, done: Rehearsal) -> Table:
    """What the function wrote, beside what lies in S3."""
    shown = Table(
        box=box.ROUNDED, title=Text(f"{example.file}.py: {example.about}", "bold"), title_justify="left", expand=True
    )
    shown.add_column("fd", no_wrap=True, style="magenta")
    shown.add_column("the function wrote", ratio=2)
    shown.add_column("in S3", ratio=3)
    shown.add_column("took", justify="right", no_wrap=True)
    for line in done.lines:
        wrote = Text("nobody wrote this", "red") if line.written is None else Text(short(line.written))
        if line.envelope is None:
            stored, took = Text("MISSING", "bold red"), Text("")
        else:
            stored, took = _envelope(line.envelope), Text(f"{line.took_ms:.1f} ms", "green")
        shown.add_row(line.stream, wrote, stored, took)
    return shown


def _envelope(envelope: journey.Envelope) -> Text:
    """An envelope in short: its number, its level, the cold start, what it says."""
    text = Text(f"#{envelope['seq']} ", "dim")
    if envelope.get("coldStart"):
        text.append("cold ", "cyan")
    if level := envelope.get("level"):
        text.append(f"{level} ", "yellow" if level != "INFO" else "green")
    record = envelope["record"]
    return text.append(short(record) if isinstance(record, str) else json.dumps(record, ensure_ascii=False))


def _as_json(example: Example, done: Rehearsal) -> dict[str, Any]:
    return {
        "function": example.file,
        "about": example.about,
        "calls": done.calls,
        "lines": [
            {"stream": line.stream, "written": line.written, "stored": line.envelope, "took_ms": line.took_ms}
            for line in done.lines
        ],
        "messages": journey.own_messages(done.emulator),
        "failures": failures(example, done.responses, done.lines),
    }


@click.command()
@click.option("--python", "minor", help="The Python to run on, as 3.12; by default the newest here.")
@click.option("--ric", default=runtimes.DEFAULT_RIC, show_default=True, type=click.Choice(list(runtimes.RICS)))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(minor: str | None, ric: str, as_json: bool) -> None:
    """Run the examples through the built layer in AWS's emulator, and show what they wrote beside what lies in S3."""
    console = Console(highlight=False)
    progress = Console(stderr=True, highlight=False)
    try:
        python = runtimes.find(minor) if minor else runtimes.installed()[-1]
        with tempfile.TemporaryDirectory(prefix="firetee-demo-") as scratch:
            with progress.status("Building the layer, fetching the emulator and the runtime client (once) ..."):
                layer.unpack(layer.build(Path(scratch, "layer.zip")), Path(scratch, "opt"))
                runtimes.runtime(python, ric)
            with progress.status("Starting Firehose and S3 ..."):
                firehose = EmbeddedFirehose()
            runs = []
            with firehose:
                for example in SHOWN:
                    with progress.status(f"Running {example.file}.py ..."):
                        done = rehearse(example.function, example.events, python, ric, Path(scratch, "opt"), firehose)
                    runs.append((example, done))
                    if not as_json:
                        console.print(table(example, done), "")
                objects = len(firehose.objects())
    except (fetch.FetchError, layer.LayerError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    wrong = [
        f"{example.file}.py: {failure}"
        for example, done in runs
        for failure in failures(example, done.responses, done.lines)
    ]
    if as_json:
        click.echo(json.dumps({"functions": [_as_json(*run) for run in runs], "failures": wrong}, ensure_ascii=False))
    else:
        _summary(console, [done for _, done in runs], objects, python, ric)
        for failure in wrong:
            console.print(f"[red]✗[/] {failure}", markup=True, soft_wrap=True)
    raise SystemExit(1 if wrong else 0)


def _summary(console: Console, runs: Sequence[Rehearsal], objects: int, python: runtimes.Python, ric: str) -> None:
    lines = [line for done in runs for line in done.lines]
    missing = sum(line.envelope is None for line in lines)
    took = sorted(line.took_ms for line in lines if line.took_ms is not None)
    delays = f"median {took[len(took) // 2]:.1f} ms, slowest {took[-1]:.1f} ms" if took else "-"
    mark = "[bold red]✗[/]" if missing else "[bold green]✓[/]"
    console.print(
        f"{mark} [b]{len(lines)} lines written, {len(lines) - missing} in S3, {missing} missing[/], "
        f"{sum(done.platform_events for done in runs)} platform events, in {objects} objects\n"
        f"  from written to stored: {delays}\n"
        f"  {python}, awslambdaric {ric}, AWS's runtime interface emulator, S3 and Firehose by moto",
        soft_wrap=True,
    )
    said = [text for done in runs for text in journey.own_messages(done.emulator)]
    for text in dict.fromkeys(said):
        console.print(Text(text, "yellow"), soft_wrap=True)


if __name__ == "__main__":
    main()
