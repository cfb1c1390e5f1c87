"""Names and ARNs: pure parsing, for every partition."""

from __future__ import annotations

import re
from typing import NamedTuple

_REGION = re.compile(r"^[a-z]{2,5}(-[a-z]+)+-\d$")
_STREAM_NAME = re.compile(r"^[a-zA-Z0-9_.-]{1,64}$")
"""https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html"""


class Arn(NamedTuple):
    """`arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; `resource` may hold more colons and slashes."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse(text: str) -> Arn | None:
    """The parts of an ARN, or None if the text is none."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2]:
        return None
    return Arn(*parts[1:])


def partition_of(region: str) -> str:
    """The partition a region lies in, from its name's beginning."""
    for prefix, partition in (
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ):
        if region.startswith(prefix):
            return partition
    return "aws"


class Stream(NamedTuple):
    """A delivery stream as `FIRETEE_STREAM` names it, with region and account filled in."""

    name: str
    arn: Arn

    @property
    def text(self) -> str:
        return str(self.arn)


def stream(text: str, region: str, account: str) -> Stream | None:
    """The stream that a name or an ARN means, seen from a function in `region` and `account`; None if it is neither."""
    text = text.strip()
    arn = parse(text)
    if arn is None:
        if not _STREAM_NAME.match(text):
            return None
        return Stream(text, Arn(partition_of(region), "firehose", region, account, f"deliverystream/{text}"))
    kind, _, name = arn.resource.partition("/")
    if arn.service != "firehose" or kind != "deliverystream" or not _STREAM_NAME.match(name):
        return None
    return Stream(name, arn) if _REGION.match(arn.region) else None


def layer_name(layer_version_arn: str) -> str:
    """`firetee` of `arn:aws:lambda:eu-west-1:123456789012:layer:firetee:3`; empty if it is not a layer version."""
    arn = parse(layer_version_arn)
    parts = arn.resource.split(":") if arn else []
    return parts[1] if len(parts) == 3 and parts[0] == "layer" else ""


def role_name(role_arn: str) -> str:
    """The role's name: the last part of its path."""
    return role_arn.rsplit("/", 1)[-1]
