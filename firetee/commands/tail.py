"""`firetee tail`: delivered lines, from a stream's bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import count

import click
from rich.console import Console
from rich.text import Text

from firetee.cloud import arns, lines, objects, streams
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError
from firetee.cloud.lines import Line, Wanted
from firetee.commands.common import EXIT_CODES, Command, console, failures_shown, open_cloud, region_option

_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "DEBUG": "dim", "TRACE": "dim"}
POLL_S = 5.0
"""Firehose delivers once a minute or so: asking more often than this shows nothing sooner."""
LATE = timedelta(minutes=5)
"""How long after its name's hour an object may arrive. Firehose names an object when its buffer begins."""


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("stream")
@click.option("--function", "function", default="", metavar="NAME", help="Only this function's lines.")
@click.option("--request-id", default="", metavar="ID", help="Only this invocation's lines; the beginning will do.")
@click.option(
    "--level", default="", type=click.Choice(["", *lines.levels()], case_sensitive=False), help="This level and up."
)
@click.option("--type", "kind", default="", metavar="KIND", help="function, extension, platform or one of its events.")
@click.option("--grep", default="", metavar="REGEX", help="Only lines that match.")
@click.option("--since", default="1h", show_default=True, metavar="TIME", help="15m, 2h, 1d, or 2026-11-23T13:50.")
@click.option("--until", default="", metavar="TIME", help="The same; by default now.")
@click.option("--follow", "-f", is_flag=True, help="Go on showing lines as they are delivered.")
@click.option("--polls", type=int, default=None, hidden=True, help="With --follow: end after so many looks.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as it was delivered.")
@region_option
@failures_shown
def tail(
    stream: str,
    function: str,
    request_id: str,
    level: str,
    kind: str,
    grep: str,
    since: str,
    until: str,
    follow: bool,
    polls: int | None,
    as_json: bool,
    region: str | None,
) -> None:
    """Show the lines that STREAM has delivered to its bucket.

    Lines are in the bucket when the stream's buffer was written, a minute or so after the invocation. A line that was
    delivered twice is shown once.
    """
    cloud = open_cloud(region)
    now = datetime.now(timezone.utc)
    wanted = Wanted(
        function=function,
        request_id=request_id,
        min_level=level.upper(),
        kind=kind,
        since=lines.parse_time(since, now),
        until=lines.parse_time(until, now) if until else None,
        pattern=_compiled(grep),
    )
    found = _stream(cloud, stream)
    out = console()
    once, seen = lines.Once(), set[str]()
    for look in count(1):
        batch = list(once.new(_lines(cloud, found, wanted, seen)))
        for line in sorted(batch, key=lambda each: each.get("time")):
            if wanted.takes(line):
                _show(out, line, as_json)
        if not follow or look == polls:
            return
        cloud.pause(POLL_S)


def _stream(cloud: Cloud, text: str) -> streams.StreamFacts:
    parsed = arns.parse(text)
    name = parsed.resource.partition("/")[2] if parsed else text
    found = streams.read_stream(cloud.in_region(parsed.region) if parsed else cloud, name)
    if found is None:
        raise CloudError(f"There is no delivery stream {name!r} in {cloud.region}.", "Check the name and --region.")
    if not found.bucket:
        raise CloudError(f"{name} does not deliver to S3.", "Look for its lines where it delivers to.")
    return found


def _lines(cloud: Cloud, stream: streams.StreamFacts, wanted: Wanted, seen: set[str]) -> Iterator[Line]:
    """The lines of objects not seen before; `seen` grows."""
    since = (wanted.since or datetime.now(timezone.utc)) - LATE
    keys = [key for key in objects.keys_since(cloud, stream.bucket, stream.prefix, since) if key not in seen]
    seen.update(keys)
    for content in objects.contents(cloud, stream.bucket, keys):
        yield from lines.read_lines(content)


def _show(out: Console, line: Line, as_json: bool) -> None:
    if as_json or line.envelope is None:
        click.echo(line.text)
        return
    level = line.get("level")
    text = Text(line.get("time")[:23].replace("T", " "), "dim")
    text.append(f"  {line.get('function')}", "cyan")
    text.append(f"  {line.get('requestId')[:8]}", "dim")
    text.append(f"  {level or '-':<8}", _STYLES.get(level, ""))
    kind = line.get("type")
    text.append(line.get("record") if kind == "function" else f"{kind} {line.get('record')}", _STYLES.get(level, ""))
    out.print(text)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise click.UsageError(f"--grep {pattern}: {error}") from error
