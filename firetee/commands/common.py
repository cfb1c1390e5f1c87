"""What the cloud commands share: options, the way to AWS, and how a failure is shown."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.text import Text

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import EXIT_LEFTOVERS, CloudError, Leftovers, explain

P = ParamSpec("P")
R = TypeVar("R")

region_option = click.option("--region", metavar="REGION", help="AWS region; by default the one you are set up for.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
EXIT_CODES = """\b
Exit codes:
  0  done, or nothing to do
  1  refused or failed; nothing is left changed
  2  the command line is wrong
  3  failed half way, and something is left: the message lists it"""


def console(*, stderr: bool = False) -> Console:
    """A console for people: colours on a terminal only, and lines that are never cut."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def open_cloud(region: str | None) -> Cloud:
    """The account and region that the command works on. Tests put a maker of their own into click's `obj`."""
    context = click.get_current_context(silent=True)
    maker: Any = context.find_root().obj if context else None
    return maker(region) if callable(maker) else Cloud(region)


def show_failure(error: CloudError, *, as_json: bool = False) -> None:
    """A failure in words on stderr: what happened, what is left, what to do. With `as_json`, on stdout."""
    if as_json:
        click.echo(json.dumps(failure_fields(error), indent=2))
        return
    out = console(stderr=True)
    out.print(Text("Error: ", "bold red") + Text(error.message))
    if isinstance(error, Leftovers):
        out.print(Text("Still changed:", "bold"))
        for line in error.left:
            out.print(Text(f"  - {line}"))
    if error.remedy:
        out.print(Text("What to do: ", "bold") + Text(error.remedy))


def failure_fields(error: CloudError) -> dict[str, Any]:
    """A failure as the JSON documents have it."""
    fields: dict[str, Any] = {"error": error.message, "remedy": error.remedy}
    if isinstance(error, Leftovers):
        fields["left"] = list(error.left)
    return fields


def leave(code: int) -> NoReturn:
    """End the command with this exit code."""
    click.get_current_context().exit(code)
    raise AssertionError("click ends the command")


def worst(codes: list[int]) -> int:
    """The exit code of a run over several functions: leftovers outweigh a plain failure."""
    return EXIT_LEFTOVERS if EXIT_LEFTOVERS in codes else max(codes, default=0)


def failures_shown(command: Callable[P, R]) -> Callable[P, R]:
    """Show a command's failure as `show_failure` does, and end with its exit code. Programming errors are not
    caught."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            module = type(error).__module__
            if not isinstance(error, CloudError) and not module.startswith("botocore"):
                raise
            failure = explain(error)
            show_failure(failure, as_json=bool(kwargs.get("as_json")))
            leave(failure.exit_code)

    return run
