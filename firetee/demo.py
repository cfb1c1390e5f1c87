"""`make demo`: functions through the built layer in the emulator, then what they wrote beside what was delivered.

The delivered lines stay in `firetee-demo/`, laid out as Firehose lays them out in S3. Exits with 1 if a line is
missing, was delivered without having been written, or a function answered wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from firetee import fetch, journey, layer, runtimes
from firetee.embedded.firehose import EmbeddedFirehose
from firetee.emulator import Function, Response
from firetee.record import text_of
from firetee.rehearsal import Place, Rehearsal, prepare, rehearse
from firetee.screen import short

EXAMPLES = fetch.ROOT / "examples"
#: The stream of the demo, and the folder that stands for its bucket.
STREAM = "firetee-demo"
#: What to ask of the lines: how each invocation ended, and how long it took.
QUERY = """SELECT function, left(CAST(requestId AS VARCHAR), 8) AS request, record->>'status' AS ended, \
record->'metrics'->>'durationMs' AS ms FROM read_json('{folder}/**/*.jsonl', union_by_name=true) \
WHERE type='platform.report' ORDER BY time"""


@dataclass(frozen=True)
class Example:
    """A function to show: a file of `examples/`, what it is about, and the events it gets."""

    file: str
    about: str
    events: Sequence[dict[str, object]]
    fails: int = 0  # how many of the invocations are meant to
    timeout_s: int = 3

    @property
    def function(self) -> Function:
        return Function(EXAMPLES, f"{self.file}.handler", name=self.file, timeout_s=self.timeout_s)


SHOWN = [
    Example("prints", "print, to both streams; a cold start, then warm", [{"say": "hello"}, {"say": "hello again"}]),
    Example("logs", "logging, which bypasses the streams on Lambda", [{"order": 17}, {"order": 18}]),
    Example("json_lines", "JSON lines arrive as objects, with their level", [{"order": 17}]),
    Example("fails", "an exception: the traceback is one record", [{"by": 2}, {"by": 0}, {"by": 3}], fails=1),
    Example("child", "a subprocess writes to the streams that it inherits", [{}]),
    Example(
        "crashes", "a crash: the next start in the same environment sends the rest", [{"order": 17}, {"order": 18}], 1
    ),
    Example("hangs", "a timeout explains itself: firetee says where the function stood", [{}], 1, timeout_s=1),
]


def failures(example: Example, responses: Sequence[Response], lines: Sequence[journey.Line]) -> list[str]:
    """What is wrong with an example's run, in words."""
    found = [f"{line.stream}: not delivered: {line.written!r}" for line in lines if line.envelope is None]
    found += [f"delivered, but nobody wrote it: {line.envelope}" for line in lines if line.written is None]
    failed = sum(response.error is not None for response in responses)
    if failed != example.fails:
        found.append(f"{failed} invocations failed, {example.fails} should have")
    return found


def table(example: Example, done: Rehearsal) -> Table:
    """What the function wrote, beside what was delivered."""
    shown = Table(
        box=box.ROUNDED, title=Text(f"{example.file}.py: {example.about}", "bold"), title_justify="left", expand=True
    )
    shown.add_column("fd", no_wrap=True, style="magenta")
    shown.add_column("the function wrote", ratio=2)
    shown.add_column("in the bucket", ratio=3)
    shown.add_column("took", justify="right", no_wrap=True)
    recovered = died(done)
    for line in done.lines:
        wrote = Text("nobody wrote this", "red") if line.written is None else Text(short(line.written))
        if line.envelope is None:
            stored, took = Text("MISSING", "bold red"), Text("")
        else:
            stored, took = _envelope(line.envelope), Text(f"{line.took_ms:.1f} ms", "green")
            if line.envelope["environment"] in recovered:
                stored.append("  sent by the next start", "yellow")
        shown.add_row(line.stream, wrote, stored, took)
    for envelope in done.platform:
        if envelope["type"] == "firetee.timeoutWarning":
            shown.add_row("", Text("(nothing: it hangs)", "dim"), Text(stood(envelope["record"]), "yellow"), "")
    return shown


def died(done: Rehearsal) -> set[str]:
    """The runtime processes that ended in a crash, by their ids: those without an end of their last invocation."""
    ended: dict[str, bool] = {}
    for envelope in done.platform:
        ended[envelope["environment"]] = envelope["type"] == "platform.report"
    return {environment for environment, reported in ended.items() if not reported}


def stood(warning: dict[str, Any]) -> str:
    """Where the function stood before its time was up: its own frames of the main thread, the innermost last."""
    (stack,) = [each["stack"] for each in warning["stacks"] if each["thread"] == "MainThread"]
    frames = [frame for frame in stack.split('  File "') if frame.startswith(str(EXAMPLES))]
    return f"{warning['remainingMs']:.0f} ms were left, and it stood at\n" + "".join(
        frame.removeprefix(f"{EXAMPLES}/").replace('"', "", 1) for frame in frames
    ).rstrip("\n")


def _envelope(envelope: journey.Envelope) -> Text:
    """An envelope in short: its number, its level, the cold start, what it says."""
    text = Text(f"#{envelope['seq']} ", "dim")
    if envelope.get("coldStart"):
        text.append("cold ", "cyan")
    if level := envelope.get("level"):
        text.append(f"{level} ", "yellow" if level != "INFO" else "green")
    record = envelope["record"]
    return text.append(short(text_of(record)))


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
@click.option("--python", "minor", help="The Python to run on, as 3.12; by default the one that runs this.")
@click.option("--ric", default=runtimes.DEFAULT_RIC, show_default=True, type=click.Choice(list(runtimes.RICS)))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(STREAM),
    show_default=True,
    help="The folder that stands for the bucket; an earlier demo's lines in it are replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(minor: str | None, ric: str, out: Path, as_json: bool) -> None:
    """Run the examples through the layer in AWS's emulator, and show what they wrote beside what was delivered."""
    console = Console(highlight=False)
    progress = Console(stderr=True, highlight=False)
    try:
        python = runtimes.find(minor) if minor else runtimes.this()
        opt = prepare(python, ric, progress.print)
        progress.print(f"Running {len(SHOWN)} functions on {python}")
        for path in out.glob(f"*/*/*/*/{STREAM}-1-*.jsonl"):
            path.unlink()
        runs = []
        with EmbeddedFirehose(out, STREAM) as firehose:
            place = Place(python, ric, opt, firehose)
            for example in SHOWN:
                with progress.status(f"Running {example.file}.py ..."):
                    done = rehearse(example.function, example.events, place)
                runs.append((example, done))
                if not as_json:
                    console.print(table(example, done), "")
            objects = len(firehose.paths)
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
        _summary(console, [done for _, done in runs], objects, out, python, ric)
        for failure in wrong:
            console.print(f"[red]✗[/] {failure}", markup=True, soft_wrap=True)
    raise SystemExit(1 if wrong else 0)


def whole_line(runs: Sequence[Rehearsal]) -> str:
    """One delivered line, as it lies in the bucket: that of a warning, which has most to tell."""
    lines = [line.envelope for done in runs for line in done.lines if line.envelope]
    chosen = next((each for each in lines if each.get("level") == "WARNING"), lines[0])
    return json.dumps(chosen, ensure_ascii=False, separators=(",", ":"))


def _summary(
    console: Console, runs: Sequence[Rehearsal], objects: int, out: Path, python: runtimes.Python, ric: str
) -> None:
    lines = [line for done in runs for line in done.lines]
    missing = sum(line.envelope is None for line in lines)
    took = sorted(line.took_ms for line in lines if line.took_ms is not None)
    delays = f"median {took[len(took) // 2]:.1f} ms, slowest {took[-1]:.1f} ms" if took else "-"
    mark = "[bold red]✗[/]" if missing else "[bold green]✓[/]"
    console.print(
        f"{mark} [b]{len(lines)} lines written, {len(lines) - missing} delivered, {missing} missing[/], "
        f"{sum(len(done.platform) for done in runs)} platform events, in {objects} objects\n"
        f"  from written to stored: {delays}\n"
        f"  {python}, awslambdaric {ric}, AWS's runtime interface emulator, an embedded Firehose",
        soft_wrap=True,
    )
    said = [text for done in runs for text in journey.own_messages(done.emulator)]
    for text in dict.fromkeys(said):
        console.print(Text(text, "yellow"), soft_wrap=True)

    if lines:
        console.print("\n[b]One line, as it lies in the bucket:[/]")
        console.print(Text(whole_line(runs)), soft_wrap=True)
    console.print(f"\n[b]All of them are in {escape(str(out))}/[/]. Ask them something (`pip install duckdb-cli`):")
    console.print(Text(f'duckdb -c "{query(out)}"'), soft_wrap=True)


def query(out: Path) -> str:
    """The query that is printed, over the delivered lines in a folder; it holds no double quote, so that a shell takes
    it in such quotes.
    """
    return QUERY.format(folder=out)


if __name__ == "__main__":
    main()
