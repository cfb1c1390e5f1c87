"""`python -m firetee.release [--out dist]`: all that a release consists of, up to the uploads (docs/releasing.md).

    firetee-layer.zip                 the layer, compiled for every Python that is served
    firetee-layer.cdx.json            what is in it: a CycloneDX bill of materials
    firetee-*.whl, firetee-*.tar.gz   the command line, which carries that layer
    SHA256SUMS                        of these

The same sources and Pythons give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import click

from firetee import __version__, fetch, layer, runtimes

CARRIED = "firetee/layer.zip"
_OF_A_RELEASE = re.compile(r"firetee-layer\.(zip|cdx\.json)|firetee-[^/]*\.(whl|tar\.gz)|SHA256SUMS")
#: setuptools is asked in a process of its own, as pip would.
_BUILD = "import setuptools.build_meta, sys; getattr(setuptools.build_meta, sys.argv[1])(sys.argv[2])"
#: Times in wheel and sdist: the earliest that a zip can carry.
_SOURCE_DATE_EPOCH = "315532800"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("dist"), show_default=True)
@click.option("--tag", help="The tag that is released, `v1.2.3`: the version and the changelog must be of it.")
def main(out: Path, tag: str | None) -> None:
    """Make a release's files."""
    try:
        if tag is not None:
            check_tag(tag, (fetch.ROOT / "CHANGELOG.md").read_text())
        for path in make(out):
            click.echo(f"{path}  {path.stat().st_size:,} bytes")
    except (fetch.FetchError, layer.LayerError, ReleaseError) as error:
        raise click.ClickException(str(error)) from error


class ReleaseError(Exception):
    """It cannot be released like this; the message says why."""


def check_tag(tag: str, changelog: str) -> None:
    """Raises `ReleaseError` unless the tag is of this version, and the changelog has a section about it."""
    if tag != f"v{__version__}":
        raise ReleaseError(f"the tag {tag} is not of version {__version__}, which pyproject.toml has")
    if not re.search(rf"^## \[?{re.escape(__version__)}\b", changelog, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has no section ## {__version__}")


def make(out: Path) -> list[Path]:
    """Write everything to `out`; an older release that lies there goes. Raises `ReleaseError`, `FetchError`,
    `LayerError`."""
    _clear(out)
    built = layer.build(out / "firetee-layer.zip")
    missing = layer.slower(layer.compiled_for(built))
    if missing:
        raise ReleaseError(f"the layer is {missing}")
    bill = out / "firetee-layer.cdx.json"
    bill.write_text(json.dumps(bill_of_materials(built.read_bytes()), indent=2) + "\n")
    _build_packages(built, out)
    made = sorted(path for path in out.iterdir() if path.is_file())
    sums = out / "SHA256SUMS"
    sums.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made))
    return [*made, sums]


def _clear(out: Path) -> None:
    """Delete an older release. Raises `ReleaseError` where anything else lies in the folder: it may be a checkout."""
    there = sorted(out.iterdir()) if out.exists() else []
    others = [path.name for path in there if path.is_dir() or not _OF_A_RELEASE.fullmatch(path.name)]
    if others:
        raise ReleaseError(f"{out} has other things in it: {', '.join(others[:5])}; give an empty folder, or a new one")
    for path in there:
        path.unlink()


def _build_packages(built: Path, out: Path) -> None:
    """Wheel and sdist. The layer lies in the source tree meanwhile, and not longer: a checkout builds its own."""
    carried = fetch.ROOT / CARRIED
    shutil.copyfile(built, carried)
    try:
        shutil.rmtree(fetch.ROOT / "build", ignore_errors=True)  # setuptools would pack what lies there
        env = {**os.environ, "SOURCE_DATE_EPOCH": _SOURCE_DATE_EPOCH}
        for what in ("build_wheel", "build_sdist"):
            command = [sys.executable, "-c", _BUILD, what, str(out.resolve())]
            done = subprocess.run(command, cwd=fetch.ROOT, env=env, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ReleaseError(f"{what} fails:\n{done.stderr.strip()}")
    finally:
        carried.unlink()


def bill_of_materials(content: bytes) -> dict[str, Any]:
    """What the layer's zip holds, as CycloneDX 1.6: firetee itself, and each C module of wrapt by its digest."""
    name, version = layer.WRAPT.split("==")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        binaries = {entry: archive.read(entry) for entry in sorted(archive.namelist()) if entry.endswith(".so")}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "firetee-layer",
                "version": __version__,
                "licenses": [{"license": {"id": "MIT"}}],
                "hashes": [_digest(content)],
                "properties": [{"name": "firetee:python", "value": minor} for minor in runtimes.MINORS],
            }
        },
        "components": [
            {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "licenses": [{"license": {"id": "BSD-2-Clause"}}],
                "components": [
                    {"type": "file", "name": entry, "hashes": [_digest(data)]} for entry, data in binaries.items()
                ],
            }
        ],
    }


def _digest(data: bytes) -> dict[str, str]:
    return {"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}


if __name__ == "__main__":
    main()
