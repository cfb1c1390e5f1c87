"""A function that other programs invoke: one environment that stays, and a new one where the code is another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType

import click

from firetee.emulator import Function, Response
from firetee.project import ProjectError
from firetee.rehearsal import Environment, Place, environment
from firetee.screen import Screen
from firetee.watching import Watch, drop_stale


class Served:
    """The function, from its first invocation on; killed when the `with` block ends.

    `invoke` is called on one thread at a time. With a watch, an invocation after a change gets a new environment.
    """

    def __init__(self, function: Callable[[], Function], place: Place, watching: Watch | None, screen: Screen) -> None:
        self.missing = 0
        self._function = function
        self._place = place
        self._watching = watching
        self._screen = screen
        self._stack = ExitStack()
        self._running: Environment | None = None
        self._count = 0

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def invoke(self, payload: bytes, headers: Mapping[str, str]) -> tuple[Response, bytes]:
        """The response to an event as JSON, and what the function wrote to stdout and stderr meanwhile."""
        try:
            running = self._environment()
        except (click.UsageError, ProjectError) as error:  # the file of variables was saved half way, perhaps
            return self._answered(_refused(str(error))), b""
        stdout, stderr = len(running.emulator.stdout), len(running.emulator.stderr)
        try:
            response = running.post(payload, headers)
        except OSError as error:  # the emulator died
            response = _refused(f"the emulator does not answer: {error}")
        if self._watching is not None:
            self._watching.end()
        return self._answered(response), running.emulator.stdout[stdout:] + running.emulator.stderr[stderr:]

    def end(self) -> None:
        """End the environment as Lambda does, if there is one, and show what came of it."""
        if self._running is not None:
            done = self._running.result()
            self._running = None
            self.missing += len(done.missing)
            self._screen.summary(done)
        self._stack.close()

    def _answered(self, response: Response) -> Response:
        self._screen.response(self._count, response)
        self._count += 1
        return response

    def _environment(self) -> Environment:
        if self._watching is not None and self._watching.changed():
            self.end()
            self._watching.begin()
        if self._running is None:
            function = self._function()
            drop_stale(function.task_root)
            self._running = self._stack.enter_context(environment(function, self._place))
        return self._running


def _refused(why: str) -> Response:
    """As Lambda tells what went wrong outside of the function."""
    return Response(502, json.dumps({"errorType": "Runtime.Unknown", "errorMessage": why}).encode(), 0.0)
