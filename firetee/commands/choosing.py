"""What `tail` and `search` share: the stream, which lines are wanted, and how one is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click
from rich.text import Text

from firetee.cloud import arns, lines, streams
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, WrongUsage
from firetee.cloud.lines import Line, Wanted
from firetee.record import text_of

F = TypeVar("F", bound=Callable[..., Any])

_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "DEBUG": "dim", "TRACE": "dim"}
_READABLE = {"UNCOMPRESSED", "GZIP"}
TIME_WIDTH, ID_WIDTH, LEVEL_WIDTH = 23, 8, 8


def line_options(command: F) -> F:
    """The options by which lines are chosen; `wanted` takes their values."""
    level = click.Choice(["", *lines.levels()], case_sensitive=False)
    for option in (
        click.option("--until", default="", metavar="TIME", help="The same; by default now."),
        click.option(
            "--since", default="1h", show_default=True, metavar="TIME", help="15m, 2h, 1d, or 2026-11-23T13:50."
        ),
        click.option("--grep", default="", metavar="REGEX", help="Only lines that match."),
        click.option(
            "--type", "kind", default="", metavar="KIND", help="function, extension, platform or one of its events."
        ),
        click.option("--level", default="", type=level, help="This level and up."),
        click.option(
            "--request-id", default="", metavar="ID", help="Only this invocation's lines; the beginning will do."
        ),
        click.option("--function", default="", metavar="NAME", help="Only this function's lines."),
    ):
        command = option(command)
    return command


def wanted(now: datetime, *, since: str, until: str, level: str, grep: str, **fields: str) -> Wanted:
    """What the options ask for. Raises WrongUsage for a time or a range that is none, UsageError for a pattern."""
    begin = lines.parse_time(since, now)
    end = lines.parse_time(until, now) if until else None
    if end is not None and end < begin:
        raise WrongUsage(f"--until {until} is before --since {since}.", "Give the earlier time to --since.")
    return Wanted(min_level=level.upper(), since=begin, until=end, pattern=_compiled(grep), **fields)


def stream_of(cloud: Cloud, text: str) -> streams.StreamFacts:
    """The stream that a name or an ARN means. Raises CloudError if there is none, or if it does not deliver to S3."""
    parsed = arns.parse(text)
    name = parsed.resource.partition("/")[2] if parsed else text
    found = streams.read_stream(cloud.in_region(parsed.region) if parsed else cloud, name)
    if found is None:
        raise CloudError(f"There is no delivery stream {name!r} in {cloud.region}.", "Check the name and --region.")
    if not found.bucket:
        raise CloudError(f"{name} does not deliver to S3.", "Look for its lines where it delivers to.")
    if found.compression not in _READABLE:
        raise CloudError(
            f"{name} compresses its objects with {found.compression}, which cannot be read here.",
            "Query them with Athena, or let the stream compress with GZIP from now on.",
        )
    return found


def header(function_width: int) -> Text:
    """The names of the columns of `shown`."""
    columns = [("TIME", TIME_WIDTH), ("FUNCTION", function_width), ("REQUEST", ID_WIDTH)]
    names = "".join(f"{name:<{width}}  " for name, width in columns) + f"{'LEVEL':<{LEVEL_WIDTH}}RECORD"
    return Text(names, "bold")


def shown(line: Line, function_width: int = 0) -> Text:
    """A line for people; one without an envelope as it is."""
    if line.envelope is None:
        return Text(line.text)
    level, kind = line.get("level"), line.get("type")
    text = Text(f"{line.get('time')[:TIME_WIDTH].replace('T', ' '):<{TIME_WIDTH if function_width else 0}}", "dim")
    text.append(f"  {line.get('function'):<{function_width}}", "cyan")
    text.append(f"  {line.get('requestId')[:ID_WIDTH]:<{ID_WIDTH if function_width else 0}}", "dim")
    text.append(f"  {level or '-':<{LEVEL_WIDTH}}", _STYLES.get(level, ""))
    said = text_of(line.envelope.get("record", ""))
    text.append(said if kind == "function" else f"{kind} {said}", _STYLES.get(level, ""))
    return text


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise click.UsageError(f"--grep {pattern}: {error}") from error
