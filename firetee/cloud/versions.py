"""Published versions: they keep the configuration that they were published with, whatever is done to the function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import is_denied
from firetee.cloud.state import FunctionState, Published
from firetee.cloud.wiring import EXEC_WRAPPER, WRAPPER_VARIABLE


def of(cloud: Cloud, function: FunctionState) -> FunctionState:
    """The function with `published` filled in: what each alias points at, or the newest version where there is no
    alias. An older version without an alias is run by nobody, as far as can be told."""
    try:
        versions = _versions(cloud, function.name)
        aliases = _aliases(cloud, function.name) if versions else []
    except Exception as error:
        if not is_denied(error):
            raise
        return replace(function, published=None)
    found: list[Published] = []
    for alias in aliases:
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        found += [
            Published(version, _has_firetee(versions[version]), alias["Name"])
            for version in dict.fromkeys([alias["FunctionVersion"], *weights])
            if version in versions  # an alias may point at $LATEST
        ]
    if versions and not aliases:
        newest = max(versions, key=int)
        found.append(Published(newest, _has_firetee(versions[newest])))
    return replace(function, published=tuple(found))


def _versions(cloud: Cloud, name: str) -> dict[str, Mapping[str, Any]]:
    pages = cloud.client("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=name)
    every = {each["Version"]: each for page in pages for each in page["Versions"]}
    return {version: each for version, each in every.items() if version != "$LATEST"}


def _aliases(cloud: Cloud, name: str) -> list[Mapping[str, Any]]:
    pages = cloud.client("lambda").get_paginator("list_aliases").paginate(FunctionName=name)
    return [each for page in pages for each in page["Aliases"]]


def _has_firetee(configuration: Mapping[str, Any]) -> bool:
    variables = (configuration.get("Environment") or {}).get("Variables") or {}
    return bool(variables.get(WRAPPER_VARIABLE) == EXEC_WRAPPER)
