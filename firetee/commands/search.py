"""`firetee search`: delivered lines of a time in the past, from a stream's bucket."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from firetee.cloud import lines, objects, searching
from firetee.commands.choosing import header, line_options, shown, stream_of, wanted
from firetee.commands.common import EXIT_CODES, Command, console, failures_shown, open_cloud, region_option

LIMIT = 10_000
"""As many as CloudWatch Logs Insights shows at most."""


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("stream")
@line_options
@click.option(
    "--limit", type=click.IntRange(0), default=LIMIT, show_default=True, metavar="N", help="The newest N; 0 for all."
)
@click.option(
    "--late",
    default="1h",
    show_default=True,
    metavar="SPAN",
    help="How long after they were written lines may be sent.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each line as it was delivered.")
@region_option
@failures_shown
def search(
    stream: str,
    function: str,
    request_id: str,
    level: str,
    kind: str,
    grep: str,
    since: str,
    until: str,
    limit: int,
    late: str,
    as_json: bool,
    region: str | None,
) -> None:
    """Search the lines that STREAM has delivered to its bucket.

    Reads the objects of the time asked for, and shows what is found in the order of time, each line once. An outage of
    Firehose or a crash can delay lines: --late says how much later than --until they are looked for.
    """
    now = datetime.now(timezone.utc)
    asked = wanted(
        now, function=function, request_id=request_id, level=level, kind=kind, grep=grep, since=since, until=until
    )
    patience = lines.parse_span(late)
    out, said = console(), console(stderr=True)
    with searching.opened(asked, limit) as found:
        cloud = open_cloud(region)
        source = stream_of(cloud, stream)
        begun = time.monotonic()
        assert asked.since is not None
        stored = list(
            objects.objects_between(cloud, source, asked.since, asked.until, function=function, late=patience)
        )
        readable = [each for each in stored if not each.archived]
        size = sum(each.size for each in readable)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=said, transient=True, disable=not said.is_terminal,
        )  # fmt: skip
        with bar:
            task = bar.add_task(f"{len(readable):,} objects", total=size)
            found.read(cloud, source.bucket, readable, lambda done: bar.advance(task, done))
        width = max(found.width("function"), len("FUNCTION"))
        count = 0
        for count, line in enumerate(found.lines(), 1):
            if as_json:
                click.echo(line.text)
                continue
            if count == 1:
                out.print(header(width))
            out.print(shown(line, width))
        if not as_json:
            took_s = time.monotonic() - begun
            said.print(f"{count:,} lines found in {len(readable):,} objects, {size / 1e6:,.1f} MB, in {took_s:.1f} s.")
        if found.has_more:
            said.print(f"These are the newest {limit:,}, there are more: --limit 0 shows all.")
        if len(readable) < len(stored):
            said.print(f"{len(stored) - len(readable):,} objects are archived, and were not read: restore them first.")
