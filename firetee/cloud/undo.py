"""The undo record: what was there before `attach`, kept on the function itself as tags.

Most of it can be told from the configuration (the former exec wrapper is in `FIRETEE_EXEC_WRAPPER`, our layer has a
name). What cannot is written down before anything is changed: the values of the variables that attaching replaces,
and the layer version that ours takes the place of. `detach` needs no file, no state and not the machine that attached.

A tag value holds 256 characters of a small alphabet, so the record (JSON, deflated, base64 for URLs) is cut into
`firetee:undo`, `firetee:undo.1`, `firetee:undo.2`, ...
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from firetee.cloud.errors import CloudError

TAG = "firetee:undo"
MAX_TAG_VALUE = 256
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html#tag-restrictions"""
MAX_TAGS = 50
"""The same page."""
_VERSION = 1


@dataclass(frozen=True)
class UndoRecord:
    """`env`: each of our variables that had a value before, with that value; all others of ours were not set.

    `layer`: the ARN of the firetee layer version that was there already; empty if there was none.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    layer: str = ""


def encode(record: UndoRecord) -> dict[str, str]:
    """The record as tags. Raises CloudError if it needs more tags than a function may have."""
    content = json.dumps(
        {"v": _VERSION, "env": dict(sorted(record.env.items())), "layer": record.layer},
        separators=(",", ":"),
    )
    text = base64.urlsafe_b64encode(zlib.compress(content.encode(), 9)).decode()
    pieces = [text[at : at + MAX_TAG_VALUE] for at in range(0, len(text), MAX_TAG_VALUE)]
    if len(pieces) > MAX_TAGS:
        raise CloudError("The settings already on the function are too long to be kept for `detach`.")
    return {TAG if number == 0 else f"{TAG}.{number}": piece for number, piece in enumerate(pieces)}


def ours(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a function's tags that hold the record."""
    return {key: value for key, value in tags.items() if key == TAG or key.startswith(f"{TAG}.")}


def decode(tags: Mapping[str, str]) -> UndoRecord | None:
    """The record in a function's tags, or None if there is none. Raises CloudError if somebody damaged it."""
    if TAG not in tags:
        return None
    pieces = [tags[TAG]]
    while (key := f"{TAG}.{len(pieces)}") in tags:
        pieces.append(tags[key])
    try:
        content = json.loads(zlib.decompress(base64.urlsafe_b64decode("".join(pieces))))
        if content["v"] != _VERSION:
            raise ValueError(f"version {content['v']}")
        return UndoRecord({str(k): str(v) for k, v in content["env"].items()}, str(content["layer"]))
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, binascii.Error) as error:
        raise CloudError(
            f"The tag {TAG} of the function cannot be read ({error}).",
            f"Delete the tags {TAG}*; `detach` then goes by the configuration alone.",
        ) from error
