"""The permissions that firetee asks for: one inline policy on the function's role, one action on one resource."""

from __future__ import annotations

from typing import Any

PUT_ACTION = "firehose:PutRecordBatch"
ASSUME_ACTION = "sts:AssumeRole"


def name_for(function_name: str, region: str) -> str:
    """The inline policy's name. Roles are shared, within a region and across them: each function has a policy of its
    own, so that detaching one never takes a permission from another. At most 102 characters of IAM's 128."""
    return f"firetee-{region}-{function_name}"


def allow(action: str, *resources: str) -> dict[str, Any]:
    """A policy that allows one action on these resources."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Firetee",
                "Effect": "Allow",
                "Action": action,
                "Resource": resources[0] if len(resources) == 1 else list(resources),
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
