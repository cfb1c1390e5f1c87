"""The permissions that firetee asks for: inline policies on the function's role, each one action on one resource."""

from __future__ import annotations

from typing import Any

PUT_ACTION = "firehose:PutRecordBatch"
ASSUME_ACTION = "sts:AssumeRole"


def name_for(function_name: str, region: str) -> str:
    """The inline policy that earlier versions wrote for each function."""
    return f"firetee-{region}-{function_name}"


def shared_prefix(region: str) -> str:
    """What the policies begin with that functions of a region share. Roles are shared across regions, and from one of
    them it cannot be told who needs a policy in another: each region has policies of its own."""
    return f"firetee.{region}."


def name_to_put(region: str, stream_name: str, stream_region: str) -> str:
    """The policy for functions of `region` that put records into a stream. At most 109 of IAM's 128 characters."""
    return f"{shared_prefix(region)}{stream_name}" + f"@{stream_region}" * (stream_region != region)


def name_to_assume(region: str, role_arn: str) -> str:
    """The policy for functions of `region` that assume a role, which is mostly another account's."""
    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    return f"{shared_prefix(region)}{role_arn.rsplit('/', 1)[-1]}@{account}"


def allow(action: str, resource: str) -> dict[str, Any]:
    """A policy that allows one action on one resource."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Firetee",
                "Effect": "Allow",
                "Action": action,
                "Resource": resource,
            }
        ],
    }


def trust_firehose(account: str) -> dict[str, Any]:
    """Who may take on the delivery role: Firehose, on behalf of this account only (no confused deputy)."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "firehose.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }


def deliver_to(bucket_arn: str, log_group_arn: str) -> dict[str, Any]:
    """What Firehose needs to put objects into the bucket and to log a failure to do so.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                "Resource": bucket_arn,
            },
            {
                "Effect": "Allow",
                "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                "Resource": f"{bucket_arn}/*",
            },
            {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": f"{log_group_arn}:*"},
        ],
    }


def tls_only(bucket_arn: str) -> dict[str, Any]:
    """A bucket policy that refuses requests without TLS."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket_arn, f"{bucket_arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
