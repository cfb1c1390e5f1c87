"""`firetee layer build` and `firetee layer unpack`."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import click

from firetee import layer
from firetee.commands.common import Command, failures_shown
from firetee.fetch import FetchError

DEFAULT_ZIP = Path("dist/firetee-layer.zip")


@click.command(cls=Command)
@click.option(
    "--out", type=click.Path(path_type=Path), default=DEFAULT_ZIP, show_default=True, help="The zip to write."
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An interpreter to compile for; may be repeated. By default every CPython from 3.10 on that is served: those "
    "that are not on this machine are fetched.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@failures_shown
def build(out: Path, pythons: tuple[Path, ...], as_json: bool) -> None:
    """Write the layer's zip: one for every supported Python and both architectures.

    The same sources and Pythons give the same bytes. It also works without compiled files for a Python; functions
    then start slower there, and this says so.
    """
    try:
        layer.build(out, pythons or None)
    except (FetchError, layer.LayerError) as error:
        raise click.ClickException(str(error)) from error
    content = out.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    minors = layer.compiled_for(out)
    if as_json:
        click.echo(json.dumps({"path": str(out), "bytes": len(content), "sha256": digest, "compiled_for": minors}))
    else:
        click.echo(f"{out}  {len(content) / 1024:,.0f} KiB, compiled for Python {', '.join(minors) or '-'}")
        click.echo(f"sha256 {digest}")
    if layer.slower(minors):
        click.echo(f"Warning: {layer.slower(minors)}.", err=True)


@click.command(cls=Command)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--zip",
    "zip_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The layer's zip; by default a fresh one is built.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@failures_shown
def unpack(directory: Path, zip_path: Path | None, as_json: bool) -> None:
    """Unpack the layer into DIRECTORY (/opt in a container image): bin/exec-wrapper and firetee/."""
    if zip_path is None:
        zip_path = directory / ".firetee-layer.zip"
        try:
            layer.build(zip_path)
            layer.unpack(zip_path, directory)
        except (FetchError, layer.LayerError) as error:
            raise click.ClickException(str(error)) from error
        finally:
            zip_path.unlink(missing_ok=True)
    else:
        try:
            layer.unpack(zip_path, directory)
        except zipfile.BadZipFile as error:
            raise click.ClickException(f"{zip_path} is not a layer's zip: {error}") from error
        except layer.LayerError as error:
            raise click.ClickException(str(error)) from error
    wrapper = directory / layer.EXECUTABLE
    if as_json:
        click.echo(json.dumps({"directory": str(directory), "exec_wrapper": str(wrapper)}))
    else:
        click.echo(f"{directory}: set AWS_LAMBDA_EXEC_WRAPPER={wrapper}, or put it in front of the image's entry point")
