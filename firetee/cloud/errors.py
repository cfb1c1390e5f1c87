"""What can go wrong in the cloud commands, and the exit codes that say so."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

EXIT_DONE = 0
"""Done, or nothing to do."""
EXIT_FAILED = 1
"""Refused or failed, and nothing is left changed. `doctor`: at least one problem."""
EXIT_USAGE = 2
"""The command line itself is wrong (click's own code)."""
EXIT_LEFTOVERS = 3
"""Failed half way, and taking it back failed too: the message lists what is left."""


class CloudError(Exception):
    """A failure to show to a person: one sentence on what happened, one on what to do."""

    exit_code = EXIT_FAILED
    nothing_happened = False
    """Whether the step that raised it is known to have changed nothing."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class WrongUsage(CloudError):
    """What was asked for contradicts itself, or cannot be meant."""

    exit_code = EXIT_USAGE


class Interrupted(CloudError):
    """Ctrl-C. `message` says what became of what was under way."""


class Conflict(CloudError):
    """Something is not as it was when the plan was made: another run, or a person, changed it meanwhile. A plan made
    anew may succeed."""

    nothing_happened = True


class Leftovers(CloudError):
    """A failure after which something stays changed. `left` has one line for each thing, with how to remove it."""

    exit_code = EXIT_LEFTOVERS

    def __init__(self, message: str, remedy: str, left: Sequence[str]) -> None:
        super().__init__(message, remedy)
        self.left = tuple(left)


def code_of(error: BaseException) -> str:
    """The AWS error code of an error, or the name of its class."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_denied(error: BaseException) -> bool:
    """Whether AWS refused for lack of permission, or because the role belongs to an AWS service."""
    return code_of(error) in {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "UnmodifiableEntity",
    }


def is_missing(error: BaseException) -> bool:
    """Whether AWS says that the thing does not exist."""
    return code_of(error) in {
        "ResourceNotFoundException",
        "NoSuchEntity",
        "NoSuchBucket",
        "404",
        "NoSuchKey",
        "NotFound",
    }


def may_have_happened(error: BaseException) -> bool:
    """Whether the request may have been carried out although it failed: no answer, a server-side error, an
    interrupt."""
    if isinstance(error, CloudError):
        return not error.nothing_happened
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500
    if isinstance(error, BotoCoreError):  # all others of botocore's are raised before anything is sent
        return isinstance(error, HTTPClientError)
    return True


def explain(error: BaseException) -> CloudError:
    """Any error as a `CloudError`: AWS's own words, and what to do about the common ones."""
    if isinstance(error, CloudError):
        return error
    code = code_of(error)
    if isinstance(error, ClientError):
        operation = error.operation_name
        text = str(error.response.get("Error", {}).get("Message", "")).strip() or "no message"
        return CloudError(f"{operation}: {code}: {text}", _remedy(code, operation, text))
    if isinstance(error, BotoCoreError):
        return CloudError(str(error), _REMEDIES.get(code, "Check the network, the region and the credentials."))
    return CloudError(f"{code}: {error}")


_REMEDIES = {
    "NoCredentialsError": "Sign in first, for instance with `aws sso login`, or set AWS_PROFILE.",
    "PartialCredentialsError": "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "NoRegionError": "Give --region, or set AWS_REGION.",
    "ProfileNotFound": "Check AWS_PROFILE; `aws configure list-profiles` shows the profiles there are.",
    "ExpiredToken": "Sign in again: the session's credentials have expired.",
    "ExpiredTokenException": "Sign in again: the session's credentials have expired.",
    "ResourceConflictException": "Another update of the function is still running. Wait, then run the command again.",
    "PreconditionFailedException": "Somebody else changed the function meanwhile. Run the command again.",
    "NoSuchBucket": "The stream delivers to a bucket that is gone: create it again, or give the stream another one.",
    "CodeStorageExceededException": "Delete layer versions that are not used: the account's code storage is full.",
    "LimitExceeded": "The role has reached a limit of IAM. Remove inline policies that are no longer needed.",
    "LimitExceededException": "A quota of the account is used up. Delete what is unused, or ask for a higher quota.",
}


def _remedy(code: str, operation: str, text: str) -> str:
    if "kms:" in text:
        return "Ask for kms:Decrypt on the key that the bucket is encrypted with; its key policy has to agree."
    if code in _REMEDIES:
        return _REMEDIES[code]
    if "Throttl" in code or code in {"TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}:
        return "AWS is limiting the rate of calls. Wait a minute, then run the command again."
    if code.startswith("KMS."):
        return "The key that the bucket is encrypted with is disabled, deleted or not yours: look at it in KMS."
    if code.startswith("AccessDenied") or code == "UnauthorizedOperation":
        return f"Ask for permission to call {operation}; docs/security.md lists what each command needs."
    return ""
