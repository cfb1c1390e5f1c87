"""`firetee cost`: what lines cost a month, with one's own numbers."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table

from firetee.bill import Load, Prices, cloudwatch_bytes, firehose_bytes, monthly
from firetee.commands.common import Command, console, failures_shown, json_option

_TITLES = {
    "firehose": "firetee: Firehose",
    "duration": "firetee: longer invocations",
    "firetee": "firetee, together",
    "cloudwatch": "CloudWatch Logs, standard class",
    "delivery": "Lambda's own delivery to Firehose",
}
_AT_LEAST_0 = click.FloatRange(min=0)


@click.command(cls=Command, epilog="\b\nExit codes:\n  0  shown\n  2  usage")
@click.option("--invocations", type=click.IntRange(min=0), default=1_000_000, show_default=True, help="A month.")
@click.option("--lines", type=_AT_LEAST_0, default=10.0, show_default=True, help="Lines an invocation.")
@click.option("--bytes", "line_bytes", type=_AT_LEAST_0, default=200.0, show_default=True, help="Bytes a line.")
@click.option("--memory", type=click.IntRange(min=128), default=512, show_default=True, help="The function's, in MB.")
@click.option(
    "--added-ms", type=_AT_LEAST_0, default=2.0, show_default=True, help="What an invocation takes longer with firetee."
)
@click.option(
    "--together", type=click.FloatRange(min=1), default=1.0, show_default=True, help="Invocations a flush (`batched`)."
)
@click.option("--firehose-gb", type=_AT_LEAST_0, default=Prices.firehose_gb, show_default=True, help="$ a GB.")
@click.option("--cloudwatch-gb", type=_AT_LEAST_0, default=Prices.cloudwatch_gb, show_default=True, help="$ a GB.")
@click.option("--delivery-gb", type=_AT_LEAST_0, default=Prices.delivery_gb, show_default=True, help="$ a GB.")
@click.option("--gb-second", type=_AT_LEAST_0, default=Prices.lambda_gb_second, show_default=True, help="$, Lambda's.")
@json_option
@failures_shown
def cost(
    invocations: int,
    lines: float,
    line_bytes: float,
    memory: int,
    added_ms: float,
    together: float,
    firehose_gb: float,
    cloudwatch_gb: float,
    delivery_gb: float,
    gb_second: float,
    as_json: bool,
) -> None:
    """Compute what a month of lines costs, beside CloudWatch Logs and Lambda's own delivery. Asks nobody.

    Prices are those of us-east-1 in late 2026 (docs/cost.md); give your region's. Storage and queries are not counted.
    """
    load = Load(invocations, lines, line_bytes, memory, added_ms, together)
    prices = Prices(firehose_gb, cloudwatch_gb, delivery_gb, gb_second)
    dollars = monthly(load, prices)
    if as_json:
        volume = {"firehose": round(firehose_bytes(load)), "cloudwatch": round(cloudwatch_bytes(load))}
        document = {"load": asdict(load), "prices": asdict(prices), "billed_bytes": volume, "dollars": dollars}
        click.echo(json.dumps(document, indent=2))
        return
    table = Table("a month", "$", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, title in _TITLES.items():
        table.add_row(title, f"{dollars[name]:,.2f}")
    console().print(table)
