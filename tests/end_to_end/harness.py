"""Functions in the real emulator with the real runtime client, bare and through the built layer.

result = stage.run("def handler(event, context): print('hello')", [{}])
result.lines            what Firehose has, as parsed envelopes
bare, teed = stage.both(source, events)
assert teed.observed == bare.observed
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firetee.emulator import Emulator, Frame, Function, Response
from firetee.runtimes import DEFAULT_RIC, Python
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose

STREAM = "logs"

#: What differs from run to run: request ids, times of day, the emulator's ports.
_VOLATILE = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
]


def steady(text: str) -> str:
    """`text` without what differs from run to run."""
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return text


@dataclass(frozen=True)
class Observed:
    """All that the outside world sees of a function, without what differs from run to run."""

    responses: list[tuple[int, str]]
    stdout: str
    stderr: str
    frames: list[tuple[str, bool, str]]
    exits: list[int | None]


@dataclass(frozen=True)
class Result:
    """What came of a run. `lines`: what Firehose took, in order, as parsed envelopes (empty for a bare run)."""

    responses: list[Response]
    stdout: bytes
    stderr: bytes
    frames: list[Frame]
    exits: list[int | None]
    log: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def observed(self) -> Observed:
        return Observed(
            [(each.status, steady(each.body.decode())) for each in self.responses],
            steady(self.stdout.decode("utf-8", "backslashreplace")),
            steady(self.stderr.decode("utf-8", "backslashreplace")),
            [(frame.level, frame.is_json, steady(frame.message)) for frame in self.frames],
            self.exits,
        )

    def records(self, kind: str = "function") -> list[Any]:
        """The `record` of each delivered line of one type, in order."""
        return [line["record"] for line in self.lines if line["type"] == kind]


@dataclass(frozen=True)
class Stage:
    """One Python with one runtime client, the unpacked layer, a Firehose, and a folder for the function."""

    python: Python
    layer: Path
    firehose: Firehose
    folder: Path
    ric: str = DEFAULT_RIC

    def write(self, source: str, files: Mapping[str, str] | None = None) -> Path:
        """A task root with `source` as app.py and other files; the same path every time, as it shows in tracebacks."""
        task = self.folder / "task"
        for name, content in {"app.py": source, **(files or {})}.items():
            path = task / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))
        return task

    @contextmanager
    def environment(
        self,
        source: str,
        *,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        wrapped: bool = True,
        telemetry: bool = True,
        module: bool = False,
        options: Sequence[str] = (),
        handler: str = "app.handler",
        timeout_s: int = 10,
        memory_mb: int = 128,
        folder: Path | None = None,
    ) -> Iterator[Emulator]:
        """A running environment, to be invoked step by step. The settings are the same bare and wrapped."""
        settings = {
            "AWS_REGION": "eu-west-1",  # where the fake is
            "AWS_DEFAULT_REGION": "eu-west-1",
            "FIRETEE_STREAM": STREAM,
            "AWS_ENDPOINT_URL_FIREHOSE": self.firehose.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": TOKEN,
        }
        function = Function(
            self.write(source, files),
            handler,
            {**settings, **(env or {})},
            memory_mb=memory_mb,
            timeout_s=timeout_s,
        )
        wrapper = self.layer / "bin" / "exec-wrapper" if wrapped else None
        with Emulator(
            function,
            self.python,
            ric=self.ric,
            wrapper=wrapper,
            telemetry=telemetry,
            module=module,
            options=options,
            folder=folder,
        ) as emulator:
            yield emulator

    def run(self, source: str, events: Iterable[object] = ({},), *, shutdown: bool = True, **options: Any) -> Result:
        """Invoke once for each event, end the environment as Lambda does (or kill it), tell what was seen.

        `options`: those of `environment`.
        """
        known = len(self.firehose.lines(STREAM))
        with self.environment(source, **options) as emulator:
            responses = [emulator.invoke(event) for event in events]
            if shutdown:
                emulator.shutdown()
        return Result(
            responses,
            emulator.stdout,
            emulator.stderr,
            emulator.frames,
            emulator.exits,
            emulator.log,
            self.firehose.lines(STREAM)[known:],
        )

    def both(self, source: str, events: Sequence[object] = ({},), **options: Any) -> tuple[Result, Result]:
        """The same run without and with firetee."""
        return self.run(source, events, wrapped=False, **options), self.run(source, events, **options)
