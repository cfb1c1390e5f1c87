"""Which layers are firetee's, whatever they are called.

A name tells it, or the description that `attach` and `layer publish` write; and where somebody published the zip in
another way, what is in it. Of the zip only the end is read, which holds its directory.
"""

from __future__ import annotations

import io
import urllib.request
import zipfile
from dataclasses import replace

from firetee.cloud import layers, undo, wiring
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import is_missing
from firetee.cloud.state import FunctionState

MEMBERS = frozenset({"bin/exec-wrapper", "firetee/wrapper/__main__.py"})
"""What every layer of firetee's holds."""
DIRECTORY_BYTES = 256 * 1024
"""The end of the zip that is read; ours has a directory of some 20 KB. A choice."""
PATIENCE_S = 20.0


def layers_of(cloud: Cloud, function: FunctionState, layer_name: str = wiring.LAYER_NAME) -> FunctionState:
    """The function with `our_layers` and `hidden_layers` filled in."""
    ours = {each for each in function.layers if wiring.is_ours(each, layer_name)}
    hidden = set()
    others = [each for each in function.layers if each not in ours]
    # Contents are read only where something says that a layer of ours should be there.
    expected = function.env.get(wiring.WRAPPER_VARIABLE) == wiring.EXEC_WRAPPER or bool(undo.ours(function.tags))
    for deep in (False, True):
        if deep and (ours or not expected):
            break
        for each in others:
            verdict = is_firetee(cloud, each, deep=deep)
            if verdict:
                ours.add(each)
            elif verdict is None and deep:
                hidden.add(each)
    return replace(function, our_layers=frozenset(ours), hidden_layers=frozenset(hidden))


def is_firetee(cloud: Cloud, layer_version_arn: str, *, deep: bool = True) -> bool | None:
    """Whether a layer version is firetee's, by its description and, with `deep`, its content. None: cannot be told.

    Asked once for each layer version in a run.
    """
    return cloud.once(("is firetee", layer_version_arn, deep), lambda: _look(cloud, layer_version_arn, deep))


def _look(cloud: Cloud, layer_version_arn: str, deep: bool) -> bool | None:
    try:
        answer = layers.read_version(cloud, layer_version_arn)
        if layers.is_our_description(str(answer.get("Description") or "")):
            return True
        return names_of(answer["Content"]["Location"]) >= MEMBERS if deep else None
    except Exception as error:  # noqa: BLE001 - whatever keeps us from looking
        return False if is_missing(error) else None


def names_of(url: str) -> set[str]:
    """The names in the zip at a presigned address. Raises OSError or BadZipFile."""
    for wanted in ({"Range": f"bytes=-{DIRECTORY_BYTES}"}, {}):
        with urllib.request.urlopen(urllib.request.Request(url, headers=wanted), timeout=PATIENCE_S) as answer:
            content = answer.read(layers.MAX_UPLOAD_BYTES)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return set(archive.namelist())
        except zipfile.BadZipFile:
            if not wanted:
                raise
    raise AssertionError("the last try returns or raises")
