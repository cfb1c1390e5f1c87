"""`firetee status`: which functions have firetee, at a glance."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import click
from rich.table import Table

from firetee.cloud import layers, recognise, versions, wiring
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, explain
from firetee.cloud.state import FunctionState, read_function
from firetee.commands import selecting, side_by_side
from firetee.commands.common import Command, console, failures_shown, json_option, leave, region_option

ATTACHED, PARTLY, BARE, UNREADABLE = "attached", "partly", "bare", "unreadable"


_WIDE = 500
"""Columns of the table where it goes to a file or a pipe: no cell is broken there. A choice."""


@dataclass(frozen=True)
class Row:
    """One function: `state` is attached, partly (one of layer, wrapper and stream is missing), bare or unreadable."""

    function: str
    state: str
    streams: tuple[str, ...] = ()
    layer: str = ""
    release: str = ""
    without: tuple[str, ...] = ()
    """Aliases and published versions that run without firetee although the function has it."""
    error: str = ""

    @property
    def shown(self) -> str:
        """The state in words."""
        return self.error or ", ".join([self.state, *(f"but not {each}" for each in self.without)])


@click.command(
    cls=Command, epilog="\b\nExit codes:\n  0  shown\n  1  a function cannot be read, or none is meant\n  2  usage"
)
@selecting.selection_options
@region_option
@json_option
@failures_shown
def status(selection: selecting.Selection, region: str | None, as_json: bool) -> None:
    """Show which FUNCTIONs have firetee, with which layer, and where they send. Changes nothing.

    `firetee doctor` looks closer at one of them.
    """
    cloud, chosen = selecting.choose(region, selection)
    rows = side_by_side.each(
        chosen,
        lambda name: _look(cloud, name),
        lambda name: Row(name, UNREADABLE, error="Interrupted before this function was looked at."),
        lambda row: None,  # a table is shown when all is there
        quiet=as_json,
    )
    if as_json:
        click.echo(json.dumps({"functions": [asdict(row) for row in rows]}, indent=2))
    else:
        table = Table("function", "firetee", "stream", "layer", box=None, pad_edge=False)
        for row in rows:
            table.add_row(row.function, row.shown, ", ".join(row.streams), row.release or row.layer)
        out = console()
        if not out.is_terminal:
            out.width = _WIDE
        out.print(table)
        counts = [(sum(row.state == each for row in rows), each) for each in (ATTACHED, PARTLY, BARE, UNREADABLE)]
        out.print(f"{len(rows)} functions: {', '.join(f'{count} {state}' for count, state in counts if count)}")
    leave(1 if any(row.error for row in rows) else 0)


def _look(cloud: Cloud, name: str) -> Row:
    try:
        function = recognise.layers_of(cloud, read_function(cloud, name))
        return _row(cloud, versions.of(cloud, function) if function.version == "$LATEST" else function)
    except Exception as error:  # noqa: BLE001 - one function's failure is a result
        return Row(name, UNREADABLE, error=explain(error).message)


def _row(cloud: Cloud, function: FunctionState) -> Row:
    ours = [each for each in function.layers if wiring.is_ours(each, known=function.our_layers)]
    streams = tuple(wiring.named_streams(function.env))
    signs = [bool(ours), function.env.get(wiring.WRAPPER_VARIABLE) == wiring.EXEC_WRAPPER, bool(streams)]
    state = ATTACHED if all(signs) else PARTLY if any(signs) else BARE
    without = tuple(str(each) for each in function.published or () if not each.has_firetee and state != BARE)
    release = _release(cloud, ours[0]) if ours else ""
    return Row(function.name, state, streams, ours[0] if ours else "", release, without)


def _release(cloud: Cloud, layer_version_arn: str) -> str:
    try:
        return layers.release_of(cloud, layer_version_arn)
    except Exception as error:
        if isinstance(error, CloudError) or type(error).__module__.startswith("botocore"):
            return ""  # it may not be looked at
        raise
