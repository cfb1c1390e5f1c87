"""Delivery streams: what one is like, and what it takes to make one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firetee.cloud import policy, steps
from firetee.cloud.arns import Stream, partition_of
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, code_of, is_denied, is_missing
from firetee.cloud.state import read_inline_policy

PREFIX = "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
"""Where lines go in the bucket: by UTC day and hour, in the form that Athena and Glue read as partitions."""
ERROR_PREFIX = "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/"
BUFFER_SECONDS = 60
"""Lines are in the bucket a minute after they were sent, or sooner when there are many."""
BUFFER_MB = 5
KEEP_DAYS = 90


@dataclass(frozen=True)
class StreamFacts:
    """A delivery stream as `DescribeDeliveryStream` tells it."""

    name: str
    arn: str
    status: str
    source: str
    """`DirectPut`, or where else the stream takes its records from."""
    bucket: str = ""
    prefix: str = ""
    compression: str = "UNCOMPRESSED"
    dynamic_partitioning: bool = False
    processors: tuple[str, ...] = ()
    destination: Mapping[str, Any] = field(default_factory=dict)


def read_stream(cloud: Cloud, name: str) -> StreamFacts | None:
    """The stream of that name in the cloud's region, or None if there is none."""
    try:
        answer = cloud.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    except Exception as error:
        if is_missing(error):
            return None
        raise
    return from_answer(answer)


def from_answer(answer: Mapping[str, Any]) -> StreamFacts:
    """The facts in an answer of `DescribeDeliveryStream`."""
    stream = answer["DeliveryStreamDescription"]
    destinations = stream.get("Destinations") or [{}]
    found = destinations[0]
    s3 = found.get("ExtendedS3DestinationDescription") or found.get("S3DestinationDescription") or {}
    processing = s3.get("ProcessingConfiguration") or {}
    return StreamFacts(
        name=stream["DeliveryStreamName"],
        arn=stream["DeliveryStreamARN"],
        status=stream["DeliveryStreamStatus"],
        source=stream.get("DeliveryStreamType", "DirectPut"),
        bucket=str(s3.get("BucketARN", "")).rsplit(":", 1)[-1],
        prefix=s3.get("Prefix") or "",
        compression=s3.get("CompressionFormat") or "UNCOMPRESSED",
        dynamic_partitioning=bool((s3.get("DynamicPartitioningConfiguration") or {}).get("Enabled")),
        processors=tuple(each["Type"] for each in processing.get("Processors") or [])
        if processing.get("Enabled")
        else (),
        destination=s3,
    )


def bucket_name(stream: Stream) -> str:
    """The bucket that `--create-stream` makes: unique through the account, at most 63 characters of a small
    alphabet."""
    wanted = re.sub(r"[^a-z0-9-]+", "-", f"firetee-{stream.name}-{stream.arn.account}-{stream.arn.region}".lower())
    return _fitted(wanted, 63)


def delivery_role_name(stream: Stream) -> str:
    """The role that `--create-stream` makes. IAM is global: the region is part of the name, of at most 64
    characters."""
    return _fitted(f"firetee-delivery-{stream.name}-{stream.arn.region}", 64)


def _fitted(name: str, length: int) -> str:
    """The name, or its beginning and a hash of the whole where it is too long."""
    if len(name) <= length:
        return name
    return f"{name[: length - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def steps_to_create(cloud: Cloud, stream: Stream, keep_days: int = KEEP_DAYS) -> list[steps.Step]:
    """What is missing of bucket, role and stream. Empty if the stream is there: it is never changed.

    Raises CloudError if the bucket's name is taken by another account, or if the stream is not the caller's to make.
    """
    if stream.arn.region != cloud.region or stream.arn.account != cloud.account:
        raise CloudError(
            f"--create-stream makes streams in {cloud.region} of account {cloud.account} only.",
            "Create it with that account's credentials and --region, then attach without --create-stream.",
        )
    if read_stream(cloud, stream.name) is not None:
        return []
    partition = partition_of(stream.arn.region)
    bucket = bucket_name(stream)
    bucket_arn = f"arn:{partition}:s3:::{bucket}"
    log_group = f"/aws/kinesisfirehose/{stream.name}"
    log_group_arn = f"arn:{partition}:logs:{stream.arn.region}:{stream.arn.account}:log-group:{log_group}"
    role = delivery_role_name(stream)
    role_arn = f"arn:{partition}:iam::{stream.arn.account}:role/{role}"
    found: list[steps.Step] = []
    if not _has_bucket(cloud, bucket):
        found.append(steps.CreateBucket(bucket, stream.arn.region, keep_days, policy.tls_only(bucket_arn), stream.name))
    if not _has_role(cloud, role):
        found.append(steps.CreateRole(role, policy.trust_firehose(stream.arn.account), stream.name))
    now, wanted = read_inline_policy(cloud, role_arn, "deliver"), policy.deliver_to(bucket_arn, log_group_arn)
    if now != wanted:
        found.append(steps.SetRolePolicy(role_arn, "deliver", now, wanted, stream_name=stream.name))
    destination = {
        "RoleARN": role_arn,
        "BucketARN": bucket_arn,
        "Prefix": PREFIX,
        "ErrorOutputPrefix": ERROR_PREFIX,
        "BufferingHints": {"SizeInMBs": BUFFER_MB, "IntervalInSeconds": BUFFER_SECONDS},
        "CompressionFormat": "GZIP",
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": log_group,
            "LogStreamName": "DestinationDelivery",
        },
    }
    return [*found, steps.CreateStream(stream.name, destination), steps.AwaitStream(stream.name)]


def _has_bucket(cloud: Cloud, bucket: str) -> bool:
    try:
        cloud.client("s3").head_bucket(Bucket=bucket)
    except Exception as error:
        if is_missing(error):
            return False
        if is_denied(error) or code_of(error) in {"403", "301"}:
            raise CloudError(
                f"The bucket {bucket} exists, but is not yours.", "Create a stream by deploy/template.yaml instead."
            ) from error
        raise
    return True


def _has_role(cloud: Cloud, role: str) -> bool:
    try:
        cloud.client("iam").get_role(RoleName=role)
    except Exception as error:
        if is_missing(error):
            return False
        raise
    return True
