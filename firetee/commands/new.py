"""`firetee new`: a small function with a SAM template that already uses the layer."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import click

from firetee.cloud import payload
from firetee.cloud.errors import CloudError
from firetee.commands.common import EXIT_CODES, Command, console, failures_shown, json_option

_NAME = re.compile(r"^[a-zA-Z][a-zA-Z0-9-]{0,39}$")
"""What CloudFormation takes as a stack's name, kept short enough to be the beginning of a bucket's."""
FILES = ("function/app.py", "template.yaml", "events/hello.json", "README.md")


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), help="Where to put it; by default ./NAME.")
@click.option(
    "--zip",
    "zip_path",
    type=click.Path(path_type=Path),
    help="The layer's zip; by default it is built, once.",
)
@json_option
@failures_shown
def new(name: str, directory: Path | None, zip_path: Path | None, as_json: bool) -> None:
    """Make the folder NAME: a function to try firetee on, with the stream and bucket it sends to.

    Try it here with `firetee local`, deploy it with `sam deploy --guided`.
    """
    if not _NAME.match(name):
        raise click.UsageError(f"{name!r}: use letters, digits and hyphens, 40 at most, a letter first.")
    target = directory or Path(name)
    if target.exists() and any(target.iterdir()):
        raise CloudError(f"{target} is not empty.", "Choose another name, or --directory.")
    content = payload.layer_zip(zip_path).content
    for file in FILES:
        path = target / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_template(file).replace("@NAME@", name), encoding="utf-8")
    (target / "firetee-layer.zip").write_bytes(content)
    made = [*FILES, "firetee-layer.zip"]
    if as_json:
        click.echo(json.dumps({"directory": str(target), "files": made}, indent=2))
        return
    out = console()
    for file in made:
        out.print(f"  {target / file}")
    out.print(f"\nTry it here:  cd {target}/function && firetee local app.handler --event ../events/hello.json")
    out.print(f"Deploy it:    cd {target} && sam deploy --guided --stack-name {name}")


def _template(file: str) -> str:
    return (resources.files("firetee.commands") / "new_function" / f"{Path(file).name}.tmpl").read_text(
        encoding="utf-8"
    )
