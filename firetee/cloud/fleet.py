"""Which functions a command is about: named ones, or all that carry certain tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError
from firetee.cloud.state import SUPPORTED_RUNTIMES


def parse_tags(texts: Sequence[str]) -> dict[str, str]:
    """`k=v` texts as a mapping; `k` alone means any value (kept as an empty string). Raises CloudError on an empty
    key."""
    tags: dict[str, str] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key:
            raise CloudError(f"{text!r} is not a tag.", "Write --tag KEY=VALUE, or --tag KEY for any value.")
        tags[key] = value
    return tags


def select(cloud: Cloud, tags: Mapping[str, str]) -> list[str]:
    """The names of the region's Python functions (zip packages) that carry all the tags, sorted.

    Functions on other runtimes are not selected: nobody who says "all" means them.
    """
    names = {
        each["FunctionName"]: each["FunctionArn"]
        for page in cloud.client("lambda").get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if each.get("Runtime") in SUPPORTED_RUNTIMES
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
