"""The steps a plan is made of. Each says what it changes, does it, and can take it back.

Every step makes one change, so that an AWS refusal means that nothing of it happened. `undo` may run when it is not
known whether `apply` took effect: it finds what is there and leaves the rest alone.

Others may be at work on the same function. `apply` therefore looks again before it writes, and raises Conflict if what
is there is not what the plan was made for; `undo` touches only what still has the value that this run wrote, and leaves
what somebody else has come to use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError

from firetee.cloud import arns, fleet, layers, permissions
from firetee.cloud import undo as undo_record
from firetee.cloud.aws import PROPAGATION_PATIENCE_S, UPDATE_PATIENCE_S, Cloud
from firetee.cloud.errors import CloudError, Conflict, code_of, is_denied, is_missing
from firetee.cloud.layers import LayerZip
from firetee.cloud.state import FunctionState, read_function, wait_until_settled
from firetee.cloud.wiring import EXEC_WRAPPER, WRAPPER_VARIABLE, Wiring, without_values

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
    found: set[str] = field(default_factory=set)
    """Policies that were there already when they were to be written: not ours to take back."""
    revoked: set[str] = field(default_factory=set)
    """Policies that were taken away."""
    kept: list[str] = field(default_factory=list)
    """What `undo` left as it is, because somebody else uses it by now."""


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
    zip_: LayerZip | None = field(repr=False)
    """None in a dry run, where it is not built."""

    @property
    def title(self) -> str:
        return f"publish the layer {self.name}"

    @property
    def by_hand(self) -> str:
        return f"aws lambda delete-layer-version --layer-name {self.name} --version-number N (the newest)"

    def changes(self) -> list[Change]:
        size = f", {len(self.zip_.content):,} bytes" if self.zip_ else ", to be built"
        return [Change(f"layer {self.name}", "", f"a new version{size}")]

    def apply(self, cloud: Cloud, made: Made) -> None:
        if self.zip_ is None:
            raise CloudError("There is no layer to attach.", "Give --layer-arn or --zip.")
        found = layers.find(cloud, self.name, self.zip_.sha256)
        made.layer_was_there = found is not None
        made.layer = (found or layers.publish(cloud, self.name, self.zip_)).arn

    def undo(self, cloud: Cloud, made: Made) -> None:
        if made.layer_was_there or self.zip_ is None:
            return
        found = layers.find(cloud, self.name, self.zip_.sha256)
        if found is None or (made.layer and found.arn != made.layer):
            return
        if fleet.in_use(cloud, lambda function: found.arn in function.layers):
            made.kept.append(f"layer {found.arn}")
            return
        cloud.client("lambda").delete_layer_version(LayerName=self.name, VersionNumber=found.version)


@dataclass(frozen=True)
class SetRolePolicy:
    """Make the role's inline policy `name` say `after`; None takes it away. `stream_name` is the stream whose delivery
    needs it."""

    role_arn: str
    name: str
    before: Any
    after: Any
    stream_name: str = ""

    @property
    def role(self) -> str:
        return arns.role_name(self.role_arn)

    @property
    def title(self) -> str:
        verb = "remove" if self.after is None else "replace" if self.before is not None else "add"
        return f"{verb} the inline policy {self.name} of the role {self.role}"

    @property
    def by_hand(self) -> str:
        return self._command(self.before)

    def changes(self) -> list[Change]:
        return [Change(f"role {self.role}, policy {self.name}", _policy_text(self.before), _policy_text(self.after))]

    def apply(self, cloud: Cloud, made: Made) -> None:
        if _policy_now(cloud, self.role_arn, self.name) not in (self.before, _HIDDEN):
            raise self._conflict()
        self._allowed_to_set(cloud, self.after)

    def undo(self, cloud: Cloud, made: Made) -> None:
        if _policy_now(cloud, self.role_arn, self.name) not in (self.after, _HIDDEN):
            return
        if self._is_needed(cloud):
            made.kept.append(f"policy {self.name}")
            return
        self._set(cloud, self.before)
        # Whoever attaches writes the permission first and looks for it afterwards (`Confirm`); this is the other half:
        # whichever of two runs comes last sees what the other did.
        if self._is_needed(cloud):
            self._set(cloud, self.after)
            made.kept.append(f"policy {self.name}")

    def _is_needed(self, cloud: Cloud) -> bool:
        return _is_there(cloud, self.stream_name)

    def _conflict(self) -> Conflict:
        return Conflict(f"Somebody else changed the policy {self.name} while this ran.", "Run the command again.")

    def _allowed_to_set(self, cloud: Cloud, document: Any) -> None:
        try:
            self._set(cloud, document)
        except Exception as error:
            if not is_denied(error):
                raise
            raise RoleNotOurs(self.role, document, self._command(document)) from error

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

    def _command(self, document: Any) -> str:
        policy = f"--role-name {self.role} --policy-name {self.name}"
        if document is None:
            return f"aws iam delete-role-policy {policy}"
        return f"aws iam put-role-policy {policy} --policy-document '{json.dumps(document)}'"


class RoleNotOurs(CloudError):
    """The role's policies may not be changed from here."""

    nothing_happened = True

    def __init__(self, role: str, wanted: Any, by_hand: str) -> None:
        if wanted is None:
            remedy = f"Ask whoever owns the role to run: {by_hand}"
        else:
            remedy = (
                "Ask whoever owns the role to add this policy, then run the command again with --no-role: "
                + json.dumps(wanted)
            )
        super().__init__(f"You may not change the role {role}.", remedy)


@dataclass(frozen=True)
class GrantPermission(SetRolePolicy):
    """Allow the function's role what `after` says. Other functions on that role may live on the same policy."""

    function: FunctionState = field(kw_only=True)

    def apply(self, cloud: Cloud, made: Made) -> None:
        now = _policy_now(cloud, self.role_arn, self.name)
        if now == self.after:
            made.found.add(self.name)  # by whoever attaches another function of this role meanwhile
            return
        if now not in (self.before, _HIDDEN):
            raise self._conflict()
        self._allowed_to_set(cloud, self.after)

    def undo(self, cloud: Cloud, made: Made) -> None:
        if self.name not in made.found:
            super().undo(cloud, made)

    def _is_needed(self, cloud: Cloud) -> bool:
        return permissions.is_needed(cloud, self.function, self.name, by_itself=True)


@dataclass(frozen=True)
class RevokePermission(SetRolePolicy):
    """Take a policy of firetee's off the function's role, unless another function has come to need it."""

    function: FunctionState = field(kw_only=True)

    def apply(self, cloud: Cloud, made: Made) -> None:
        now = _policy_now(cloud, self.role_arn, self.name)
        if now is None or self._is_needed(cloud):
            return
        if now not in (self.before, _HIDDEN):
            raise self._conflict()
        made.revoked.add(self.name)
        self._allowed_to_set(cloud, None)
        if self._is_needed(cloud):  # the other half of `Confirm`, as in `SetRolePolicy.undo`
            self._set(cloud, self.before)
            made.revoked.discard(self.name)

    def undo(self, cloud: Cloud, made: Made) -> None:
        if self.name in made.revoked and _policy_now(cloud, self.role_arn, self.name) in (None, _HIDDEN):
            self._set(cloud, self.before)

    def _is_needed(self, cloud: Cloud) -> bool:
        if permissions.is_own(self.function, self.name):
            return False
        return permissions.is_needed(cloud, self.function, self.name, by_itself=False)


@dataclass(frozen=True)
class SetTags:
    """Change tags of a function: `before` and `after` hold only the keys in question; a key not in `after` goes."""

    function_arn: str
    before: dict[str, str]
    after: dict[str, str]
    function_name: str = ""

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
        if self._now(cloud) != self.before:
            raise Conflict("Somebody else changed the undo record while this ran.", "Run the command again.")
        self._move(cloud, self.before, self.after)

    def undo(self, cloud: Cloud, made: Made) -> None:
        if self.after and _is_attached(cloud, self.function_name):
            made.kept.append("the undo record")
            return
        # A write may have been carried out in part: what neither state explains is somebody else's.
        if all(value in {self.before.get(key), self.after.get(key)} for key, value in self._now(cloud).items()):
            self._move(cloud, self.after, self.before)
            if self.after and _is_attached(cloud, self.function_name):  # as for the permission: who comes last, sees
                self._move(cloud, self.before, self.after)
                made.kept.append("the undo record")

    def _now(self, cloud: Cloud) -> dict[str, str]:
        return undo_record.ours(cloud.client("lambda").list_tags(Resource=self.function_arn).get("Tags") or {})

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
        # Never a whole environment: a command to paste would hold the values of the function's own variables.
        if self.before.env == self.after.env:
            return f"put back the layers in its configuration: {' '.join(self.before.layers)}"
        command = "attach" if WRAPPER_VARIABLE in self.before.env and self._takes_off else "detach"
        names = ", ".join(change.what.removeprefix("variable ") for change in self.changes() if change.what != "layer")
        return (
            f"run `firetee {command} {self.function.name}{' --stream NAME' * (command == 'attach')}` once it can be "
            f"changed again, or put back in its configuration: {names or 'no variable'}; "
            f"layers {' '.join(self.before.layers) or 'none'}"
        )

    @property
    def _takes_off(self) -> bool:
        return self.after.env.get(WRAPPER_VARIABLE) != EXEC_WRAPPER

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
            raise Conflict(f"Somebody else changed {self.function.name} while this ran.", "Run the command again.")
        made.function_changed = True
        try:
            self._update(cloud, self.after, made, now.revision)
        except Conflict:
            made.function_changed = False
            raise

    def undo(self, cloud: Cloud, made: Made) -> None:
        if not made.function_changed:
            return
        cloud.until(lambda: _is_settled(cloud, self.function.name), f"the update of {self.function.name}")
        now = read_function(cloud, self.function.name)
        if Wiring(now.env, now.layers) == self._resolved(self.after, made):
            try:
                self._update(cloud, self.before, made, now.revision)
            except Conflict as conflict:
                made.kept.append(conflict.message)
        elif Wiring(now.env, now.layers) != self.before:
            made.kept.append(f"the configuration of {self.function.name}, which somebody else has changed since")
        made.function_changed = False

    def _resolved(self, wiring: Wiring, made: Made) -> Wiring:
        return Wiring(dict(wiring.env), tuple(made.layer if each == NEW_LAYER else each for each in wiring.layers))

    def _update(self, cloud: Cloud, wiring: Wiring, made: Made, revision: str) -> None:
        request: dict[str, Any] = {
            "FunctionName": self.function.name,
            "Environment": {"Variables": dict(wiring.env)},
            "Layers": list(self._resolved(wiring, made).layers),
            "RevisionId": revision,
        }
        try:
            cloud.retrying(
                lambda: cloud.client("lambda").update_function_configuration(**request),
                lambda error: code_of(error) == "ResourceConflictException",  # an update that began meanwhile
                UPDATE_PATIENCE_S,
                2.0,
            )
        except ClientError as error:
            # Lambda quotes the variables it was sent; what is not ours is shown to nobody.
            message = without_values(
                str(error.response.get("Error", {}).get("Message", "")), {**self.before.env, **wiring.env}
            )
            if code_of(error) == "PreconditionFailedException":
                raise Conflict(
                    f"Somebody else changed {self.function.name} while this ran.", "Run the command again."
                ) from None
            if "ayer version" in message and "does not exist" in message:
                raise Conflict(f"{message} Somebody deleted it while this ran.", "Run the command again.") from None
            error.response["Error"]["Message"] = message
            raise


_HIDDEN = object()
"""Stands for a policy that nobody lets us look at."""


def _policy_now(cloud: Cloud, role_arn: str, name: str) -> Any:
    """The role's inline policy of that name; None if there is none, `_HIDDEN` if it may not be looked at."""
    try:
        answer = cloud.client("iam").get_role_policy(RoleName=arns.role_name(role_arn), PolicyName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        if is_denied(error):
            return _HIDDEN
        raise
    return answer["PolicyDocument"]


def _is_there(cloud: Cloud, stream: str) -> bool:
    """Whether the delivery stream exists, and is not about to vanish."""
    try:
        answer = cloud.client("firehose").describe_delivery_stream(DeliveryStreamName=stream)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return not str(answer["DeliveryStreamDescription"]["DeliveryStreamStatus"]).startswith(("DELETING", "CREATING_F"))


def _is_attached(cloud: Cloud, name: str) -> bool:
    """Whether firetee is on the function now."""
    if not name:
        return False
    try:
        return read_function(cloud, name).env.get(WRAPPER_VARIABLE) == EXEC_WRAPPER
    except CloudError:
        return False  # the function is gone


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
class Confirm:
    """Write permission and undo record again if they are gone: another run's undo may have met them."""

    function: FunctionState
    tags: dict[str, str]
    policies: Mapping[str, Any]
    """The permissions that attaching has written or found, by name; none if the role is left alone."""
    title: str = "see that nobody has taken it back"
    by_hand: str = ""

    def changes(self) -> list[Change]:
        return []

    def apply(self, cloud: Cloud, made: Made) -> None:
        if not _is_attached(cloud, self.function.name):
            return  # somebody has detached it since
        for name, document in self.policies.items():
            if _policy_now(cloud, self.function.role_arn, name) is None:
                GrantPermission(self.function.role_arn, name, None, document, function=self.function).apply(cloud, made)
        client = cloud.client("lambda")
        if not undo_record.ours(client.list_tags(Resource=self.function.arn).get("Tags") or {}):
            client.tag_resource(Resource=self.function.arn, Tags=self.tags)

    def undo(self, cloud: Cloud, made: Made) -> None:
        """What it writes belongs to the steps before it, which take it back."""


@dataclass(frozen=True)
class CreateBucket:
    """A bucket for the delivered lines: private, encrypted, over TLS only, with a lifetime for its objects."""

    name: str
    region: str
    keep_days: int
    policy: Any
    stream_name: str = ""
    """The stream that delivers into it."""

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
        try:
            s3.create_bucket(**request)
        except ClientError as error:
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise
            raise Conflict(f"Somebody else made the bucket {self.name} meanwhile.", "Run the command again.") from None
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
        if self.stream_name and _is_there(cloud, self.stream_name):
            made.kept.append(f"bucket {self.name}")
            return
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
    stream_name: str = ""
    """The stream that uses it."""

    @property
    def title(self) -> str:
        return f"create the role {self.name}"

    @property
    def by_hand(self) -> str:
        return f"aws iam delete-role --role-name {self.name}"

    def changes(self) -> list[Change]:
        return [Change(f"role {self.name}", "", "for Firehose, to write to the bucket")]

    def apply(self, cloud: Cloud, made: Made) -> None:
        try:
            cloud.client("iam").create_role(
                RoleName=self.name,
                AssumeRolePolicyDocument=json.dumps(self.trust),
                Description="Lets Data Firehose deliver what firetee sends",
            )
        except ClientError as error:
            if code_of(error) not in {"EntityAlreadyExists", "EntityAlreadyExistsException"}:
                raise
            raise Conflict(f"Somebody else made the role {self.name} meanwhile.", "Run the command again.") from None

    def undo(self, cloud: Cloud, made: Made) -> None:
        if self.stream_name and _is_there(cloud, self.stream_name):
            made.kept.append(f"role {self.name}")
            return
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
        try:
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
        except ClientError as error:
            if code_of(error) != "ResourceInUseException":
                raise
            raise Conflict(f"Somebody else made the stream {self.name} meanwhile.", "Run the command again.") from None

    def undo(self, cloud: Cloud, made: Made) -> None:
        if fleet.in_use(cloud, lambda function: self.name in function.stream_names):
            made.kept.append(f"delivery stream {self.name}")
            return
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
