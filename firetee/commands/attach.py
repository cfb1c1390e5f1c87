"""`firetee attach`: have firetee on functions."""

from __future__ import annotations

from pathlib import Path

import click

from firetee import layer
from firetee.cloud import arns, layers, payload, policy, preflight, recognise, state, streams
from firetee.cloud.errors import Leftovers
from firetee.cloud.executor import carry_out
from firetee.cloud.plan import Plan, Wish, plan_attach
from firetee.cloud.preflight import Asked
from firetee.cloud.wiring import LAYER_NAME, PREFIX
from firetee.commands import changing
from firetee.commands.common import EXIT_CODES, Command, failures_shown, json_option, open_cloud, region_option


@click.command(cls=Command, epilog=EXIT_CODES)
@changing.selection_options
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
    selection: changing.Selection,
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
    cloud = open_cloud(region)
    chosen = changing.choose(cloud, selection)
    preflight.check(cloud, Asked(stream, create_stream, _parsed(settings), role_arn, layer_arn), force=force)
    changing.ask(cloud, selection, chosen, dry_run=dry_run)
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

    def shared() -> Plan:
        return Plan(stream, tuple(streams.steps_to_create(cloud, wanted, keep_days)) if wanted else ())

    made: Plan | None = None
    alone = len(chosen) == 1 or dry_run
    if not alone:
        # What all functions share is made before the first, once; a function's failure must not take it from the
        # others.
        made = carry_out(shared, cloud)
        if zip_ is not None:
            try:
                layer_arn = layers.find_or_publish(cloud, layer_name, zip_).arn
            except KeyboardInterrupt:
                left = [f"{change.what}: {change.after}" for step in made.steps for change in step.changes()]
                left.append(f"perhaps a new version of the layer {layer_name}, which no function uses")
                raise Leftovers("Interrupted before the first function: none was changed.", "", left) from None
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
        function = state.read_function(cloud, name)
        _refuse_versions(function, name)
        function = recognise.layers_of(cloud, function, layer_name)
        now = state.read_inline_policy(cloud, function.role_arn, policy.name_for(function.name, function.region))
        return plan_attach(function, wish, now, shared().steps if alone else ())

    changing.run(cloud, chosen, plan, dry_run=dry_run, as_json=as_json, done=f"attached to {stream}", shared=made)


def _refuse_versions(function: state.FunctionState, asked: str) -> None:
    if function.version != "$LATEST":
        raise click.UsageError(f"{asked}: published versions cannot be changed. Leave the qualifier away.")


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
