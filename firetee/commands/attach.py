"""`firetee attach`: have firetee on functions."""

from __future__ import annotations

from pathlib import Path

import click

from firetee import layer
from firetee.cloud import arns, layers, payload, permissions, preflight, streams
from firetee.cloud.executor import Applied, carry_out
from firetee.cloud.plan import Plan, Wish, plan_attach
from firetee.cloud.preflight import Asked
from firetee.cloud.steps import PublishLayer, Step
from firetee.cloud.wiring import LAYER_NAME, PREFIX
from firetee.commands import changing, selecting
from firetee.commands.common import EXIT_CODES, Command, failures_shown, json_option, region_option


@click.command(cls=Command, epilog=EXIT_CODES)
@selecting.selection_options
@selecting.yes_option
@click.option("--stream", required=True, metavar="NAME", help="Delivery stream, by name or ARN; several with commas.")
@click.option("--create-stream", is_flag=True, help="Make the stream, its bucket and its role if they are missing.")
@click.option(
    "--keep-days",
    default=streams.KEEP_DAYS,
    type=click.IntRange(1),
    show_default=True,
    help="With --create-stream: age limit of lines.",
)
@click.option("--set", "settings", multiple=True, metavar="FIRETEE_X=VALUE", help="A setting; may be repeated.")
@click.option("--role-arn", default="", metavar="ARN", help="Role to assume, for a stream in another account.")
@click.option("--layer-arn", default="", metavar="ARN", help="Use this layer version instead of publishing one.")
@click.option("--layer-name", default=LAYER_NAME, show_default=True, help="Name of the layer to find or publish.")
@click.option(
    "--zip",
    "zip_path",
    type=click.Path(path_type=Path),
    help="The layer's zip; by default it is built, once.",
)
@click.option("--no-role", is_flag=True, help="Leave the function's role alone; it may put records already.")
@click.option("--force", is_flag=True, help="Also with a stream, role or layer that cannot be looked up from here.")
@click.option("--dry-run", is_flag=True, help="Show the difference, change nothing.")
@region_option
@json_option
@failures_shown
def attach(
    selection: selecting.Selection,
    stream: str,
    create_stream: bool,
    keep_days: int,
    settings: tuple[str, ...],
    role_arn: str,
    layer_arn: str,
    layer_name: str,
    zip_path: Path | None,
    no_role: bool,
    force: bool,
    dry_run: bool,
    region: str | None,
    as_json: bool,
) -> None:
    """Send what FUNCTIONs write to a delivery stream.

    Publishes the layer if this version of it is not there yet, adds it, sets the variables, keeps another exec
    wrapper by chaining it, and allows the function's role to put records into that stream. A second run changes
    nothing; a failure half way is taken back. `firetee detach` restores the configuration as it was.
    """
    cloud, chosen = selecting.choose(region, selection)
    preflight.check(cloud, Asked(stream, create_stream, _parsed(settings), role_arn, layer_arn), force=force)
    selecting.ask(cloud, selection, chosen, dry_run=dry_run)
    zip_ = None
    if not layer_arn:
        # A dry run builds nothing: what is not built yet is not published yet either, as far as can be told.
        zip_ = payload.cached() if dry_run and zip_path is None else payload.layer_zip(zip_path)
    if zip_ is not None and (slower := layer.slower(zip_.compiled_for.split())):
        click.echo(f"Warning: the layer is {slower}.", err=True)
    if zip_ is not None:
        found = layers.find(cloud, layer_name, zip_.sha256)
        layer_arn = found.arn if found else ""
    wanted = arns.stream(stream, cloud.region, cloud.account) if create_stream else None
    if create_stream and wanted is None:
        raise click.UsageError("--create-stream makes one stream: give its name.")

    def stream_steps() -> list[Step]:
        return streams.steps_to_create(cloud, wanted, keep_days) if wanted else []

    def shared() -> Plan:
        publish = [PublishLayer(layer_name, zip_)] if not layer_arn else []
        return Plan(stream, (*stream_steps(), *publish))

    made: Applied | None = None
    alone = len(chosen) == 1 or dry_run
    if not alone:
        # What all functions share is made before the first, once; a function's failure must not take it from the
        # others.
        made = carry_out(shared, cloud)
        layer_arn = layer_arn or made.made.layer
    wish = Wish(
        stream=stream,
        settings=_parsed(settings),
        layer=layer_arn,
        layer_name=layer_name,
        zip_=zip_,
        role_to_assume=role_arn,
        change_role=not no_role,
    )

    def plan(name: str) -> Plan:
        function = changing.read(cloud, name, layer_name)
        present = permissions.read(cloud, function)
        return plan_attach(function, wish, present, stream_steps() if alone else ())

    changing.run(cloud, chosen, plan, dry_run=dry_run, as_json=as_json, done=f"attached to {stream}", shared=made)


def _parsed(settings: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.startswith(PREFIX):
            raise click.UsageError(f"--set {text}: write --set {PREFIX}NAME=VALUE.")
        if key in {"FIRETEE_STREAM", "FIRETEE_ROLE_ARN", "FIRETEE_EXEC_WRAPPER"}:
            raise click.UsageError(f"--set {text}: {key} has an option of its own, or is set by attach itself.")
        found[key] = value
    return found
