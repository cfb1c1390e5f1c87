"""What `attach` was asked for, looked at before anything changes: a typo in `--all` would silence a whole region.

What is wrong is refused. What cannot be looked up from here (another account's stream, or one that may not be
described) is refused too, unless the caller insists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from firetee.cloud import arns, layers, recognise, settings, streams
from firetee.cloud.arns import Stream
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import EXIT_FAILED, EXIT_USAGE, CloudError, explain, is_missing
from firetee.cloud.wiring import ERRORS_VARIABLE


@dataclass(frozen=True)
class Problem:
    """One thing that cannot work, or of which nobody here can say whether it can."""

    message: str
    remedy: str
    exit_code: int = EXIT_FAILED
    certain: bool = True


@dataclass(frozen=True)
class Asked:
    """The part of a command line that can be wrong."""

    stream: str
    create_stream: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    role_arn: str = ""
    layer_arn: str = ""


class Refused(CloudError):
    """Nothing was changed: `problems` says why, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if len(problems) == 1:
            super().__init__(problems[0].message, problems[0].remedy)
        else:
            lines = [f"  - {each.message} {each.remedy}".rstrip() for each in problems]
            super().__init__("\n".join([f"{len(problems)} things cannot work:", *lines]), "Nothing was changed.")
        self.problems = tuple(problems)
        self.exit_code = max(each.exit_code for each in problems)


def check(cloud: Cloud, asked: Asked, *, force: bool = False) -> None:
    """Raises Refused if something cannot work; with `force`, only for what is certain."""
    found = [*_settings(asked.settings), *_role(cloud, asked.role_arn), *_layer(cloud, asked.layer_arn)]
    texts = [each.strip() for each in asked.stream.split(",") if each.strip()]
    if not texts:
        found.append(Problem("No delivery stream is named.", "Give --stream NAME.", EXIT_USAGE))
    texts += [each.strip() for each in asked.settings.get(ERRORS_VARIABLE, "").split(",") if each.strip()]
    for text in dict.fromkeys(texts):
        found += _stream(cloud, text, asked)
    found = [each for each in found if each.certain or not force]
    if found:
        raise Refused(found)


def check_layer(cloud: Cloud, layer_arn: str, *, force: bool = False) -> None:
    """The same for a layer version alone."""
    found = [each for each in _layer(cloud, layer_arn) if each.certain or not force]
    if found:
        raise Refused(found)


def _settings(wished: Mapping[str, str]) -> Iterator[Problem]:
    for name in settings.unknown(wished):
        hint = settings.did_you_mean(name, sorted(settings.known()))
        yield Problem(f"{name} is not a setting of firetee.", hint or "README.md lists them.", EXIT_USAGE)
    for problem in settings.problems(wished):
        yield Problem(f"--set {problem}.".replace("?.", "?"), "", EXIT_USAGE)


def _stream(cloud: Cloud, text: str, asked: Asked) -> Iterator[Problem]:
    stream = arns.stream(text, cloud.region, cloud.account)
    if stream is None:
        form = f"arn:{arns.partition_of(cloud.region)}:firehose:REGION:ACCOUNT:deliverystream/NAME"
        hint = settings.did_you_mean(text, _stream_names(cloud, cloud.region)) or f"An ARN is like {form}."
        yield Problem(f"{text!r} is neither the name nor the ARN of a delivery stream.", hint, EXIT_USAGE)
        return
    arn = stream.arn
    if arn.partition != arns.partition_of(cloud.region):
        yield Problem(
            f"{text} is in the partition {arn.partition}, the functions in {arns.partition_of(cloud.region)}.",
            "Choose a stream in the functions' own partition.",
        )
    elif arn.account != cloud.account and not asked.role_arn:
        yield Problem(
            f"{text} is in another account, and Firehose has no resource policies.",
            "Give --role-arn: a role in that account which may put records and which the function may assume.",
        )
    elif arn.account != cloud.account:
        yield _unseen(f"{text} is in another account, which cannot be looked into from here.")
    else:
        yield from _own_stream(cloud, stream, asked)


def _own_stream(cloud: Cloud, stream: Stream, asked: Asked) -> Iterator[Problem]:
    region = stream.arn.region
    if hint := _unknown_region(cloud, region):
        yield _unseen(f"{region} is not a region that is known here. {hint}".rstrip())
        return
    try:
        found = streams.read_stream(cloud.in_region(region), stream.name)
    except Exception as error:  # noqa: BLE001 - whatever keeps us from looking
        yield _unseen(f"The delivery stream {stream.name} cannot be looked at: {explain(error).message}")
        return
    if found is None:
        if not asked.create_stream:
            hint = settings.did_you_mean(stream.name, _stream_names(cloud, region))
            yield Problem(
                f"There is no delivery stream {stream.name} in {region}.",
                hint or "Check the name and the region, or give --create-stream to make it.",
            )
    elif found.status.startswith("DELETING") or found.status == "CREATING_FAILED":
        yield Problem(f"The delivery stream {stream.name} is {found.status}.", "Choose another, or make it anew.")
    elif found.source != "DirectPut":
        yield Problem(
            f"The delivery stream {stream.name} reads from {found.source} and takes no records from callers.",
            "Choose a stream whose source is Direct PUT.",
        )


def _role(cloud: Cloud, text: str) -> Iterator[Problem]:
    if not text:
        return
    arn = arns.parse(text)
    if arn is None or arn.service != "iam" or not arn.resource.startswith("role/") or not _is_account(arn.account):
        form = f"arn:{arns.partition_of(cloud.region)}:iam::ACCOUNT:role/NAME"
        yield Problem(f"--role-arn {text} is not the ARN of a role.", f"It is like {form}.", EXIT_USAGE)
    elif arn.account != cloud.account:
        yield _unseen(f"{text} is in another account, which cannot be looked into from here.")
    else:
        try:
            cloud.client("iam").get_role(RoleName=arns.role_name(text))
        except Exception as error:  # noqa: BLE001 - whatever keeps us from looking
            if is_missing(error):
                yield Problem(f"There is no role {arns.role_name(text)}.", "Check --role-arn.")
            else:
                yield _unseen(f"The role {text} cannot be looked at: {explain(error).message}")


def _layer(cloud: Cloud, text: str) -> Iterator[Problem]:
    if not text:
        return
    arn, name = arns.parse(text), arns.layer_name(text)
    if arn is None or arn.service != "lambda" or not name or not text.rsplit(":", 1)[-1].isdigit():
        form = f"arn:{arns.partition_of(cloud.region)}:lambda:{cloud.region}:ACCOUNT:layer:NAME:VERSION"
        yield Problem(f"--layer-arn {text} is not the ARN of a layer version.", f"It is like {form}.", EXIT_USAGE)
        return
    if arn.region != cloud.region:
        yield Problem(
            f"{text} is in {arn.region}, the functions are in {cloud.region}: Lambda takes no layer from elsewhere.",
            f"`firetee layer publish --region {cloud.region}` publishes it there.",
        )
        return
    try:
        layers.read_version(cloud, text)
        verdict = recognise.is_firetee(cloud, text)
        if verdict is False:
            yield Problem(f"{text} is not firetee's layer.", "`firetee layer publish` publishes it and shows its ARN.")
        elif verdict is None:
            yield _unseen(f"What is in the layer version {text} cannot be looked at.")
    except Exception as error:  # noqa: BLE001 - whatever keeps us from looking
        if not is_missing(error) or arn.account != cloud.account:
            yield _unseen(f"The layer version {text} cannot be looked at: {explain(error).message}")
            return
        try:
            newest = layers.newest(cloud, name)
        except Exception:  # noqa: BLE001 - a hint, no more
            newest = ""
        yield Problem(
            f"There is no layer version {text}.", f"Did you mean {newest}?" if newest else "Check --layer-arn."
        )


def _unseen(message: str) -> Problem:
    return Problem(message, "Give --force if it is right.", certain=False)


def _stream_names(cloud: Cloud, region: str) -> list[str]:
    """Names of the region's streams to choose a hint from; none if they may not be listed."""
    names: list[str] = []
    try:
        client = cloud.in_region(region).client("firehose")
        more = True
        while more:
            start = {"ExclusiveStartDeliveryStreamName": names[-1]} if names else {}
            answer = client.list_delivery_streams(Limit=100, **start)
            names += answer["DeliveryStreamNames"]
            more = bool(answer.get("HasMoreDeliveryStreams") and answer["DeliveryStreamNames"])
    except Exception:  # noqa: BLE001 - a hint, no more
        return names
    return names


def _unknown_region(cloud: Cloud, region: str) -> str:
    """A hint where the region's name is none that botocore knows; it may be a new one."""
    known = cloud.known_regions()
    if region in known or region == cloud.region:
        return ""
    return settings.did_you_mean(region, known) or " "


def _is_account(text: str) -> bool:
    return len(text) == 12 and text.isdigit()
