"""What a function looks like now, as far as attaching and checking need to know it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firetee import runtimes
from firetee.cloud import arns
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, is_denied, is_missing
from firetee.cloud.settings import did_you_mean
from firetee.cloud.wiring import without_values

#: The managed runtimes that firetee is tested on and compiled for.
KNOWN_RUNTIMES = tuple(f"python{minor}" for minor in runtimes.MINORS)


def is_served(runtime: str) -> bool:
    """Whether firetee works there: on the runtimes it knows, and on every later Python, which it only starts slower
    on."""
    found = re.fullmatch(r"python3\.(\d+)", runtime)
    return found is not None and int(found[1]) >= runtimes.OLDEST[1]


@dataclass(frozen=True)
class Published:
    """A published version that invocations may use: by an alias, or by its number."""

    version: str
    has_firetee: bool
    alias: str = ""

    def __str__(self) -> str:
        return f"the alias {self.alias} (version {self.version})" if self.alias else f"version {self.version}"


@dataclass(frozen=True)
class FunctionState:
    """One function's configuration, as `lambda:GetFunction` tells it. Nothing in it is ever changed in place."""

    name: str
    arn: str
    role_arn: str
    runtime: str
    """Empty for a container image."""
    package_type: str = "Zip"
    architecture: str = "x86_64"
    timeout_s: int = 3
    memory_mb: int = 128
    env: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    """ARNs of layer versions, in the order in which Lambda unpacks them."""
    our_layers: frozenset[str] = frozenset()
    """Those of `layers` that are firetee's under whatever name; filled in by `recognise.layers_of`."""
    hidden_layers: frozenset[str] = frozenset()
    """Those of which that cannot be told."""
    published: tuple[Published, ...] | None = ()
    """The versions that invocations may use besides; filled in by `versions.of`. None: it may not be looked at."""
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_error: str = ""
    """Why the tags could not be read; empty if they were."""
    revision: str = ""
    version: str = "$LATEST"
    last_update: str = "Successful"
    last_update_reason: str = ""
    in_vpc: bool = False
    vpc_id: str = ""
    log_group: str = ""
    log_format: str = "Text"
    snap_start: bool = False

    @property
    def region(self) -> str:
        return self._parsed.region

    @property
    def account(self) -> str:
        return self._parsed.account

    @property
    def partition(self) -> str:
        return self._parsed.partition

    @property
    def qualifier(self) -> str:
        """The version or alias that the ARN names; empty if it names none."""
        return ":".join(self._parsed.resource.split(":")[2:])

    @property
    def _parsed(self) -> arns.Arn:
        parsed = arns.parse(self.arn)
        if parsed is None:
            raise CloudError(f"{self.arn!r} is not the ARN of a function.")
        return parsed


def read_function(cloud: Cloud, name: str) -> FunctionState:
    """Read a function by name, ARN or `name:qualifier`.

    Raises CloudError if there is none, or if its environment cannot be decrypted: attaching would wipe it.
    """
    try:
        answer = cloud.client("lambda").get_function(FunctionName=name)
    except Exception as error:
        if is_missing(error):
            raise CloudError(
                f"There is no function {name!r} in {cloud.region}.",
                _likely_name(cloud, name) or "Check the name, the region (--region) and the account (AWS_PROFILE).",
            ) from error
        raise
    return from_answer(answer)


def _likely_name(cloud: Cloud, name: str) -> str:
    """A hint at the function that may be meant; nothing if they may not be listed."""
    try:
        pages = cloud.client("lambda").get_paginator("list_functions").paginate()
        return did_you_mean(name, [each["FunctionName"] for page in pages for each in page["Functions"]])
    except Exception:  # noqa: BLE001 - a hint, no more
        return ""


def from_answer(answer: Mapping[str, Any]) -> FunctionState:
    """The state in an answer of `GetFunction`. Raises CloudError if the environment could not be decrypted."""
    config = answer["Configuration"]
    environment = config.get("Environment") or {}
    if environment.get("Error"):
        raise CloudError(
            f"The environment variables of {config['FunctionName']} cannot be read: "
            f"{environment['Error'].get('Message', environment['Error'].get('ErrorCode', 'encrypted'))}",
            f"Ask for kms:Decrypt on the function's key ({config.get('KMSKeyArn', 'see its configuration')}). "
            "Without it an update would wipe the variables.",
        )
    variables = dict(environment.get("Variables") or {})
    vpc = config.get("VpcConfig") or {}
    logging = config.get("LoggingConfig") or {}
    return FunctionState(
        name=config["FunctionName"],
        arn=config["FunctionArn"].removesuffix(":$LATEST"),
        role_arn=config["Role"],
        runtime=config.get("Runtime") or "",
        package_type=config.get("PackageType", "Zip"),
        architecture=(config.get("Architectures") or ["x86_64"])[0],
        timeout_s=int(config.get("Timeout") or 3),
        memory_mb=int(config.get("MemorySize") or 128),
        env=variables,
        layers=tuple(layer["Arn"] for layer in config.get("Layers") or []),
        tags=dict(answer.get("Tags") or {}),
        tags_error=(answer.get("TagsError") or {}).get("Message", ""),
        revision=config.get("RevisionId") or "",
        version=config.get("Version") or "$LATEST",
        last_update=config.get("LastUpdateStatus") or "Successful",
        last_update_reason=without_values(config.get("LastUpdateStatusReason") or "", variables),
        in_vpc=bool(vpc.get("SubnetIds")),
        vpc_id=vpc.get("VpcId") or "",
        log_group=logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}",
        log_format=logging.get("LogFormat") or "Text",
        snap_start=(config.get("SnapStart") or {}).get("ApplyOn", "None") != "None",
    )


def read_inline_policy(cloud: Cloud, role_arn: str, policy_name: str) -> Any:
    """The role's inline policy of that name as a document, or None if there is none or nobody lets us look."""
    try:
        answer = cloud.client("iam").get_role_policy(RoleName=arns.role_name(role_arn), PolicyName=policy_name)
    except Exception as error:
        if is_missing(error) or is_denied(error):
            return None
        raise
    return answer["PolicyDocument"]


def wait_until_settled(cloud: Cloud, name: str) -> None:
    """Wait until no update of the function is under way.

    Raises CloudError if the last update failed, with Lambda's reason, or if it does not end.
    """
    last: dict[str, Any] = {}

    def settled() -> bool:
        last.update(cloud.client("lambda").get_function_configuration(FunctionName=name))
        return last.get("LastUpdateStatus") != "InProgress" and last.get("State") != "Pending"

    cloud.until(settled, f"the update of {name}")
    if last.get("LastUpdateStatus") == "Failed":
        reason = last.get("LastUpdateStatusReason") or last.get("LastUpdateStatusReasonCode") or "no reason given"
        reason = without_values(reason, (last.get("Environment") or {}).get("Variables") or {})
        raise CloudError(
            f"Lambda could not update {name}: {reason}", "Repair what it names, then run the command again."
        )
