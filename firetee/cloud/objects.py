"""Delivered objects in a stream's bucket: which may hold the lines of a time, and their content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError
from firetee.cloud.streams import StreamFacts

_EXPRESSION = re.compile(r"!\{([^}]*)\}")
_DEFAULT_LAYOUT = "!{timestamp:yyyy/MM/dd/HH}/"
"""What Firehose appends to a prefix without expressions:
https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html"""
_PATTERNS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}
_FUNCTION_KEY = "!{partitionKeyFromQuery:function}"
"""The partition key that deploy/ makes of the envelope's `function`."""
_NAMED = re.compile(r"-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-")
_ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}
BUFFERED = timedelta(minutes=15)
"""An object is named when its buffer begins, and a buffer is written after 15 minutes at the latest:
https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html"""
RETRIED = timedelta(hours=24)
"""How long Firehose goes on trying to write to S3: https://docs.aws.amazon.com/firehose/latest/dev/retry.html"""
ZONES = timedelta(hours=14)
"""The furthest that a time zone is ahead of UTC. It is not documented whether an object's own name follows the stream's
time zone, as its prefix does."""
CLOCKS = timedelta(minutes=1)
"""How far the clocks of a function, Firehose and S3 may differ. A choice."""
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


def not_after(key: str, prefix: str, until: datetime) -> bool:
    """Whether a key's time is at or before `until` (aware), as far as the prefix tells times at its beginning."""
    last = start_after(prefix, until)
    return key <= last or key.startswith(last)


@dataclass(frozen=True)
class Stored:
    """An object in the bucket, as a listing tells it."""

    key: str
    size: int
    modified: datetime
    archived: bool = False
    """It lies in a storage class that it has to be restored from before it can be read."""


def keys_since(cloud: Cloud, stream: StreamFacts, since: datetime, function: str = "") -> list[str]:
    """The keys of objects that may hold lines written at or after `since` (aware), oldest first."""
    found = objects_between(cloud, stream, since, function=function)
    return [each.key for each in sorted(found, key=lambda each: (each.modified, each.key))]


def objects_between(
    cloud: Cloud,
    stream: StreamFacts,
    since: datetime,
    until: datetime | None = None,
    *,
    function: str = "",
    late: timedelta = timedelta(0),
) -> Iterator[Stored]:
    """The objects that may hold lines written from `since` to `until` (aware), in the order of their keys.

    `late`: how long after they were written lines may have been sent. `function`: only its partition, where the
    stream has one for each function. Raises CloudError if the stream names a time zone that is not known here.
    """
    zone = _zone(stream)
    prefix = _of_function(stream, function) if function else stream.prefix
    request = {
        "Bucket": stream.bucket,
        "Prefix": static_prefix(prefix),
        "StartAfter": start_after(prefix, (since - BUFFERED).astimezone(zone)),
    }
    # S3 keeps whole seconds, and its clock is not the function's.
    floor = since.replace(microsecond=0) - CLOCKS
    last = until and until + late + CLOCKS
    slack = BUFFERED if zone is timezone.utc else BUFFERED + ZONES
    folder = _folder_of(stream, function) if function else ""
    for page in cloud.client("s3").get_paginator("list_objects_v2").paginate(**request):
        for each in page.get("Contents", []):
            key, modified = each["Key"], each["LastModified"]
            if last and not not_after(key, prefix, last.astimezone(zone)):
                return  # keys sort by time as far as `start_after` reads the prefix
            if modified < floor or key.startswith("errors/") or not each["Size"]:
                continue
            if last and (_named(key) or modified - RETRIED) > last + slack:
                continue
            if folder and f"/{folder}/" not in f"/{key}":
                continue
            yield Stored(key, each["Size"], modified, each.get("StorageClass") in _ARCHIVES)


def _zone(stream: StreamFacts) -> tzinfo:
    """The time zone of the prefix's times: UTC unless the stream names another."""
    name = str(stream.destination.get("CustomTimeZone") or "UTC")
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        remedy = "Install the package tzdata, which knows all of them."
        raise CloudError(
            f"{stream.name} names objects by the time of {name}, which is not known here.", remedy
        ) from None


def _of_function(stream: StreamFacts, function: str) -> str:
    """The stream's prefix with the function's name in the place of the partition key that is made of it, if any."""
    return stream.prefix.replace(_FUNCTION_KEY, function)


def _folder_of(stream: StreamFacts, function: str) -> str:
    """The name of the folders that hold one function's objects; empty if the stream has none."""
    folder = next((each for each in stream.prefix.split("/") if _FUNCTION_KEY in each), "")
    folder = folder.replace(_FUNCTION_KEY, function)
    return "" if "!{" in folder else folder


def _named(key: str) -> datetime | None:
    """The time in an object's own name (`STREAM-1-2026-11-23-13-50-32-...`), or None if it has none."""
    found = _NAMED.search(key.rpartition("/")[2])
    try:
        return datetime(*map(int, found.groups()), tzinfo=timezone.utc) if found else None  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def contents(cloud: Cloud, bucket: str, keys: list[str]) -> Iterator[bytes]:
    """The objects' contents, in the order of `keys`; a few are fetched at a time."""
    s3: Any = cloud.client("s3")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda key: bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read()), keys)
