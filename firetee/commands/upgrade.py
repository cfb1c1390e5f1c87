"""`firetee upgrade`: another version of the layer on functions that have firetee."""

from __future__ import annotations

from pathlib import Path

import click

from firetee.cloud import layers, payload, preflight
from firetee.cloud.executor import Applied, carry_out
from firetee.cloud.plan import Plan, plan_upgrade
from firetee.cloud.steps import PublishLayer
from firetee.cloud.wiring import LAYER_NAME
from firetee.commands import changing, selecting
from firetee.commands.common import EXIT_CODES, Command, failures_shown, json_option, region_option


@click.command(cls=Command, epilog=EXIT_CODES)
@selecting.selection_options
@selecting.yes_option
@click.option("--layer-arn", default="", metavar="ARN", help="Use this layer version; an older one rolls back.")
@click.option("--layer-name", default=LAYER_NAME, show_default=True, help="Name of the layer to find or publish.")
@click.option(
    "--zip", "zip_path", type=click.Path(path_type=Path), help="The layer's zip; by default it is built, once."
)
@click.option("--force", is_flag=True, help="Also with a layer that cannot be looked up from here.")
@click.option("--dry-run", is_flag=True, help="Show the difference, change nothing.")
@region_option
@json_option
@failures_shown
def upgrade(
    selection: selecting.Selection,
    layer_arn: str,
    layer_name: str,
    zip_path: Path | None,
    force: bool,
    dry_run: bool,
    region: str | None,
    as_json: bool,
) -> None:
    """Give FUNCTIONs that have firetee the layer of this version, or another one; settings and permissions stay.

    Functions without firetee are left as they are.
    """
    cloud, chosen = selecting.choose(region, selection)
    preflight.check_layer(cloud, layer_arn, force=force)
    selecting.ask(cloud, selection, chosen, dry_run=dry_run)
    zip_ = None
    if not layer_arn:
        zip_ = payload.cached() if dry_run and zip_path is None else payload.layer_zip(zip_path)
    if zip_ is not None:
        found = layers.find(cloud, layer_name, zip_.sha256)
        layer_arn = found.arn if found else ""
    made: Applied | None = None
    if not layer_arn and not dry_run and len(chosen) > 1:  # published for all of them, before the first
        made = carry_out(lambda: Plan(layer_name, (PublishLayer(layer_name, zip_),)), cloud)
        layer_arn = made.made.layer

    def plan(name: str) -> Plan:
        return plan_upgrade(changing.read(cloud, name, layer_name), layer_arn, zip_, layer_name=layer_name)

    changing.run(cloud, chosen, plan, dry_run=dry_run, as_json=as_json, done="upgraded", shared=made)
