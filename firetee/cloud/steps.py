"""The steps a plan is made of. Each says what it changes, does it, and can take it back.

Every step makes one change, so that an AWS refusal means that nothing of it happened. `undo` may run when it is not
known whether `apply` took effect: it finds what is there and leaves the rest alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from firetee.cloud import arns, layers
from firetee.cloud.aws import PROPAGATION_PATIENCE_S, UPDATE_PATIENCE_S, Cloud
from firetee.cloud.errors import CloudError, code_of, is_denied, is_missing
from firetee.cloud.layers import LayerZip
from firetee.cloud.state import FunctionState, read_function, wait_until_settled
from firetee.cloud.wiring import Wiring

NEW_LAYER = "(the layer, once published)"
"""Stands in a plan for the ARN of a layer version that the plan itself publishes."""


@dataclass
class Made:
    """What the steps of one run have made so far, for the steps after them and for `undo`."""

    layer: str = ""
    """The ARN of the layer version to use, where the plan publishes it."""
    layer_was_there: bool = False
    """Somebody else published the same content meanwhile: not ours to delete."""
    function_changed: bool = False


@dataclass(frozen=True)
class Change:
    """One line of the diff: what `before` and `after` are. Empty means that it is not there."""

    what: str
    before: str = ""
    after: str = ""


class Step(Protocol):
    """What the executor needs of a step."""

    @property
    def title(self) -> str:
        """What is done, in the imperative."""

    @property
    def by_hand(self) -> str:
        """How a person takes it back, should `undo` fail too."""

    def changes(self) -> list[Change]:
        """The lines of the diff."""

    def apply(self, cloud: Cloud, made: Made) -> None:
        """Make the change."""

    def undo(self, cloud: Cloud, made: Made) -> None:
        """Take it back."""


@dataclass(frozen=True)
class PublishLayer:
    """Publish the layer. Left out of a plan when a version with this content is there already."""

    name: str
    zip_: LayerZip = field(repr=False)

    @property
    def title(self) -> str:
        return f"publish the layer {self.name}"

    @property
    def by_hand(self) -> str:
        return f"aws lambda delete-layer-version --layer-name {self.name} --version-number N (the newest)"

    def changes(self) -> list[Change]:
        return [Change(f"layer {self.name}", "", f"a new version, {len(self.zip_.content):,} bytes")]

    def apply(self, cloud: Cloud, made: Made) -> None:
        found = layers.find(cloud, self.name, self.zip_.sha256)
        made.layer_was_there = found is not None
        made.layer = (found or layers.publish(cloud, self.name, self.zip_)).arn

    def undo(self, cloud: Cloud, made: Made) -> None:
        if made.layer_was_there:
            return
        found = layers.find(cloud, self.name, self.zip_.sha256)
        if found:
            cloud.client("lambda").delete_layer_version(LayerName=self.name, VersionNumber=found.version)


@dataclass(frozen=True)
class SetRolePolicy:
    """Make the role's inline policy `name` say `after`; None takes it away."""

    role_arn: str
    name: str
    before: Any
    after: Any

    @property
    def role(self) -> str:
        return arns.role_name(self.role_arn)

    @property
    def title(self) -> str:
        verb = "remove" if self.after is None else "replace" if self.before is not None else "add"
        return f"{verb} the inline policy {self.name} of the role {self.role}"

    @property
    def by_hand(self) -> str:
        if self.before is None:
            return f"aws iam delete-role-policy --role-name {self.role} --policy-name {self.name}"
        return (
            f"aws iam put-role-policy --role-name {self.role} --policy-name {self.name} "
            f"--policy-document '{json.dumps(self.before)}'"
        )

    def changes(self) -> list[Change]:
        return [Change(f"role {self.role}, policy {self.name}", _policy_text(self.before), _policy_text(self.after))]

    def apply(self, cloud: Cloud, made: Made) -> None:
        try:
            self._set(cloud, self.after)
        except Exception as error:
            if not is_denied(error):
                raise
            raise RoleNotOurs(self) from error

    def undo(self, cloud: Cloud, made: Made) -> None:
        self._set(cloud, self.before)

    def _set(self, cloud: Cloud, document: Any) -> None:
        iam = cloud.client("iam")
        if document is not None:
            iam.put_role_policy(RoleName=self.role, PolicyName=self.name, PolicyDocument=json.dumps(document))
            return
        try:
            iam.delete_role_policy(RoleName=self.role, PolicyName=self.name)
        except Exception as error:
            if not is_missing(error):
                raise


class RoleNotOurs(CloudError):
    """The role's policies may not be changed from here."""

    nothing_happened = True

    def __init__(self, step: SetRolePolicy) -> None:
        if step.after is None:
            by_hand = SetRolePolicy(step.role_arn, step.name, None, step.before).by_hand
            remedy = f"Ask whoever owns the role to run: {by_hand}"
        else:
            remedy = (
                "Ask whoever owns the role to add this policy, then run the command again with --no-role: "
                + json.dumps(step.after)
            )
        super().__init__(f"You may not change the role {step.role}.", remedy)
        self.step = step


@dataclass(frozen=True)
class SetTags:
    """Change tags of a function: `before` and `after` hold only the keys in question; a key not in `after` goes."""

    function_arn: str
    before: dict[str, str]
    after: dict[str, str]

    @property
    def title(self) -> str:
        return "write down what was there before" if self.after else "remove the undo record"

    @property
    def by_hand(self) -> str:
        if self.before:
            return f"aws lambda tag-resource --resource {self.function_arn} --tags '{json.dumps(self.before)}'"
        return f"aws lambda untag-resource --resource {self.function_arn} --tag-keys {' '.join(self.after)}"

    def changes(self) -> list[Change]:
        keys = sorted({*self.before, *self.after})
        return [
            Change(f"tag {key}", self.before.get(key, ""), self.after.get(key, ""))
            for key in keys
            if self.before.get(key) != self.after.get(key)
        ]

    def apply(self, cloud: Cloud, made: Made) -> None:
        self._move(cloud, self.before, self.after)

    def undo(self, cloud: Cloud, made: Made) -> None:
        self._move(cloud, self.after, self.before)

    def _move(self, cloud: Cloud, old: dict[str, str], new: dict[str, str]) -> None:
        client = cloud.client("lambda")
        if new:
            client.tag_resource(Resource=self.function_arn, Tags=new)
        if gone := sorted(set(old) - set(new)):
            client.untag_resource(Resource=self.function_arn, TagKeys=gone)


@dataclass(frozen=True)
class RewireFunction:
    """Change the function's variables and layers, in one request: they never disagree."""

    function: FunctionState
    before: Wiring
    after: Wiring

    @property
    def title(self) -> str:
        return f"change the configuration of {self.function.name}"

    @property
    def by_hand(self) -> str:
        environment = json.dumps({"Variables": dict(self.before.env)})
        return (
            f"aws lambda update-function-configuration --function-name {self.function.name} "
            f"--environment '{environment}' --layers {' '.join(self.before.layers) or '[]'}"
        )

    def changes(self) -> list[Change]:
        found = [
            Change(f"variable {key}", self.before.env.get(key, ""), self.after.env.get(key, ""))
            for key in sorted({*self.before.env, *self.after.env})
            if self.before.env.get(key) != self.after.env.get(key)
        ]
        found += [Change("layer", each, "") for each in self.before.layers if each not in self.after.layers]
        found += [Change("layer", "", each) for each in self.after.layers if each not in self.before.layers]
        return found

    def apply(self, cloud: Cloud, made: Made) -> None:
        wait_until_settled(cloud, self.function.name)
        now = read_function(cloud, self.function.name)
        if Wiring(now.env, now.layers) != Wiring(dict(self.before.env), self.before.layers):
            raise CloudError(
                f"Somebody else changed {self.function.name} while this ran.", "Run the command again: it plans anew."
            )
        made.function_changed = True
        self._update(cloud, self.after, made, now.revision)

    def undo(self, cloud: Cloud, made: Made) -> None:
        if not made.function_changed:
            return
        cloud.until(lambda: _is_settled(cloud, self.function.name), f"the update of {self.function.name}")
        self._update(cloud, self.before, made, "")
        made.function_changed = False

    def _update(self, cloud: Cloud, wiring: Wiring, made: Made, revision: str) -> None:
        request: dict[str, Any] = {
            "FunctionName": self.function.name,
            "Environment": {"Variables": dict(wiring.env)},
            "Layers": [made.layer if each == NEW_LAYER else each for each in wiring.layers],
        }
        if revision:
            request["RevisionId"] = revision
        cloud.retrying(
            lambda: cloud.client("lambda").update_function_configuration(**request),
            lambda error: code_of(error) == "ResourceConflictException",  # an update that began meanwhile
            UPDATE_PATIENCE_S,
            2.0,
        )


def _is_settled(cloud: Cloud, name: str) -> bool:
    """Whether no update is under way; a failed one counts as ended."""
    now = cloud.client("lambda").get_function_configuration(FunctionName=name)
    return bool(now.get("LastUpdateStatus") != "InProgress")


@dataclass(frozen=True)
class AwaitUpdate:
    """Wait until Lambda has taken the new configuration; a failure there takes everything before it back."""

    function_name: str
    title: str = "wait until the function is updated"
    by_hand: str = ""

    def changes(self) -> list[Change]:
        return []

    def apply(self, cloud: Cloud, made: Made) -> None:
        wait_until_settled(cloud, self.function_name)

    def undo(self, cloud: Cloud, made: Made) -> None:
        """Nothing was changed."""


@dataclass(frozen=True)
class CreateBucket:
    """A bucket for the delivered lines: private, encrypted, over TLS only, with a lifetime for its objects."""

    name: str
    region: str
    keep_days: int
    policy: Any

    @property
    def title(self) -> str:
        return f"create the bucket {self.name}"

    @property
    def by_hand(self) -> str:
        return f"aws s3 rb s3://{self.name}"

    def changes(self) -> list[Change]:
        return [Change(f"bucket {self.name}", "", f"private, encrypted, objects kept {self.keep_days} days")]

    def apply(self, cloud: Cloud, made: Made) -> None:
        s3 = cloud.client("s3")
        request: dict[str, Any] = {"Bucket": self.name}
        if self.region != "us-east-1":  # S3 refuses us-east-1 as a location constraint
            request["CreateBucketConfiguration"] = {"LocationConstraint": self.region}
        s3.create_bucket(**request)
        try:
            self._furnish(s3)
        except Exception:
            s3.delete_bucket(Bucket=self.name)  # empty still: a refusal half way leaves nothing
            raise

    def _furnish(self, s3: Any) -> None:
        s3.put_public_access_block(
            Bucket=self.name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        s3.put_bucket_encryption(
            Bucket=self.name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )
        s3.put_bucket_lifecycle_configuration(
            Bucket=self.name,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "expire",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "Expiration": {"Days": self.keep_days},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    }
                ]
            },
        )
        s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(self.policy))

    def undo(self, cloud: Cloud, made: Made) -> None:
        try:
            cloud.client("s3").delete_bucket(Bucket=self.name)
        except Exception as error:
            if not is_missing(error):
                raise


@dataclass(frozen=True)
class CreateRole:
    """The role that Firehose takes on to write to the bucket."""

    name: str
    trust: Any

    @property
    def title(self) -> str:
        return f"create the role {self.name}"

    @property
    def by_hand(self) -> str:
        return f"aws iam delete-role --role-name {self.name}"

    def changes(self) -> list[Change]:
        return [Change(f"role {self.name}", "", "for Firehose, to write to the bucket")]

    def apply(self, cloud: Cloud, made: Made) -> None:
        cloud.client("iam").create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps(self.trust),
            Description="Lets Data Firehose deliver what firetee sends",
        )

    def undo(self, cloud: Cloud, made: Made) -> None:
        try:
            cloud.client("iam").delete_role(RoleName=self.name)
        except Exception as error:
            if not is_missing(error):
                raise


@dataclass(frozen=True)
class CreateStream:
    """The delivery stream itself."""

    name: str
    destination: Any

    @property
    def title(self) -> str:
        return f"create the delivery stream {self.name}"

    @property
    def by_hand(self) -> str:
        return f"aws firehose delete-delivery-stream --delivery-stream-name {self.name}"

    def changes(self) -> list[Change]:
        return [Change(f"delivery stream {self.name}", "", f"to {self.destination['BucketARN']}")]

    def apply(self, cloud: Cloud, made: Made) -> None:
        firehose = cloud.client("firehose")
        # A role that was made a moment ago is not known everywhere yet: Firehose then says that it cannot assume it.
        cloud.retrying(
            lambda: firehose.create_delivery_stream(
                DeliveryStreamName=self.name,
                DeliveryStreamType="DirectPut",
                ExtendedS3DestinationConfiguration=self.destination,
                Tags=[{"Key": "created-by", "Value": "firetee"}],
            ),
            lambda error: code_of(error) == "InvalidArgumentException" and "assume" in str(error),
            PROPAGATION_PATIENCE_S,
            3.0,
        )

    def undo(self, cloud: Cloud, made: Made) -> None:
        try:
            cloud.client("firehose").delete_delivery_stream(DeliveryStreamName=self.name)
        except Exception as error:
            if not is_missing(error):
                raise


@dataclass(frozen=True)
class AwaitStream:
    """Wait until the new delivery stream takes records."""

    name: str
    title: str = "wait until the delivery stream is active"
    by_hand: str = ""

    def changes(self) -> list[Change]:
        return []

    def apply(self, cloud: Cloud, made: Made) -> None:
        firehose = cloud.client("firehose")

        def active() -> bool:
            answer = firehose.describe_delivery_stream(DeliveryStreamName=self.name)
            status = answer["DeliveryStreamDescription"]["DeliveryStreamStatus"]
            if status == "CREATING_FAILED":
                raise CloudError(
                    f"Firehose could not create the delivery stream {self.name}.", "Its console page gives the reason."
                )
            return bool(status == "ACTIVE")

        cloud.until(active, f"the delivery stream {self.name}", UPDATE_PATIENCE_S, 2.0)

    def undo(self, cloud: Cloud, made: Made) -> None:
        """Nothing was changed."""


def _policy_text(document: Any) -> str:
    if document is None:
        return ""
    statements = document.get("Statement", [])
    return "; ".join(
        f"{each.get('Effect')} {_joined(each.get('Action'))} on {_joined(each.get('Resource'))}"
        for each in (statements if isinstance(statements, list) else [statements])
    )


def _joined(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
