"""`firetee status`: which functions have firetee, at a glance."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import click
from rich.table import Table

from firetee.cloud import layers, recognise, wiring
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, explain
from firetee.cloud.facts import named_streams
from firetee.cloud.state import FunctionState, read_function
from firetee.commands import changing
from firetee.commands.common import Command, console, failures_shown, json_option, leave, open_cloud, region_option

ATTACHED, PARTLY, BARE, UNREADABLE = "attached", "partly", "bare", "unreadable"


@dataclass(frozen=True)
class Row:
    """One function: `state` is attached, partly (one of layer, wrapper and stream is missing), bare or unreadable."""

    function: str
    state: str
    streams: tuple[str, ...] = ()
    layer: str = ""
    release: str = ""
    error: str = ""


@click.command(
    cls=Command, epilog="\b\nExit codes:\n  0  shown\n  1  a function cannot be read, or none is meant\n  2  usage"
)
@changing.selection_options
@region_option
@json_option
@failures_shown
def status(selection: changing.Selection, region: str | None, as_json: bool) -> None:
    """Show which FUNCTIONs have firetee, with which layer, and where they send. Changes nothing.

    `firetee doctor` looks closer at one of them.
    """
    cloud = open_cloud(region)
    chosen = changing.choose(cloud, selection)
    with ThreadPoolExecutor(changing.FUNCTIONS_AT_ONCE) as pool:
        rows = list(pool.map(lambda name: _look(cloud, name), chosen))
    if as_json:
        click.echo(json.dumps({"functions": [asdict(row) for row in rows]}, indent=2))
    else:
        table = Table("function", "firetee", "stream", "layer", box=None, pad_edge=False)
        for row in rows:
            table.add_row(row.function, row.error or row.state, ", ".join(row.streams), row.release or row.layer)
        out = console()
        out.print(table)
        counts = [(sum(row.state == each for row in rows), each) for each in (ATTACHED, PARTLY, BARE, UNREADABLE)]
        out.print(f"{len(rows)} functions: {', '.join(f'{count} {state}' for count, state in counts if count)}")
    leave(1 if any(row.error for row in rows) else 0)


def _look(cloud: Cloud, name: str) -> Row:
    try:
        return _row(cloud, recognise.layers_of(cloud, read_function(cloud, name)))
    except Exception as error:  # noqa: BLE001 - one function's failure is a result
        return Row(name, UNREADABLE, error=explain(error).message)


def _row(cloud: Cloud, function: FunctionState) -> Row:
    ours = [each for each in function.layers if wiring.is_ours(each, known=function.our_layers)]
    streams = tuple(named_streams(function.env))
    signs = [bool(ours), function.env.get(wiring.WRAPPER_VARIABLE) == wiring.EXEC_WRAPPER, bool(streams)]
    state = ATTACHED if all(signs) else PARTLY if any(signs) else BARE
    return Row(function.name, state, streams, ours[0] if ours else "", _release(cloud, ours[0]) if ours else "")


def _release(cloud: Cloud, layer_version_arn: str) -> str:
    try:
        return layers.release_of(cloud, layer_version_arn)
    except Exception as error:
        if isinstance(error, CloudError) or type(error).__module__.startswith("botocore"):
            return ""  # it may not be looked at
        raise
