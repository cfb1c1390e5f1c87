"""Delivered objects in a stream's bucket: which there are since a time, and their content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from firetee.cloud.aws import Cloud

_EXPRESSION = re.compile(r"!\{([^}]*)\}")
_DEFAULT_LAYOUT = "!{timestamp:yyyy/MM/dd/HH}/"
"""What Firehose appends to a prefix without expressions:
https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html"""
_PATTERNS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}
AT_ONCE = 8
"""Objects fetched at the same time. A choice."""


def static_prefix(prefix: str) -> str:
    """The part of a stream's prefix that is the same for all objects."""
    return prefix.split("!{", 1)[0]


def start_after(prefix: str, since: datetime) -> str:
    """A key that sorts before every object delivered at or after `since` (aware), as far as the prefix tells times.

    Years come before months, months before days: such keys sort by time. What the prefix says after its first
    expression that is not a time, or in another order, is left out, which only lists more than needed.
    """
    template = prefix if "!{" in prefix else prefix + _DEFAULT_LAYOUT
    key, at = "", 0
    order = ["yyyy", "MM", "dd", "HH"]
    for match in _EXPRESSION.finditer(template):
        kind, _, pattern = match.group(1).partition(":")
        units = re.findall(r"yyyy|MM|dd|HH", pattern)
        if kind != "timestamp" or units != order[: len(units)] or re.sub(r"yyyy|MM|dd|HH|[/_-]", "", pattern):
            break
        order = order[len(units) :]
        key += template[at : match.start()] + since.strftime(_strftime(pattern))
        at = match.end()
    return key or static_prefix(prefix)


def _strftime(pattern: str) -> str:
    return re.sub(r"yyyy|MM|dd|HH", lambda unit: _PATTERNS[unit.group()], pattern)


def keys_since(cloud: Cloud, bucket: str, prefix: str, since: datetime) -> list[str]:
    """The keys of objects delivered since then, oldest first."""
    pages = cloud.client("s3").get_paginator("list_objects_v2")
    request = {"Bucket": bucket, "Prefix": static_prefix(prefix), "StartAfter": start_after(prefix, since)}
    # S3 keeps whole seconds: an object of the very second counts.
    floor = since.replace(microsecond=0)
    found = [
        (each["LastModified"], each["Key"])
        for page in pages.paginate(**request)
        for each in page.get("Contents", [])
        if each["LastModified"] >= floor and not each["Key"].startswith("errors/")
    ]
    return [key for _, key in sorted(found)]


def contents(cloud: Cloud, bucket: str, keys: list[str]) -> Iterator[bytes]:
    """The objects' contents, in the order of `keys`; a few are fetched at a time."""
    s3: Any = cloud.client("s3")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda key: bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read()), keys)
