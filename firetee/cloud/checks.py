"""The doctor's checks: pure functions from facts to findings. `facts` gathers what they look at.

Every finding that is not fine has a remedy: what to run, to set or to ask for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from firetee.cloud import arns, settings, wiring
from firetee.cloud.arns import Stream
from firetee.cloud.state import KNOWN_RUNTIMES, FunctionState, is_served
from firetee.cloud.streams import StreamFacts
from firetee.layer import COMPILING_MS

FINE, HINT, PROBLEM, UNKNOWN = "fine", "hint", "problem", "unknown"
"""`problem`: lines are lost, or the function itself fails. `hint`: works, but could be better. `unknown`: not visible
from here."""

SMALL_MEMORY_MB = 256
"""Below this Lambda gives so little processor time that Python's own start-up dominates. A choice."""
DEFAULT_FLUSH_TIMEOUT_MS = 2000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class StreamSeen:
    """A stream that the function names, and what is known of it. `facts` is None if there is none; `refused` says that
    nobody let us look."""

    stream: Stream
    facts: StreamFacts | None = None
    refused: str = ""


@dataclass(frozen=True)
class Facts:
    """All that the checks look at."""

    function: FunctionState
    streams: tuple[StreamSeen, ...] = ()
    bad_streams: tuple[str, ...] = ()
    may_put: Mapping[str, str] = field(default_factory=dict)
    """Resource ARN to `allowed`, `implicitDeny`, `explicitDeny`, or why it could not be told."""
    may_log: str = ""
    """The same for writing to CloudWatch Logs."""
    newest_layer: str = ""
    compiled_for: tuple[str, ...] | None = None
    """The versions of Python that the function's layer says it is compiled for; None if it does not say."""
    layer_release: str = ""
    """Version and content hash that the layer's description names."""
    vpc_endpoint: bool | None = None
    """Whether the function's VPC has an endpoint for Firehose; None if unknown."""
    setting_problems: tuple[str, ...] = ()
    unknown_settings: tuple[str, ...] = ()


def examine(facts: Facts) -> list[Finding]:
    """Every finding, in the order in which a person would look."""
    checks = (
        check_runtime,
        check_state,
        check_layer,
        check_wrapper,
        check_versions,
        check_chain,
        check_settings,
        check_streams,
        check_permission,
        check_network,
        check_limits,
        check_cloudwatch,
    )
    return [finding for check in checks for finding in check(facts)]


def check_runtime(facts: Facts) -> Iterator[Finding]:
    """Python from 3.10 on; an image is its owner's affair."""
    function = facts.function
    if function.package_type == "Image":
        yield Finding(
            "runtime",
            HINT,
            "a container image: what is inside cannot be seen from here",
            "Check the image by docs/install.md, 'Container images'; the checks of the layer do not apply.",
        )
    elif function.runtime in KNOWN_RUNTIMES:
        yield Finding("runtime", FINE, f"{function.runtime} on {function.architecture}")
    elif is_served(function.runtime):
        yield Finding(
            "runtime",
            HINT,
            f"{function.runtime} is newer than this firetee, which is tested up to {KNOWN_RUNTIMES[-1]}",
            "It works there and starts slower: its modules are not compiled for it. Look for a newer firetee.",
        )
    else:
        yield Finding(
            "runtime",
            PROBLEM,
            f"{function.runtime or 'unknown'} is not supported",
            f"Move to {KNOWN_RUNTIMES[0]} or later, or run `firetee detach {function.name}`.",
        )


def check_state(facts: Facts) -> Iterator[Finding]:
    """A failed update leaves the old configuration running."""
    function = facts.function
    if function.last_update == "Failed":
        yield Finding(
            "state",
            PROBLEM,
            f"the last update of the function failed: {function.last_update_reason or 'no reason given'}",
            "Repair what it names, then run `firetee attach` again.",
        )
    elif function.last_update == "InProgress":
        yield Finding("state", HINT, "the function is being updated", "Run this again in a minute.")


def check_layer(facts: Facts) -> Iterator[Finding]:
    """The layer is there, once, and is the newest."""
    function = facts.function
    if function.package_type == "Image":
        return
    ours = [each for each in function.layers if wiring.is_ours(each, known=function.our_layers)]
    if len(ours) > 1:
        yield Finding(
            "layer",
            HINT,
            f"the layer is there {len(ours)} times: {', '.join(ours)}",
            f"Run `firetee attach {function.name} --stream ...`: it leaves one.",
        )
    if not ours and function.hidden_layers:
        yield Finding(
            "layer",
            UNKNOWN,
            f"cannot tell whether one of these is firetee's: {', '.join(sorted(function.hidden_layers))}",
            "Ask for lambda:GetLayerVersion on them.",
        )
    elif not ours:
        uses = function.env.get(wiring.WRAPPER_VARIABLE) == wiring.EXEC_WRAPPER
        yield Finding(
            "layer",
            PROBLEM,
            "the layer is missing"
            + (", yet the exec wrapper points into it: the function cannot start" if uses else ""),
            f"Run `firetee attach {function.name} --stream NAME`"
            + (f", or `firetee detach {function.name}`." if uses else "."),
        )
    elif facts.newest_layer and facts.newest_layer not in ours and _same_account(ours[0], facts.newest_layer):
        yield Finding(
            "layer",
            HINT,
            f"{ours[0]} is not the newest: {facts.newest_layer}",
            f"Run `firetee upgrade {function.name}`, with the firetee that published it, "
            f"or with --layer-arn {facts.newest_layer}.",
        )
    elif facts.compiled_for is not None and function.runtime.removeprefix("python") not in facts.compiled_for:
        yield Finding(
            "layer",
            HINT,
            f"{ours[0]} has no compiled modules for {function.runtime}: each cold start is about "
            f"{COMPILING_MS} ms slower",
            "Run `firetee layer build` where that Python is or can be fetched, and `firetee attach` again.",
        )
    else:
        yield Finding("layer", FINE, ours[0] + (f" (firetee {facts.layer_release})" if facts.layer_release else ""))


def check_wrapper(facts: Facts) -> Iterator[Finding]:
    """AWS_LAMBDA_EXEC_WRAPPER points at ours, and firetee is not switched off."""
    function = facts.function
    if function.package_type == "Image":
        return
    value = function.env.get(wiring.WRAPPER_VARIABLE, "")
    if value == wiring.EXEC_WRAPPER:
        yield Finding("wrapper", FINE, f"{wiring.WRAPPER_VARIABLE}={value}")
    elif value:
        yield Finding(
            "wrapper",
            PROBLEM,
            f"{wiring.WRAPPER_VARIABLE} is {value}: another tool has taken firetee's place",
            f"Run `firetee attach {function.name} --stream ...`: it chains {value}.",
        )
    else:
        yield Finding(
            "wrapper",
            PROBLEM,
            f"{wiring.WRAPPER_VARIABLE} is not set: the layer is never started",
            f"Set it to {wiring.EXEC_WRAPPER}, or run `firetee attach {function.name} --stream ...`.",
        )
    if function.env.get("FIRETEE_DISABLED", "").lower() in {"1", "true", "yes", "on"}:
        yield Finding("wrapper", PROBLEM, "FIRETEE_DISABLED is set: firetee does nothing", "Remove FIRETEE_DISABLED.")


def check_versions(facts: Facts) -> Iterator[Finding]:
    """Aliases and published versions have what they were published with."""
    published = facts.function.published
    if published is None:
        yield Finding(
            "versions",
            UNKNOWN,
            "cannot tell which published versions are in use",
            "Ask for lambda:ListVersionsByFunction and lambda:ListAliases on the function.",
        )
        return
    for each in published:
        if each.has_firetee:
            yield Finding("versions", FINE, f"{each} runs with firetee")
        else:
            yield Finding(
                "versions",
                PROBLEM if each.alias else HINT,
                f"{each} runs without firetee: what it writes is not sent",
                "Publish a new version, and point the alias there." if each.alias else "Publish a new version.",
            )


def check_chain(facts: Facts) -> Iterator[Finding]:
    """The wrapper run in between is a path that can exist, and not our own again."""
    value = facts.function.env.get(wiring.CHAIN_VARIABLE, "")
    if not value:
        return
    if value == wiring.EXEC_WRAPPER:
        yield Finding(
            "chaining", PROBLEM, f"{wiring.CHAIN_VARIABLE} is firetee's own wrapper", f"Remove {wiring.CHAIN_VARIABLE}."
        )
    elif not value.startswith(("/opt/", "/var/task/", "/var/runtime/")):
        yield Finding(
            "chaining",
            HINT,
            f"{wiring.CHAIN_VARIABLE} is {value}, which is neither in a layer (/opt) nor in the package (/var/task)",
            "Check that the file exists in the function and is executable.",
        )
    else:
        yield Finding("chaining", FINE, f"{value} runs in between")


def check_settings(facts: Facts) -> Iterator[Finding]:
    """Values that firetee would not take, names that it does not know."""
    for problem in facts.setting_problems:
        yield Finding("settings", PROBLEM, problem, "Correct the value; the table in README.md says what it may be.")
    for name in facts.unknown_settings:
        hint = settings.did_you_mean(name, sorted(settings.known()))
        yield Finding("settings", HINT, f"{name} is not a setting of firetee", hint or "Remove it.")


def check_streams(facts: Facts) -> Iterator[Finding]:
    """Each stream exists, is active, takes records from callers, and lies where the function can reach it."""
    function = facts.function
    for text in facts.bad_streams:
        yield Finding(
            "stream",
            PROBLEM,
            f"{text!r} is neither a name nor an ARN",
            "`aws firehose list-delivery-streams` lists names.",
        )
    if not facts.streams and not facts.bad_streams:
        yield Finding(
            "stream",
            PROBLEM,
            f"{wiring.STREAM_VARIABLE} is not set: the function runs without firetee",
            f"Run `firetee attach {function.name} --stream NAME`.",
        )
    for seen in facts.streams:
        yield from _check_stream(function, seen)


def _check_stream(function: FunctionState, seen: StreamSeen) -> Iterator[Finding]:
    arn = seen.stream.arn
    if arn.partition != function.partition:
        yield Finding(
            "stream",
            PROBLEM,
            f"{seen.stream.text} is in partition {arn.partition}, the function in {function.partition}",
            "Use a stream in the function's own partition.",
        )
        return
    if arn.account != function.account and not function.env.get("FIRETEE_ROLE_ARN"):
        yield Finding(
            "stream",
            PROBLEM,
            f"{seen.stream.text} is in another account",
            "Set FIRETEE_ROLE_ARN to a role there: `firetee attach ... --role-arn ARN`.",
        )
    if arn.region != function.region:
        yield Finding(
            "stream",
            HINT,
            f"{seen.stream.name} is in {arn.region}, the function in {function.region}: slower, and traffic is billed",
            f"Use a stream in {function.region} if you can.",
        )
    if seen.refused:
        yield Finding(
            "stream", UNKNOWN, f"{seen.stream.name}: {seen.refused}", "Ask for firehose:DescribeDeliveryStream on it."
        )
    elif seen.facts is None:
        yield Finding(
            "stream",
            PROBLEM,
            f"there is no delivery stream {seen.stream.name} in {arn.region}",
            f"Correct {wiring.STREAM_VARIABLE}, or run `firetee attach {function.name} --stream {seen.stream.name} "
            "--create-stream`.",
        )
    else:
        yield from _check_stream_facts(function, seen.facts)


def _check_stream_facts(function: FunctionState, stream: StreamFacts) -> Iterator[Finding]:
    if stream.status != "ACTIVE":
        yield Finding(
            "stream",
            PROBLEM,
            f"{stream.name} is {stream.status}",
            "Wait for it to become ACTIVE; if it does not, its console page gives the reason.",
        )
    if stream.source != "DirectPut":
        yield Finding(
            "stream",
            PROBLEM,
            f"{stream.name} reads from {stream.source} and takes no records from callers",
            "Use a stream whose source is Direct PUT.",
        )
    gzip = function.env.get("FIRETEE_COMPRESSION", "").lower() == "gzip"
    if gzip and stream.compression != "UNCOMPRESSED":
        yield Finding(
            "stream",
            HINT,
            f"lines are compressed twice: by firetee and by {stream.name} ({stream.compression})",
            "Remove FIRETEE_COMPRESSION, or set the stream's compression to UNCOMPRESSED.",
        )
    if stream.dynamic_partitioning:
        if gzip:
            yield Finding(
                "stream",
                PROBLEM,
                f"{stream.name} partitions by content, which it cannot read in gzip",
                "Remove FIRETEE_COMPRESSION.",
            )
        if "RecordDeAggregation" not in stream.processors and function.env.get("FIRETEE_AGGREGATE", "true") != "false":
            yield Finding(
                "stream",
                PROBLEM,
                f"{stream.name} partitions by content but does not take records apart: it sees first lines only",
                "Turn on multi-record de-aggregation (JSON) on the stream, or set FIRETEE_AGGREGATE=false.",
            )
    if stream.status == "ACTIVE" and stream.source == "DirectPut":
        where = f" to s3://{stream.bucket}/{stream.prefix}" if stream.bucket else ""
        yield Finding("stream", FINE, f"{stream.name} is active{where}")


def check_permission(facts: Facts) -> Iterator[Finding]:
    """IAM's own simulation says that the role may do what is needed."""
    role = arns.role_name(facts.function.role_arn)
    for resource, decision in facts.may_put.items():
        action = "sts:AssumeRole" if ":role/" in resource else "firehose:PutRecordBatch"
        if decision == "allowed":
            yield Finding("permission", FINE, f"{role} may {action} on {resource}")
        elif decision in {"implicitDeny", "explicitDeny"}:
            why = "a policy denies it" if decision == "explicitDeny" else "no policy allows it"
            yield Finding(
                "permission",
                PROBLEM,
                f"{role} may not {action} on {resource}: {why}",
                f"Run `firetee attach {facts.function.name} --stream ...`, or have this added to the role: "
                f'{{"Effect": "Allow", "Action": "{action}", "Resource": "{resource}"}}'
                + (", and the denial removed." if decision == "explicitDeny" else "."),
            )
        else:
            yield Finding(
                "permission",
                UNKNOWN,
                f"cannot tell whether {role} may {action}: {decision}",
                "Ask for iam:SimulatePrincipalPolicy on the role.",
            )


def check_network(facts: Facts) -> Iterator[Finding]:
    """A function in a VPC needs a way to Firehose."""
    if not facts.function.in_vpc:
        return
    if facts.vpc_endpoint:
        yield Finding("network", FINE, f"{facts.function.vpc_id} has an endpoint for Firehose")
    else:
        known = "has no endpoint for Firehose" if facts.vpc_endpoint is False else "could not be looked at"
        yield Finding(
            "network",
            HINT,
            f"the function is in {facts.function.vpc_id or 'a VPC'}, which {known}",
            f"Make an interface endpoint for com.amazonaws.{facts.function.region}.kinesis-firehose, or see that the "
            "subnets have a NAT gateway.",
        )


def check_limits(facts: Facts) -> Iterator[Finding]:
    """Timeout and memory leave room for what firetee does."""
    function = facts.function
    text = function.env.get("FIRETEE_FLUSH_TIMEOUT_MS", "")
    budget_ms = int(text) if re.fullmatch(r"\d+", text) else DEFAULT_FLUSH_TIMEOUT_MS
    if function.timeout_s * 1000 <= budget_ms:
        yield Finding(
            "timeout",
            HINT,
            f"the function may run {function.timeout_s} s, and an unreachable Firehose may take {budget_ms} ms of that",
            "Raise the function's timeout, or lower FIRETEE_FLUSH_TIMEOUT_MS.",
        )
    else:
        yield Finding("timeout", FINE, f"{function.timeout_s} s")
    if function.memory_mb < SMALL_MEMORY_MB:
        yield Finding(
            "memory",
            HINT,
            f"{function.memory_mb} MB come with little processor time: every cold start is slow, firetee's part too",
            f"Try {SMALL_MEMORY_MB} MB: it often costs no more, as the function ends sooner.",
        )
    else:
        yield Finding("memory", FINE, f"{function.memory_mb} MB")


def check_cloudwatch(facts: Facts) -> Iterator[Finding]:
    """Whether the same lines are paid for in CloudWatch Logs too. Not a fault either way."""
    if facts.may_log == "allowed":
        yield Finding(
            "cloudwatch",
            HINT,
            f"lines go to CloudWatch Logs too ({facts.function.log_group}), and are paid there",
            "Keep it while you try firetee out. To stop paying twice: docs/security.md, 'Without CloudWatch Logs'.",
        )
    elif facts.may_log in {"implicitDeny", "explicitDeny"}:
        yield Finding(
            "cloudwatch",
            FINE,
            "the role may not write to CloudWatch Logs: lines are where the stream leads only; metrics in the embedded "
            "metric format (Powertools' Metrics and the like), which CloudWatch makes of lines, stop without a word",
        )
    elif facts.may_log:
        yield Finding(
            "cloudwatch",
            UNKNOWN,
            f"cannot tell whether lines go to CloudWatch Logs too: {facts.may_log}",
            "Ask for iam:SimulatePrincipalPolicy on the role.",
        )


def _same_account(one: str, other: str) -> bool:
    first, second = arns.parse(one), arns.parse(other)
    return first is not None and second is not None and first.account == second.account
