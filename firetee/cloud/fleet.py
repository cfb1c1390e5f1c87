"""Which functions a command is about: named ones, or all that carry certain tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import WrongUsage, is_denied
from firetee.cloud.state import is_served
from firetee.cloud.wiring import named_streams


def parse_tags(texts: Sequence[str]) -> dict[str, str]:
    """`k=v` texts as a mapping; `k` alone means any value (kept as an empty string). Raises WrongUsage on an empty
    key."""
    tags: dict[str, str] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key:
            raise WrongUsage(f"{text!r} is not a tag.", "Write --tag KEY=VALUE, or --tag KEY for any value.")
        tags[key] = value
    return tags


class Use(NamedTuple):
    """What a function uses that commands of ours make: layer versions by ARN, delivery streams by name."""

    layers: tuple[str, ...]
    stream_names: tuple[str, ...]


def in_use(cloud: Cloud, uses: Callable[[Use], bool]) -> bool:
    """Whether some function of the region uses a thing; also if that may not be looked at: then nothing is deleted."""
    try:
        for config in configurations(cloud):
            env = (config.get("Environment") or {}).get("Variables") or {}
            named = [each.rpartition("/")[2] for each in named_streams(env)]
            if uses(Use(tuple(each["Arn"] for each in config.get("Layers") or []), tuple(named))):
                return True
    except Exception as error:
        if not is_denied(error):
            raise
        return True
    return False


def configurations(cloud: Cloud) -> Iterator[Mapping[str, Any]]:
    """The configuration of each function of the region, as `ListFunctions` has it."""
    for page in cloud.client("lambda").get_paginator("list_functions").paginate():
        yield from page["Functions"]


def select(cloud: Cloud, tags: Mapping[str, str]) -> list[str]:
    """The names of the region's Python functions (zip packages) that carry all the tags, sorted.

    Functions on other runtimes are not selected: nobody who says "all" means them.
    """
    names = {
        each["FunctionName"]: each["FunctionArn"]
        for each in configurations(cloud)
        if is_served(each.get("Runtime", ""))
    }
    if tags:
        filters = [{"Key": key, **({"Values": [value]} if value else {})} for key, value in tags.items()]
        pages = cloud.client("resourcegroupstaggingapi").get_paginator("get_resources")
        tagged = {
            each["ResourceARN"]
            for page in pages.paginate(ResourceTypeFilters=["lambda:function"], TagFilters=filters)
            for each in page["ResourceTagMappingList"]
        }
        names = {name: arn for name, arn in names.items() if arn in tagged}
    return sorted(names)
