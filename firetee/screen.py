"""How delivered lines, answers and what became of a run are shown: for people, or as one JSON object a line."""

from __future__ import annotations

import json
import re
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from firetee import journey
from firetee.embedded.firehose import Stored
from firetee.emulator import Response
from firetee.record import text_of
from firetee.rehearsal import Rehearsal, records_of

REQUEST_ID = re.compile(r"\b([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
STYLES = {
    "ERROR": "red",
    "CRITICAL": "bold red",
    "FATAL": "bold red",
    "WARNING": "yellow",
    "WARN": "yellow",
    "DEBUG": "dim",
}


def short(text: str) -> str:
    """A line with its request ids cut short and without tabs, so that it fits a screen."""
    return REQUEST_ID.sub(r"\1…", text.replace("\t", " ").replace("\xa0", " "))


def one_line(envelope: journey.Envelope, took_ms: float | None) -> Text:
    """An envelope for people: time, how long it took, where it was written, level, what it says."""
    level, kind, record = envelope.get("level", ""), envelope["type"], envelope["record"]
    where = envelope.get("stream", "") if kind == "function" else kind
    text = text_of(record)
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
        for envelope in records_of(call):
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
            fields = {"event": number, "status": response.status, "body": body, "took_ms": took_ms}
            self._emit({"kind": "response", **fields, **({"error": response.error} if response.error else {})})
            return
        style, mark = ("green", "✓") if response.error is None else ("red", "✗")
        self._console.print(
            f"[{style}]{mark}[/] [b]answer {number + 1}[/] in {response.seconds * 1000:.0f} ms: {escape(body)}",
            soft_wrap=True,
        )

    def summary(self, done: Rehearsal) -> None:
        """The environment has ended."""
        arrived = len(done.lines) - len(done.missing)
        if self._as_json:
            named = {
                name: [{"stream": line.stream, "text": line.written} for line in lines]
                for name, lines in (("missing", done.missing), ("filtered", done.filtered), ("held", done.held))
            }
            self._emit({"kind": "summary", "arrived": arrived, "calls": done.calls, **named})
            return
        calls = f"{done.calls} PutRecordBatch call{'' if done.calls == 1 else 's'}"
        filtered = f", {len(done.filtered)} held back by the settings" if done.filtered else ""
        filtered += f", {len(done.held)} held and discarded" if done.held else ""
        lines = f"{arrived} line{'' if arrived == 1 else 's'}"
        self._console.print(
            f"[b]{lines} in the bucket[/], {calls}{filtered}, {len(done.missing)} missing", soft_wrap=True
        )
        for number, (lines_held, reason) in enumerate(_decisions(done), 1):
            if lines_held:
                decision = f"sent, for {escape(reason)}" if reason else "not worth sending"
                self._console.print(f"[dim]of answer {number} {lines_held} waited: {decision}[/]", soft_wrap=True)
        for line in done.held:
            self._console.print(f"[dim]held {line.stream}: {escape(line.written or '')}[/]", soft_wrap=True)
        for line in done.missing:
            self._console.print(f"[red]missing[/] {line.stream}: {escape(line.written or '')}", soft_wrap=True)
        if done.missing and done.died:
            self._console.print(
                "The process died: the environment's next start sends its last lines. Give another [b]--event[/].",
                soft_wrap=True,
            )
        elif done.missing:
            self._console.print("Native code and os.write are captured with [b]--env FIRETEE_CAPTURE=fd[/] only.")
        for text in journey.own_messages(done.emulator):
            self._console.print(f"[yellow]{escape(text)}[/]", soft_wrap=True)

    def serving(self, name: str, url: str) -> None:
        """Invocations are answered from now on."""
        if self._as_json:
            self._emit({"kind": "serving", "function": name, "url": url})
            return
        self._console.print(f"[b]{escape(name)}[/] is served until Ctrl-C. In another terminal:", soft_wrap=True)
        self._console.print(
            f"  aws lambda invoke --endpoint-url {url} --function-name {escape(name)} "
            "--region us-east-1 --no-sign-request /dev/stdout\n"
            f"  curl -d '{{}}' {url}/2015-03-31/functions/{escape(name)}/invocations",
            soft_wrap=True,
        )

    def failure(self, text: str) -> None:
        """It does not run, and why."""
        if self._as_json:
            self._emit({"kind": "error", "error": text})
            return
        self._console.print(f"[red]✗[/] {escape(text)}", soft_wrap=True)

    def note(self, text: str) -> None:
        """Something that a person should know; machines read it on stderr."""
        Console(stderr=True, highlight=False).print(escape(text), soft_wrap=True)

    def _emit(self, message: dict[str, Any]) -> None:
        self._console.file.write(json.dumps(message, ensure_ascii=False) + "\n")
        self._console.file.flush()


def _decisions(done: Rehearsal) -> list[tuple[int, str | None]]:
    """Of each invocation that has a report: how many lines waited for its outcome, and why they were sent."""
    reports = [each["record"]["firetee"] for each in done.platform if each["type"] == "platform.report"]
    return [(each.get("heldLines", 0), each.get("released")) for each in reports]
