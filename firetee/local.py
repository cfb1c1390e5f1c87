"""`firetee local`: any function in the real emulator, through the layer's wrapper, into an embedded Firehose.

`rehearse` is the part without a screen, which the demo uses too.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from firetee import journey, layer, runtimes
from firetee.embedded import EmbeddedFirehose, Stored, envelopes
from firetee.emulator import Emulator, Function, Response
from firetee.fetch import FetchError

#: How often `--watch` looks for changes, in seconds. A choice: unnoticeable to a person, and to the processor.
WATCH_S = 0.3

REQUEST_ID = re.compile(r"\b([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
STYLES = {
    "ERROR": "red",
    "CRITICAL": "bold red",
    "FATAL": "bold red",
    "WARNING": "yellow",
    "WARN": "yellow",
    "DEBUG": "dim",
}


@dataclass(frozen=True)
class Rehearsal:
    """What came of one environment's life: the answers, and every line with where it got to."""

    responses: list[Response]
    lines: list[journey.Line]
    emulator: Emulator
    calls: int
    platform_events: int

    @property
    def missing(self) -> list[journey.Line]:
        """Lines that the function wrote and that are not in the bucket."""
        return [line for line in self.lines if line.envelope is None]


def rehearse(
    function: Function,
    events: Sequence[object],
    python: runtimes.Python,
    ric: str,
    opt: Path,
    firehose: EmbeddedFirehose,
    on_response: Callable[[int, Response], None] = lambda number, response: None,
) -> Rehearsal:
    """Invoke a function once for each event in one environment, with the layer unpacked at `opt`; then shut down.

    The embedded Firehose must be running; what it had before is left out of the result.
    """
    calls_before = len(firehose.calls)
    settings = {"FIRETEE_STREAM": firehose.stream, "AWS_ENDPOINT_URL_FIREHOSE": firehose.url, **function.env}
    with Emulator(replace(function, env=settings), python, ric=ric, wrapper=opt / layer.EXECUTABLE) as emulator:
        responses = []
        for number, event in enumerate(events):
            responses.append(emulator.invoke(event))
            on_response(number, responses[-1])
        emulator.shutdown()
    calls = firehose.calls[calls_before:]
    times = journey.key_times((_envelopes(call), call.time_s) for call in calls)
    stored = [envelope for content in firehose.objects() for envelope in envelopes(content)]
    fresh = [envelope for envelope in stored if (envelope["environment"], envelope["seq"]) in times]
    lines = journey.pair(journey.written(emulator), fresh, times)
    platform_events = sum(envelope["type"].startswith("platform.") for envelope in fresh)
    return Rehearsal(responses, lines, emulator, len(calls), platform_events)


@contextmanager
def unpacked(python: runtimes.Python, zip_path: Path | None = None) -> Iterator[Path]:
    """A folder like /opt with the layer: of a given zip, or of one built from here for one Python."""
    with tempfile.TemporaryDirectory(prefix="firetee-opt-") as folder:
        built = zip_path or layer.build(Path(folder, "layer.zip"), [python.path])
        opt = Path(folder, "opt")
        layer.unpack(built, opt)
        yield opt


def short(text: str) -> str:
    """A line with its request ids cut short and without tabs, so that it fits a screen."""
    return REQUEST_ID.sub(r"\1…", text.replace("\t", " ").replace("\xa0", " "))


def one_line(envelope: journey.Envelope, took_ms: float | None) -> Text:
    """An envelope for people: time, how long it took, where it was written, level, what it says."""
    level, kind, record = envelope.get("level", ""), envelope["type"], envelope["record"]
    where = envelope.get("stream", "") if kind == "function" else kind
    text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    took = "" if took_ms is None else f"{took_ms:6.1f} ms"
    line = Text.assemble(
        (envelope["time"][11:23], "cyan"), "  ", (took, "green"), "  ", (f"{where:<8}", "magenta"), "  "
    )
    style = STYLES.get(level, "") if kind == "function" else "dim"
    return line.append(f"{level:<8} " if level else "", style).append(short(text), style)


class Screen:
    """Shows a rehearsal as it goes on: for people, or as one JSON object a line. Called on several threads."""

    def __init__(self, console: Console, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json

    def stored(self, call: Stored) -> None:
        """Lines have arrived."""
        for envelope in _envelopes(call):
            took_ms = (call.time_s - journey.time_s(envelope)) * 1000
            if self._as_json:
                self._emit({"kind": "line", "took_ms": round(took_ms, 3), "envelope": envelope})
            else:
                self._console.print(one_line(envelope, took_ms), soft_wrap=True)

    def response(self, number: int, response: Response) -> None:
        """An invocation has answered."""
        body = response.body.decode("utf-8", "replace")
        if self._as_json:
            took_ms = round(response.seconds * 1000, 3)
            self._emit(
                {"kind": "response", "event": number, "status": response.status, "body": body, "took_ms": took_ms}
            )
            return
        failed = response.status != 200 or '"errorType"' in body or body.startswith("Task timed out")
        style, mark = ("red", "✗") if failed else ("green", "✓")
        self._console.print(
            f"[{style}]{mark}[/] [b]answer {number + 1}[/] in {response.seconds * 1000:.0f} ms: {escape(body)}",
            soft_wrap=True,
        )

    def summary(self, done: Rehearsal) -> None:
        """The environment has ended."""
        arrived = len(done.lines) - len(done.missing)
        if self._as_json:
            missing = [{"stream": line.stream, "text": line.written} for line in done.missing]
            self._emit({"kind": "summary", "arrived": arrived, "calls": done.calls, "missing": missing})
            return
        calls = f"{done.calls} PutRecordBatch call{'' if done.calls == 1 else 's'}"
        self._console.print(f"[b]{arrived} lines in the bucket[/], {calls}, {len(done.missing)} missing")
        for line in done.missing:
            self._console.print(f"[red]missing[/] {line.stream}: {escape(line.written or '')}", soft_wrap=True)
        if done.missing:
            self._console.print("Native code and os.write are captured with [b]--env FIRETEE_CAPTURE=fd[/] only.")
        for text in journey.own_messages(done.emulator):
            self._console.print(f"[yellow]{escape(text)}[/]", soft_wrap=True)

    def _emit(self, message: dict[str, Any]) -> None:
        self._console.file.write(json.dumps(message, ensure_ascii=False) + "\n")
        self._console.file.flush()


@click.command()
@click.argument("target", metavar="FILE.HANDLER")
@click.option("--event", "event_files", multiple=True, type=click.File(), help="A JSON file, - for stdin; repeatable.")
@click.option("--python", "minor", help="The Python to run it on, as 3.12; by default the newest here.")
@click.option("--ric", default=runtimes.DEFAULT_RIC, show_default=True, type=click.Choice(list(runtimes.RICS)))
@click.option(
    "--env", "assignments", multiple=True, metavar="NAME=VALUE", help="A setting of the function; repeatable."
)
@click.option("--timeout", "timeout_s", default=30, show_default=True, help="The function's timeout in seconds.")
@click.option("--memory", "memory_mb", default=128, show_default=True, help="The memory it is told to have, in MB.")
@click.option("--zip", "zip_path", type=click.Path(path_type=Path, exists=True), help="A layer's zip to use.")
@click.option("--watch", is_flag=True, help="Run it again whenever a file beside it changes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: lines, responses, a summary.")
def command(
    target: str,
    event_files: tuple[TextIO, ...],
    minor: str | None,
    ric: str,
    assignments: tuple[str, ...],
    timeout_s: int,
    memory_mb: int,
    zip_path: Path | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Run a function here, in AWS's emulator with the real runtime client, and watch its lines arrive.

    FILE.HANDLER is a file without .py and a function in it: src/app.handler. It is invoked once for each --event, the
    first time cold, then warm; without any, once with {}. It needs no AWS account: the lines go to an embedded
    Firehose.

    Exits with 1 if a line is missing in the end.
    """
    function = Function(*_split(target), _settings(assignments), memory_mb=memory_mb, timeout_s=timeout_s)
    events = [_event(file) for file in event_files] or [{}]
    screen = Screen(Console(highlight=False), as_json)
    try:
        python = runtimes.find(minor) if minor else runtimes.installed()[-1]
        with unpacked(python, zip_path) as opt, EmbeddedFirehose(on_stored=screen.stored) as firehose:
            while True:
                before = _state(function.task_root)
                done = rehearse(function, events, python, ric, opt, firehose, screen.response)
                screen.summary(done)
                if not watch:
                    raise SystemExit(1 if done.missing else 0)
                while _state(function.task_root) == before:
                    time.sleep(WATCH_S)
    except (FetchError, layer.LayerError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _split(target: str) -> tuple[Path, str]:
    """The task root and the handler's name of FILE.HANDLER. Raises `UsageError` if there is no such file."""
    path, dot, handler = target.rpartition(".")
    file = Path(f"{path}.py").resolve()
    if not dot or not file.is_file():
        raise click.UsageError(
            f"{target}: there is no file {path or target}.py; FILE.HANDLER is for instance src/app.handler"
        )
    return file.parent, f"{file.stem}.{handler}"


def _settings(assignments: Sequence[str]) -> dict[str, str]:
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not name or not equals:
            raise click.UsageError(f"--env {assignment}: NAME=VALUE is needed")
        settings[name] = value
    if settings.get("FIRETEE_FORMAT", "json") != "json":
        raise click.UsageError("FIRETEE_FORMAT=text has no envelopes to follow the lines by: leave it out here")
    return settings


def _event(file: TextIO) -> object:
    try:
        return json.load(file)
    except ValueError as error:
        raise click.UsageError(f"--event {file.name}: not JSON: {error}") from error


def _state(folder: Path) -> dict[Path, float]:
    """When each file of a function was changed; a file that goes away meanwhile is a change too."""
    state = {}
    for path in folder.rglob("*"):
        if "__pycache__" not in path.parts:
            try:
                state[path] = path.stat().st_mtime
            except FileNotFoundError:
                continue
    return state


def _envelopes(call: Stored) -> list[journey.Envelope]:
    return [envelope for record in call.records for envelope in envelopes(record)]
