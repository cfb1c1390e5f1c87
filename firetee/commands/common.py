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
from firetee.cloud.errors import (
    EXIT_LEFTOVERS,
    EXIT_USAGE,
    CloudError,
    Interrupted,
    Leftovers,
    WrongUsage,
    explain,
)
from firetee.cloud.preflight import Refused

P = ParamSpec("P")
R = TypeVar("R")

region_option = click.option("--region", metavar="REGION", help="AWS region; by default the one you are set up for.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
EXIT_CODES = """\b
Exit codes:
  0  done, or nothing to do
  1  refused or failed; nothing is left changed
  2  the command line is wrong
  3  failed or interrupted half way, and something is changed: the message lists it"""


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
    if isinstance(error, Refused):
        fields["problems"] = [{"error": each.message, "remedy": each.remedy} for each in error.problems]
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


class Command(click.Command):
    """A command whose `--json` holds for a wrong command line too: one JSON document on stdout, and exit code 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wants_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if not wants_json:
                raise
            show_failure(WrongUsage(error.format_message(), f"See `{ctx.command_path} --help`."), as_json=True)
            ctx.exit(EXIT_USAGE)


def failures_shown(command: Callable[P, R]) -> Callable[P, R]:
    """Show a command's failure as `show_failure` does, and end with its exit code. Programming errors are not
    caught."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        failure: CloudError
        try:
            result = command(*args, **kwargs)
        except click.UsageError as error:
            if not kwargs.get("as_json"):
                raise
            failure = WrongUsage(error.format_message())
        except KeyboardInterrupt:
            failure = Interrupted("Interrupted.")
        except Exception as error:
            module = type(error).__module__
            if not isinstance(error, (CloudError, OSError, click.ClickException)) and not module.startswith("botocore"):
                raise
            failure = CloudError(error.format_message()) if isinstance(error, click.ClickException) else explain(error)
        else:
            return result
        show_failure(failure, as_json=bool(kwargs.get("as_json")))
        leave(failure.exit_code)

    return run
