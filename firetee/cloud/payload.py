"""The layer's zip that the commands publish: the one at hand, or one built now."""

from __future__ import annotations

from pathlib import Path

from firetee import layer
from firetee.cloud.layers import LayerZip

DEFAULT = Path("dist/firetee-layer.zip")
"""Where `firetee layer build` puts it."""


def layer_zip(path: Path | None) -> LayerZip:
    """The zip at `path`; without one, the zip that was built here before, or a new one.

    Raises CloudError if the file named cannot be read.
    """
    if path is None:
        path = DEFAULT if DEFAULT.exists() else layer.build(DEFAULT)
    return LayerZip.read(path)
