"""What a function's role is allowed on firetee's account: one inline policy for each stream, which all functions of the
region that share the role and name the stream live on.

A policy is written before the first of them needs it, and goes when no other one does. Earlier versions wrote a policy
for each function; those are recognised, and replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firetee.cloud import arns, fleet, policy
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import is_denied, is_missing
from firetee.cloud.state import FunctionState, read_inline_policy
from firetee.cloud.wiring import EXEC_WRAPPER, WRAPPER_VARIABLE, named_streams


@dataclass(frozen=True)
class Present:
    """The inline policies of firetee's on a function's role, by name, as documents.

    `in_use`: those that other functions need. `unclear`: those of which that may not be looked at.
    """

    policies: Mapping[str, Any] = field(default_factory=dict)
    in_use: frozenset[str] = frozenset()
    unclear: frozenset[str] = frozenset()

    def unneeded(self) -> dict[str, Any]:
        """Those that no other function needs."""
        return {name: each for name, each in self.policies.items() if name not in self.in_use | self.unclear}


def wanted(env: Mapping[str, str], region: str, account: str) -> dict[str, Any]:
    """The policies, by name, that a function of this region and account needs with these variables: to put records
    into each stream, or to assume the role that may."""
    role = env.get("FIRETEE_ROLE_ARN", "")
    if role:
        return {policy.name_to_assume(region, role): policy.allow(policy.ASSUME_ACTION, role)}
    streams = [arns.stream(text, region, account) for text in named_streams(env)]
    return {
        policy.name_to_put(region, stream.name, stream.arn.region): policy.allow(policy.PUT_ACTION, stream.text)
        for stream in streams
        if stream is not None
    }


def read(cloud: Cloud, function: FunctionState, leaving: Collection[str] = ()) -> Present:
    """What is on the function's role now. `leaving` are functions that are about to be detached, and need nothing."""
    names = _names(cloud, function)
    found = {name: read_inline_policy(cloud, function.role_arn, name) for name in names}
    policies = {name: document for name, document in found.items() if document is not None}
    shared = [name for name in policies if not is_own(function, name)]
    if not shared:
        return Present(policies)
    try:
        others = cloud.once(("functions",), lambda: list(fleet.configurations(cloud)))
    except Exception as error:
        if not is_denied(error):
            raise
        return Present(policies, unclear=frozenset(shared))
    users = [each for each in _users(others, function) if each["FunctionName"] not in leaving]
    needed = {name for each in users for name in _needs(each, function)}
    return Present(policies, frozenset(needed & set(shared)))


def is_own(function: FunctionState, name: str) -> bool:
    """Whether the policy is one that an earlier version wrote for this function alone."""
    return name == policy.name_for(function.name, function.region)


def is_needed(cloud: Cloud, function: FunctionState, name: str, *, by_itself: bool) -> bool:
    """Whether a function that has firetee now needs the policy: another one, or, if asked for, this one too. Looks
    anew; what may not be looked at counts as needed."""
    try:
        return any(
            name in _needs(each, function)
            for each in fleet.configurations(cloud)
            if _shares(each, function) and (by_itself or each["FunctionName"] != function.name)
        )
    except Exception as error:
        if not is_denied(error):
            raise
        return True


def _names(cloud: Cloud, function: FunctionState) -> list[str]:
    own = policy.name_for(function.name, function.region)
    try:
        pages = cloud.client("iam").get_paginator("list_role_policies")
        every = [
            name for page in pages.paginate(RoleName=arns.role_name(function.role_arn)) for name in page["PolicyNames"]
        ]
    except Exception as error:
        if is_missing(error):
            return []
        if not is_denied(error):
            raise
        return [own, *wanted(function.env, function.region, function.account)]
    return [name for name in every if name == own or name.startswith(policy.shared_prefix(function.region))]


def _users(configurations: Collection[Mapping[str, Any]], function: FunctionState) -> Iterator[Mapping[str, Any]]:
    for each in configurations:
        if each["FunctionName"] != function.name and _shares(each, function):
            yield each


def _shares(configuration: Mapping[str, Any], function: FunctionState) -> bool:
    return bool(configuration.get("Role") == function.role_arn)


def _needs(configuration: Mapping[str, Any], function: FunctionState) -> dict[str, Any]:
    variables = (configuration.get("Environment") or {}).get("Variables") or {}
    if variables.get(WRAPPER_VARIABLE) != EXEC_WRAPPER:
        return {}
    return wanted(variables, function.region, function.account)
