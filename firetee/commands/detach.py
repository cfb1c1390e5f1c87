"""`firetee detach`: functions as they were before."""

from __future__ import annotations

import click

from firetee.cloud import permissions
from firetee.cloud.plan import Plan, plan_detach
from firetee.cloud.wiring import LAYER_NAME
from firetee.commands import changing, selecting
from firetee.commands.common import EXIT_CODES, Command, failures_shown, json_option, region_option


@click.command(cls=Command, epilog=EXIT_CODES)
@selecting.selection_options
@selecting.yes_option
@click.option("--layer-name", default=LAYER_NAME, show_default=True, help="Name of the layer to take off.")
@click.option("--purge", is_flag=True, help="Take off also what was there of firetee before `attach`.")
@click.option("--dry-run", is_flag=True, help="Show the difference, change nothing.")
@region_option
@json_option
@failures_shown
def detach(
    selection: selecting.Selection,
    layer_name: str,
    purge: bool,
    dry_run: bool,
    region: str | None,
    as_json: bool,
) -> None:
    """Take firetee off FUNCTIONs again.

    Variables, layers, exec wrapper and the role's permission become what they were before `attach`; what was changed
    since stays. The stream, its bucket and the published layer stay too: others may use them.
    """
    cloud, chosen = selecting.choose(region, selection)
    selecting.ask(cloud, selection, chosen, dry_run=dry_run)

    def plan(name: str) -> Plan:
        function = changing.read(cloud, name, layer_name)
        present = permissions.read(cloud, function, leaving=chosen)
        return plan_detach(function, present, purge=purge, layer_name=layer_name)

    changing.run(cloud, chosen, plan, dry_run=dry_run, as_json=as_json, done="detached")
