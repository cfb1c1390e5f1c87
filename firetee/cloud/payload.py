"""The layer's zip that the commands publish: the one that is named, or one built from these very sources.

What was built is kept in the cache folder, by what went into it: sources, Pythons and the way they are compiled.
Nothing that lies about in the current folder is ever taken.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from firetee import fetch, layer, runtimes
from firetee.cloud.errors import CloudError
from firetee.cloud.layers import LayerZip
from firetee.fetch import FetchError


def layer_zip(path: Path | None, build: Callable[[Path], Path] = layer.build, cache: Path | None = None) -> LayerZip:
    """The zip at `path`, looked into; without one, the zip of these sources, built unless it is in the cache.

    Raises CloudError if the file named cannot be read or is not firetee's layer, or if the layer cannot be built.
    """
    if path is not None:
        return _checked(path)
    found = cached(cache)
    if found is not None:
        return found
    folder = _folder(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            built = build(Path(scratch, "layer.zip"))
            zip_ = _checked(built)
            os.replace(built, folder / f"{_key()}.zip")  # building may have fetched Pythons: the key is of those
    except (FetchError, layer.LayerError) as error:
        raise CloudError(str(error), "Repair that, or give the layer's zip with --zip.") from error
    return zip_


def cached(cache: Path | None = None) -> LayerZip | None:
    """The zip of these sources if it was built before; builds, fetches and writes nothing."""
    path = _folder(cache) / f"{_key()}.zip"
    if not path.is_file():
        return None
    try:
        return _checked(path)
    except CloudError:
        return None  # damaged: built anew


def _checked(path: Path) -> LayerZip:
    zip_ = LayerZip.read(path)
    try:
        return LayerZip(zip_.content, zip_.sha256, layer.examine(io.BytesIO(zip_.content)))
    except layer.LayerError as error:
        raise CloudError(
            f"{path} cannot be published: {error}.", "`firetee layer build` writes a fresh one; or leave --zip away."
        ) from error


def _folder(cache: Path | None) -> Path:
    return cache or fetch.cache_dir() / "layers"


def _key() -> str:
    parts = [str(layer.release()), layer.WRAPT, *(".".join(map(str, each.version)) for each in runtimes.installed())]
    parts += [source.read_text() for source in (Path(layer.__file__), Path(layer.__file__).with_name("compiling.py"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
