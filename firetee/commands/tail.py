"""`firetee tail`: delivered lines, from a stream's bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import count

import click
from rich.console import Console

from firetee.cloud import lines, objects, streams
from firetee.cloud.aws import Cloud
from firetee.cloud.lines import Line, Wanted
from firetee.commands.choosing import line_options, shown, stream_of, wanted
from firetee.commands.common import EXIT_CODES, Command, console, failures_shown, open_cloud, region_option

POLL_S = 5.0
"""Firehose delivers once a minute or so: asking more often than this shows nothing sooner."""


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("stream")
@line_options
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
    asked = wanted(
        now, function=function, request_id=request_id, level=level, kind=kind, grep=grep, since=since, until=until
    )
    found = stream_of(cloud, stream)
    out = console()
    once, seen = lines.Once(), set[str]()
    for look in count(1):
        batch = list(once.new(_lines(cloud, found, asked, seen)))
        for line in sorted(batch, key=lambda each: each.get("time")):
            if asked.takes(line):
                _show(out, line, as_json)
        if not follow or look == polls:
            return
        cloud.pause(POLL_S)


def _lines(cloud: Cloud, stream: streams.StreamFacts, asked: Wanted, seen: set[str]) -> Iterator[Line]:
    """The lines of objects not seen before; `seen` grows."""
    since = asked.since or datetime.now(timezone.utc)
    keys = [key for key in objects.keys_since(cloud, stream, since, asked.function) if key not in seen]
    seen.update(keys)
    for content in objects.contents(cloud, stream.bucket, keys):
        yield from lines.read_lines(content)


def _show(out: Console, line: Line, as_json: bool) -> None:
    if as_json or line.envelope is None:
        click.echo(line.text)
    else:
        out.print(shown(line))
