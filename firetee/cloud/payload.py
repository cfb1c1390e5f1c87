"""The layer's zip that the commands publish: the one at hand, or one built now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firetee import layer
from firetee.cloud.errors import CloudError
from firetee.cloud.layers import LayerZip
from firetee.fetch import FetchError

DEFAULT = Path("dist/firetee-layer.zip")
"""Where `firetee layer build` puts it."""


def layer_zip(path: Path | None, build: Callable[[Path], Path] = layer.build) -> LayerZip:
    """The zip at `path`; without one, the zip that was built here before, or a new one.

    Raises CloudError if the file named cannot be read, or if the layer cannot be built.
    """
    if path is None:
        try:
            path = DEFAULT if DEFAULT.exists() else build(DEFAULT)
        except (FetchError, layer.LayerError) as error:
            raise CloudError(str(error), "Repair that, or give the layer's zip with --zip.") from error
    return LayerZip.read(path)
