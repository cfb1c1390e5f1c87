"""How firetee sits in a function's configuration: pure functions on its variables and its layers.

`attached` and `detached` are inverses: whatever was there before, and whatever else was changed in between, stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from firetee.cloud import arns
from firetee.cloud.undo import UndoRecord

WRAPPER_VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
CHAIN_VARIABLE = "FIRETEE_EXEC_WRAPPER"
STREAM_VARIABLE = "FIRETEE_STREAM"
ERRORS_VARIABLE = "FIRETEE_STREAM_ERRORS"
PREFIX = "FIRETEE_"
EXEC_WRAPPER = "/opt/bin/exec-wrapper"
LAYER_NAME = "firetee"
MAX_LAYERS = 5
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MAX_ENV_BYTES = 4096
"""The same page: all variables together, names and values."""


class Wiring(NamedTuple):
    """A function's variables and layers: the part of its configuration that attaching changes."""

    env: Mapping[str, str]
    layers: tuple[str, ...]


def named_streams(env: Mapping[str, str]) -> list[str]:
    """The streams that the function's variables name, each once: what its role must be allowed to put records into."""
    text = env.get(STREAM_VARIABLE) or env.get("KINESIS_DELIVERY_STREAM") or ""
    texts = f"{text},{env.get(ERRORS_VARIABLE, '')}" if text.strip() else ""
    return list(dict.fromkeys(each.strip() for each in texts.split(",") if each.strip()))


def is_ours(layer_version_arn: str, layer_name: str = LAYER_NAME, known: Collection[str] = ()) -> bool:
    """Whether a layer version is one of firetee's, told by its name, or `known` to be."""
    return layer_version_arn in known or arns.layer_name(layer_version_arn) in {layer_name, LAYER_NAME}


def is_attached(now: Wiring, *, layer_name: str = LAYER_NAME, known: Collection[str] = ()) -> bool:
    """Whether firetee runs in a function with this wiring: layer and exec wrapper are there."""
    return now.env.get(WRAPPER_VARIABLE) == EXEC_WRAPPER and any(
        is_ours(each, layer_name, known) for each in now.layers
    )


def attached(
    now: Wiring, settings: Mapping[str, str], layer: str, *, layer_name: str = LAYER_NAME, known: Collection[str] = ()
) -> Wiring:
    """The wiring with firetee in it.

    `settings` are `FIRETEE_*` variables to set. `layer` takes the place of an older version of ours, or goes last.
    Another exec wrapper is kept: ours runs it.
    """
    env = dict(now.env)
    former = env.get(WRAPPER_VARIABLE, "")
    if former and former != EXEC_WRAPPER:
        env[CHAIN_VARIABLE] = former
    env[WRAPPER_VARIABLE] = EXEC_WRAPPER
    env.update(settings)
    layers = [layer if is_ours(each, layer_name, known) else each for each in now.layers]
    if layer not in layers:
        layers.append(layer)
    return Wiring(env, tuple(dict.fromkeys(layers)))


def remember(
    now: Wiring, record: UndoRecord | None, *, layer_name: str = LAYER_NAME, known: Collection[str] = ()
) -> UndoRecord:
    """What `detached` will need. A record from an earlier attach stands: it knows what was there first.

    A function that is attached already, without a record, was bare before: what is recorded is never an attached state.
    """
    if record is not None:
        return record
    if is_attached(now, layer_name=layer_name, known=known):
        now = detached(now, None, layer_name=layer_name, known=known)
    env = {key: value for key, value in now.env.items() if key.startswith(PREFIX) or key == WRAPPER_VARIABLE}
    layer = next((each for each in now.layers if is_ours(each, layer_name, known)), "")
    return UndoRecord(env, layer)


def detached(
    now: Wiring, record: UndoRecord | None, *, layer_name: str = LAYER_NAME, known: Collection[str] = ()
) -> Wiring:
    """The wiring without firetee: as it was before, plus what others have changed since.

    Without a record (attached by hand or by a template) the configuration itself tells enough: nothing of ours was
    there, and the former exec wrapper is the one that is chained.
    """
    if record is None:
        chained = now.env.get(CHAIN_VARIABLE, "")
        record = UndoRecord({WRAPPER_VARIABLE: chained} if chained else {})
    env: dict[str, str] = {}
    for key, value in now.env.items():
        if key.startswith(PREFIX) or (key == WRAPPER_VARIABLE and value == EXEC_WRAPPER):
            if key in record.env:
                env[key] = record.env[key]
        else:
            env[key] = value
    for key, value in record.env.items():
        if key != WRAPPER_VARIABLE:
            env.setdefault(key, value)
    layers: list[str] = []
    for each in now.layers:
        if not is_ours(each, layer_name, known):
            layers.append(each)
        elif record.layer:
            layers.append(record.layer)
    return Wiring(env, tuple(layers))


def env_bytes(env: Mapping[str, str]) -> int:
    """The size that Lambda holds against its limit: the variables as compact JSON, in bytes."""
    return len(json.dumps(dict(env), separators=(",", ":"), ensure_ascii=False).encode())


def too_large(wiring: Wiring, names: Sequence[str] = ()) -> tuple[str, str] | None:
    """What is wrong with a wiring and how to repair it, or None if Lambda would take it."""
    if len(wiring.layers) > MAX_LAYERS:
        others = ", ".join(arns.layer_name(each) or each for each in wiring.layers if each not in names)
        return (
            f"The function already has {len(wiring.layers) - 1} layers ({others}); Lambda allows {MAX_LAYERS}.",
            "Merge two of them, or build the layer into the function's package: docs/install.md, 'No layer left'.",
        )
    if (size := env_bytes(wiring.env)) > MAX_ENV_BYTES:
        longest = max(wiring.env, key=lambda key: len(wiring.env[key]))
        return (
            f"The environment variables would take {size:,} bytes; Lambda allows {MAX_ENV_BYTES:,}.",
            f"Shorten or move one elsewhere (the longest is {longest}, {len(wiring.env[longest]):,} characters).",
        )
    return None


def without_values(text: str, env: Mapping[str, str]) -> str:
    """The text without the values of variables that are not firetee's, as they are and as JSON writes them."""
    for key, value in sorted(env.items(), key=lambda item: -len(item[1])):
        if value and not key.startswith(PREFIX) and key != WRAPPER_VARIABLE:
            for shown in {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
                if len(shown) > _TOO_SHORT_TO_HIDE:
                    text = text.replace(shown, "***")
                else:
                    text = re.sub(rf"(?<!\w){re.escape(shown)}(?!\w)", "***", text)
    return text


_TOO_SHORT_TO_HIDE = 3
"""Up to this length a value is taken out as a whole word only, or the text would not be readable. A choice."""
