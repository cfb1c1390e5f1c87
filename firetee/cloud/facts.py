"""Gathers what the doctor's checks look at. What may not be looked at becomes a fact too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from firetee.cloud import arns, layers, policy, settings, streams
from firetee.cloud.aws import Cloud
from firetee.cloud.checks import Facts, StreamSeen
from firetee.cloud.errors import explain, is_missing
from firetee.cloud.state import FunctionState
from firetee.cloud.wiring import LAYER_NAME, is_ours, named_streams

T = TypeVar("T")
Otherwise = TypeVar("Otherwise")


def gather(cloud: Cloud, function: FunctionState) -> Facts:
    """Everything the checks want to know about the function. A permission that is missing is noted, never raised."""
    seen, bad = [], []
    for text in named_streams(function.env):
        stream = arns.stream(text, function.region, function.account)
        if stream is None:
            bad.append(text)
        else:
            seen.append(_look_at(cloud, stream))
    role_to_assume = function.env.get("FIRETEE_ROLE_ARN", "")
    wanted = (
        {role_to_assume: policy.ASSUME_ACTION}
        if role_to_assume
        else {each.stream.text: policy.PUT_ACTION for each in seen}
    )
    log_group = f"arn:{function.partition}:logs:{function.region}:{function.account}:log-group:{function.log_group}:*"
    return Facts(
        function=function,
        streams=tuple(seen),
        bad_streams=tuple(bad),
        may_put={resource: _may(cloud, function.role_arn, action, resource) for resource, action in wanted.items()},
        may_log=_may(cloud, function.role_arn, "logs:PutLogEvents", log_group),
        compiled_for=_compiled_for(cloud, function),
        layer_release=ask_or(lambda: layers.release_of(cloud, _our_layer(function)), ""),
        newest_layer=ask_or(lambda: _newest_layer(cloud, _layer_name(function)), ""),
        vpc_endpoint=_has_endpoint(cloud, function) if function.in_vpc else None,
        setting_problems=settings.problems(function.env),
        unknown_settings=settings.unknown(function.env),
    )


def _compiled_for(cloud: Cloud, function: FunctionState) -> tuple[str, ...] | None:
    ours = [arn for arn in function.layers if is_ours(arn, known=function.our_layers)]
    return ask_or(lambda: layers.compiled_for(cloud, ours[0]), None) if ours else None


def _our_layer(function: FunctionState) -> str:
    return next((each for each in function.layers if is_ours(each, known=function.our_layers)), "")


def _layer_name(function: FunctionState) -> str:
    return arns.layer_name(_our_layer(function)) or LAYER_NAME


def _look_at(cloud: Cloud, stream: arns.Stream) -> StreamSeen:
    if stream.arn.partition != arns.partition_of(cloud.region):
        return StreamSeen(stream)
    if stream.arn.account != ask_or(lambda: cloud.account, stream.arn.account):
        return StreamSeen(stream, refused="it is in another account, which cannot be looked into from here")
    try:
        there = cloud.in_region(stream.arn.region)
        return StreamSeen(stream, cloud.once(("stream", stream.text), lambda: streams.read_stream(there, stream.name)))
    except Exception as error:  # noqa: BLE001 - a refusal is a fact
        return StreamSeen(stream, refused=explain(error).message)


def _may(cloud: Cloud, role_arn: str, action: str, resource: str) -> str:
    try:
        answer = cloud.client("iam").simulate_principal_policy(
            PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
        )
    except Exception as error:  # noqa: BLE001 - a refusal is a fact
        return "the role does not exist" if is_missing(error) else explain(error).message
    return str(answer["EvaluationResults"][0]["EvalDecision"])


def _newest_layer(cloud: Cloud, name: str) -> str:
    return cloud.once(("newest layer", name), lambda: layers.newest(cloud, name))


def _has_endpoint(cloud: Cloud, function: FunctionState) -> bool | None:
    filters = [
        {"Name": "vpc-id", "Values": [function.vpc_id]},
        {"Name": "service-name", "Values": [f"com.amazonaws.{function.region}.kinesis-firehose"]},
    ]
    ec2 = cloud.client("ec2")
    return ask_or(lambda: bool(ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]), None)


def ask_or(ask: Callable[[], T], otherwise: Otherwise) -> T | Otherwise:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - what may not be asked is simply unknown
        return otherwise
