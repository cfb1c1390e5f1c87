"""Plans: what to do to have firetee on a function, or to have it off. Pure: everything they need was read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from firetee import layer as layer_sources
from firetee.cloud import arns, permissions, undo, wiring
from firetee.cloud.errors import CloudError
from firetee.cloud.layers import LayerZip
from firetee.cloud.permissions import Present
from firetee.cloud.state import KNOWN_RUNTIMES, FunctionState, is_served
from firetee.cloud.steps import (
    NEW_LAYER,
    AwaitUpdate,
    Confirm,
    GrantPermission,
    PublishLayer,
    RevokePermission,
    RewireFunction,
    SetTags,
    Step,
)
from firetee.cloud.wiring import Wiring


@dataclass(frozen=True)
class Plan:
    """What is to be done to one function. No steps: it is as it should be."""

    function: str
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know besides."""


@dataclass(frozen=True)
class Wish:
    """What `attach` was asked for.

    `layer` is the ARN of the layer version to use; where it is empty, the plan publishes `zip_` under `layer_name`.
    Without a zip the plan can be shown only.
    """

    stream: str
    settings: Mapping[str, str] = field(default_factory=dict)
    layer: str = ""
    layer_name: str = wiring.LAYER_NAME
    zip_: LayerZip | None = None
    role_to_assume: str = ""
    change_role: bool = True


def check_supported(function: FunctionState) -> None:
    """Raises CloudError if firetee cannot be attached to this function, saying what to do instead."""
    if function.package_type == "Image":
        raise CloudError(
            f"{function.name} is a container image, and images take no layers.",
            "Put the layer into the image: docs/install.md, 'Container images'.",
        )
    if not is_served(function.runtime):
        raise CloudError(
            f"{function.name} runs on {function.runtime or 'no managed runtime'}; firetee works with "
            f"{KNOWN_RUNTIMES[0]} to {KNOWN_RUNTIMES[-1]}.",
            "Move the function to one of these runtimes first.",
        )


def settings_of(wish: Wish, function: FunctionState) -> dict[str, str]:
    """The `FIRETEE_*` variables that the wish comes to. A stream beside the function is named, others go by ARN.

    Raises CloudError if a stream is neither a name nor an ARN, lies in another partition, or in another account
    without a role to assume.
    """
    names: list[str] = []
    for text in _streams(wish.stream):
        stream = arns.stream(text, function.region, function.account)
        if stream is None:
            raise CloudError(
                f"{text!r} is neither the name nor the ARN of a delivery stream.",
                "`aws firehose list-delivery-streams` shows the names there are.",
            )
        if stream.arn.partition != function.partition:
            raise CloudError(
                f"{stream.text} is in the partition {stream.arn.partition}, the function in {function.partition}.",
                "Choose a stream in the function's own partition.",
            )
        if stream.arn.account != function.account and not wish.role_to_assume:
            raise CloudError(
                f"{stream.text} is in another account, and Firehose has no resource policies.",
                "Give --role-arn: a role in that account which may put records and which the function may assume.",
            )
        beside = stream.arn.region == function.region and stream.arn.account == function.account
        names.append(stream.name if beside else stream.text)
    settings = {**wish.settings, wiring.STREAM_VARIABLE: ",".join(names)}
    if wish.role_to_assume:
        settings["FIRETEE_ROLE_ARN"] = wish.role_to_assume
    return settings


def plan_attach(function: FunctionState, wish: Wish, present: Present, before: Sequence[Step] = ()) -> Plan:
    """What it takes to have firetee on the function as wished.

    `present` are the policies of firetee's on its role. `before` are steps that make the stream. Order matters: the
    permission comes before the layer needs it, and what was there is written down before it is changed; a permission
    that is needed no longer goes last. Raises CloudError if it cannot work.
    """
    check_supported(function)
    now = Wiring(dict(function.env), function.layers)
    layer = wish.layer or NEW_LAYER
    wanted = wiring.attached(
        now, settings_of(wish, function), layer, layer_name=wish.layer_name, known=function.our_layers
    )
    problem = wiring.too_large(wanted, (layer,))
    if problem:
        raise CloudError(f"{function.name}: {problem[0]}", problem[1])
    found: list[Step] = list(before)
    if layer == NEW_LAYER:
        found.append(PublishLayer(wish.layer_name, wish.zip_))
    documents = permissions.wanted(wanted.env, function.region, function.account) if wish.change_role else {}
    found += [
        GrantPermission(function.role_arn, name, present.policies.get(name), document, function=function)
        for name, document in documents.items()
        if present.policies.get(name) != document
    ]
    if wanted != now:
        record = undo.encode(
            wiring.remember(now, _record(function), layer_name=wish.layer_name, known=function.our_layers)
        )
        found += _tag_steps(function, record)
        found += [RewireFunction(function, now, wanted), AwaitUpdate(function.name)]
        found.append(Confirm(function, record, documents))
    if wish.change_role:
        former = permissions.wanted(now.env, function.region, function.account)
        for name, document in present.unneeded().items():
            if permissions.is_own(function, name) or (name in former and name not in documents):
                found.append(RevokePermission(function.role_arn, name, document, None, function=function))
    behind = _left_behind(function, with_firetee=False)
    notes = (*_zip_notes(wish.zip_), *_unknown(function), *(() if behind else _versions(function))) if found else ()
    return Plan(function.name, tuple(found), (*notes, *behind))


def _zip_notes(zip_: LayerZip | None) -> tuple[str, ...]:
    if zip_ is None or zip_.release in (None, layer_sources.release()):
        return ()
    return (f"The zip is of firetee {zip_.release}; this command would build {layer_sources.release()}.",)


def plan_detach(
    function: FunctionState, present: Present, *, purge: bool = False, layer_name: str = wiring.LAYER_NAME
) -> Plan:
    """What it takes to have the function as it was before `attach`.

    With `purge`, also what was there of firetee before that. The order is the reverse of attaching: the undo record
    goes last. Of the policies on its role, `present`, go those that no other function needs.
    """
    now = Wiring(dict(function.env), function.layers)
    record = _record(function)
    if purge:
        record = None
    wanted = wiring.detached(now, record, layer_name=layer_name, known=function.our_layers)
    found: list[Step] = []
    if wanted != now:
        found += [RewireFunction(function, now, wanted), AwaitUpdate(function.name)]
    found += [
        RevokePermission(function.role_arn, name, document, None, function=function)
        for name, document in present.unneeded().items()
    ]
    found += _tag_steps(function, {})
    return Plan(function.name, tuple(found), (*_unclear(function, present), *_left_behind(function, with_firetee=True)))


def _unclear(function: FunctionState, present: Present) -> tuple[str, ...]:
    return tuple(
        f"The role {arns.role_name(function.role_arn)} keeps the policy {name}: whether another function needs it "
        "cannot be told without lambda:ListFunctions."
        for name in sorted(present.unclear)
    )


def plan_upgrade(
    function: FunctionState, layer: str, zip_: LayerZip | None = None, *, layer_name: str = wiring.LAYER_NAME
) -> Plan:
    """What it takes to have another layer version on a function: `layer`, or, where that is empty, `zip_` published.

    Nothing where firetee is not attached. The undo record stays: it knows what was there before the first `attach`.
    """
    now = Wiring(dict(function.env), function.layers)
    known = function.our_layers
    if not wiring.is_attached(now, layer_name=layer_name, known=known):
        return Plan(function.name)
    wanted = [layer or NEW_LAYER if wiring.is_ours(each, layer_name, known) else each for each in now.layers]
    after = Wiring(now.env, tuple(dict.fromkeys(wanted)))
    if after == now:
        return Plan(function.name)
    before = () if layer else (PublishLayer(layer_name, zip_),)
    steps = (*before, RewireFunction(function, now, after), AwaitUpdate(function.name))
    return Plan(function.name, steps, _notes(function))


def _record(function: FunctionState) -> undo.UndoRecord | None:
    """The function's undo record. Raises CloudError if its tags cannot be read: it might be there all the same."""
    if function.tags_error:
        raise CloudError(
            f"The tags of {function.name} cannot be read: {function.tags_error}",
            "Ask for lambda:ListTags on the function: what was there before `attach` is kept in its tags.",
        )
    return undo.decode(function.tags)


def _tag_steps(function: FunctionState, wanted: dict[str, str]) -> list[Step]:
    have = undo.ours(function.tags)
    return [SetTags(function.arn, have, wanted, function.name)] if have != wanted else []


def _notes(function: FunctionState) -> tuple[str, ...]:
    return (*_unknown(function), *_versions(function))


def _unknown(function: FunctionState) -> tuple[str, ...]:
    if function.runtime in KNOWN_RUNTIMES or not is_served(function.runtime):
        return ()
    note = (
        f"Warning: {function.runtime} is newer than this firetee, which is tested up to {KNOWN_RUNTIMES[-1]}. It works "
        "there with what every Python has, and starts slower: its modules are not compiled for it. Look for a newer "
        "firetee."
    )
    return (note,)


def _versions(function: FunctionState) -> tuple[str, ...]:
    if function.snap_start:
        return ("SnapStart works on published versions: publish a new version for this to take effect.",)
    if function.published == ():
        return ()
    return ("Published versions and their aliases keep the configuration they have: publish a new version for them.",)


def _left_behind(function: FunctionState, *, with_firetee: bool) -> tuple[str, ...]:
    """The published versions in use that have firetee although the function has not, or the other way round."""
    behind = [str(each) for each in function.published or () if each.has_firetee == with_firetee]
    if not behind:
        return ()
    how = "with firetee, and may lack the permission to send" if with_firetee else "without firetee"
    verb = "still runs" if len(behind) == 1 else "still run"
    remedy = "Publish a new version, and point its aliases there."
    return (f"{function.name}: {', '.join(behind)} {verb} {how}. {remedy}",)


def _streams(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
