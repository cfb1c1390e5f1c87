"""`firetee layer publish`: the layer in one region or in all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from firetee.cloud import layers, payload
from firetee.cloud.aws import Cloud
from firetee.cloud.layers import RegionResult
from firetee.cloud.wiring import LAYER_NAME
from firetee.commands.common import (
    EXIT_CODES,
    Command,
    console,
    failure_fields,
    failures_shown,
    json_option,
    leave,
    open_cloud,
    show_failure,
    worst,
)


@click.command(cls=Command, epilog=EXIT_CODES)
@click.option(
    "--region", "regions", multiple=True, metavar="REGION", help="May be repeated; by default your own region."
)
@click.option("--all-regions", is_flag=True, help="Every region that is enabled in the account.")
@click.option("--layer-name", default=LAYER_NAME, show_default=True, help="Name of the layer.")
@click.option(
    "--zip",
    "zip_path",
    type=click.Path(path_type=Path),
    help="The layer's zip; by default it is built, once.",
)
@click.option("--public", is_flag=True, help="Let every AWS account use the version.")
@json_option
@failures_shown
def publish(
    regions: tuple[str, ...],
    all_regions: bool,
    layer_name: str,
    zip_path: Path | None,
    public: bool,
    as_json: bool,
) -> None:
    """Publish the layer, in all chosen regions at once.

    A region that has a version with the very same content keeps it: running this twice publishes once.
    """
    cloud = open_cloud(regions[0] if regions else None)
    chosen = _enabled(cloud) if all_regions else list(dict.fromkeys(regions)) or [cloud.region]
    zip_ = payload.layer_zip(zip_path)
    status = console(stderr=True)
    with Progress(
        TextColumn("publishing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=status,
        transient=True,
        disable=as_json or not status.is_terminal,
    ) as progress:
        task = progress.add_task("", total=len(chosen))
        results = layers.publish_everywhere(
            cloud,
            chosen,
            layer_name,
            zip_,
            public=public,
            on_done=lambda result: progress.update(task, advance=1, description=result.region),
        )
    if as_json:
        click.echo(json.dumps({"sha256": zip_.sha256, "regions": [_fields(each) for each in results]}, indent=2))
    else:
        for each in results:
            _show(each)
    leave(worst([each.problem.exit_code if each.problem else 0 for each in results]))


def _enabled(cloud: Cloud) -> list[str]:
    answer = cloud.client("ec2").describe_regions(AllRegions=False)
    return sorted(each["RegionName"] for each in answer["Regions"])


def _fields(result: RegionResult) -> dict[str, Any]:
    found: dict[str, Any] = {"region": result.region}
    if result.published:
        found |= {"arn": result.published.arn, "new": result.published.new}
    if result.problem:
        found |= failure_fields(result.problem)
    return found


def _show(result: RegionResult) -> None:
    if result.published:
        how = "published" if result.published.new else "there already"
        console().print(Text(f"{result.region}  ", "bold") + Text(f"{result.published.arn}  ({how})"))
    if result.problem:
        console(stderr=True).print(Text(f"{result.region}", "bold"))
        show_failure(result.problem)
