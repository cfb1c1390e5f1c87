"""`attach` and `detach` against the fake AWS: what they change, what they put back, and what they say when AWS
refuses."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import boto3
import click
import pytest

from firetee import fetch, layer
from firetee.commands import side_by_side
from firetee.commands.attach import attach
from firetee.commands.detach import detach
from firetee.commands.doctor import doctor
from tests.firetee.cloud.fake_aws import ACCOUNT, REGION, FakeAws
from tests.firetee.cloud.fixtures import Account, write_layer_zip
from tests.firetee.commands.conftest import Run

STREAM_ARN = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/app-logs"
POLICY = f"firetee.{REGION}.app-logs"


@pytest.fixture(autouse=True)
def stream(account: Account) -> str:
    """The delivery stream that most tests attach to."""
    return account.stream()


def test_attach_adds_layer_variables_and_the_least_permission(run: Run, account: Account, layer_zip: Path) -> None:
    account.function(env={"MODE": "fast"})
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    there = account.everything()
    assert account.env() == {
        "MODE": "fast",
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper",
        "FIRETEE_STREAM": "app-logs",
    }
    assert [each["Arn"] for each in there["configuration"]["Layers"]] == [
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:firetee:1"
    ]
    assert there["policies"] == {
        POLICY: {
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": "Firetee", "Effect": "Allow", "Action": "firehose:PutRecordBatch", "Resource": STREAM_ARN}
            ],
        }
    }


def test_a_second_run_changes_nothing(run: Run, account: Account, aws: FakeAws, layer_zip: Path) -> None:
    account.function()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    aws.calls.clear()
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0
    assert "orders: nothing to do" in result.output
    assert aws.writes() == []


@pytest.mark.parametrize(
    "env",
    [
        None,
        {"MODE": "fast"},
        {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"},
        {
            "FIRETEE_STREAM": "another",
            "FIRETEE_FLUSH": "after-return",
            "AWS_LAMBDA_EXEC_WRAPPER": "/opt/datadog_wrapper",
        },
    ],
)
def test_detach_restores_the_configuration_byte_for_byte(
    run: Run, account: Account, layer_zip: Path, env: dict[str, str] | None
) -> None:
    account.function(env=env, layers=(account.layer("one"), account.layer("two")), tags={"team": "web"})
    before = json.dumps(account.everything(), sort_keys=True)
    attached = run(attach, "orders", "--stream", "app-logs", "--set", "FIRETEE_TAGS=a=b", "--zip", layer_zip)
    assert attached.exit_code == 0, attached.output
    assert json.dumps(account.everything(), sort_keys=True) != before
    result = run(detach, "orders")
    assert result.exit_code == 0, result.output
    assert json.dumps(account.everything(), sort_keys=True) == before


def test_detach_brings_back_the_layer_version_that_was_there(run: Run, account: Account, layer_zip: Path) -> None:
    old = account.layer("firetee")
    account.function(layers=(old, account.layer("other")))
    before = account.everything()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert account.everything()["configuration"]["Layers"][0]["Arn"].endswith(":layer:firetee:2")
    run(detach, "orders")
    assert account.everything() == before


def test_detach_of_a_function_without_firetee_does_nothing(run: Run, account: Account, aws: FakeAws) -> None:
    account.function(env={"MODE": "fast"})
    aws.calls.clear()
    assert run(detach, "orders").output == "orders: nothing to do\n"
    assert aws.writes() == []


def test_detach_purge_takes_off_what_was_attached_by_hand(run: Run, account: Account, layer_zip: Path) -> None:
    account.function(env={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper", "FIRETEE_STREAM": "old", "MODE": "x"})
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert run(detach, "orders", "--purge").exit_code == 0
    assert account.env() == {"MODE": "x"}
    assert account.everything()["tags"] == {}


def test_an_existing_exec_wrapper_is_chained(run: Run, account: Account, layer_zip: Path) -> None:
    account.function(env={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"})
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert account.env()["FIRETEE_EXEC_WRAPPER"] == "/opt/otel-instrument"
    assert account.env()["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bin/exec-wrapper"


def test_functions_that_share_a_role_keep_their_permissions_when_one_is_detached(
    run: Run, account: Account, layer_zip: Path
) -> None:
    role = account.role("shared")
    account.function("orders", role=role)
    account.function("bills", role=role)
    run(attach, "orders", "bills", "--stream", "app-logs", "--zip", layer_zip)
    run(detach, "orders")
    assert list(account.everything("bills")["policies"]) == [POLICY]


def test_a_dry_run_shows_the_difference_and_changes_nothing(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function(env={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"})
    aws.calls.clear()
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, "--dry-run")
    assert aws.writes() == []
    for line in (
        "  - variable AWS_LAMBDA_EXEC_WRAPPER: /opt/otel-instrument",
        "  + variable AWS_LAMBDA_EXEC_WRAPPER: /opt/bin/exec-wrapper",
        "  + variable FIRETEE_EXEC_WRAPPER: /opt/otel-instrument",
        "  + variable FIRETEE_STREAM: app-logs",
        f"  + role orders-role, policy {POLICY}: Allow firehose:PutRecordBatch on {STREAM_ARN}",
    ):
        assert line in result.output.splitlines()


def test_json_output_is_one_document(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, "--json")
    document = json.loads(result.stdout)
    assert document["dryRun"] is False
    assert document["functions"][0]["changed"] is True
    assert {"what": "variable FIRETEE_STREAM", "before": "", "after": "app-logs"} in document["functions"][0]["changes"]


def test_create_stream_makes_bucket_role_and_stream(run: Run, account: Account, layer_zip: Path) -> None:
    account.without_stream()
    account.function()
    result = run(attach, "orders", "--stream", "app-logs", "--create-stream", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    stream = account.firehose.describe_delivery_stream(DeliveryStreamName="app-logs")["DeliveryStreamDescription"]
    bucket = f"firetee-app-logs-{ACCOUNT}-{REGION}"
    assert stream["Destinations"][0]["ExtendedS3DestinationDescription"]["BucketARN"] == f"arn:aws:s3:::{bucket}"
    blocked = account.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    account.firehose.put_record_batch(DeliveryStreamName="app-logs", Records=[{"Data": b"hello\n"}])
    assert account.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    again = run(attach, "orders", "--stream", "app-logs", "--create-stream", "--zip", layer_zip)
    assert "nothing to do" in again.output


def test_all_with_a_tag_attaches_those_functions_only(run: Run, account: Account, layer_zip: Path) -> None:
    account.function("orders", tags={"team": "web"})
    account.function("bills", tags={"team": "web"})
    account.function("other", tags={"team": "ops"})
    account.function("js", tags={"team": "web"}, runtime="nodejs20.x")
    result = run(attach, "--all", "--tag", "team=web", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    attached = [name for name in ("orders", "bills", "other", "js") if "FIRETEE_STREAM" in account.env(name)]
    assert attached == ["orders", "bills"]
    versions = account.lambda_.list_layer_versions(LayerName="firetee")["LayerVersions"]
    assert len(versions) == 1


def test_a_python_that_is_newer_than_firetee_is_attached_with_a_warning(
    run: Run, account: Account, layer_zip: Path
) -> None:
    account.function("future", runtime="python3.16")
    account.function("old", runtime="python3.9")
    result = run(attach, "--all", "--yes", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    assert "FIRETEE_STREAM" in account.env("future")
    assert "FIRETEE_STREAM" not in account.env("old")
    said = " ".join(result.output.split())
    assert "Warning: python3.16 is newer than this firetee, which is tested up to python3.15" in said


def test_before_it_publishes_a_layer_that_is_not_compiled_for_a_python_it_says_so(
    run: Run, account: Account, tmp_path: Path
) -> None:
    account.function("orders", runtime="python3.14")
    path = write_layer_zip(tmp_path / "partly.zip", ["3.10", "3.11", "3.12", "3.13"])
    planned = run(attach, "orders", "--stream", "app-logs", "--zip", path, "--dry-run")
    assert "Warning: the layer is not compiled for Python 3.14, 3.15" in planned.output
    done = run(attach, "orders", "--stream", "app-logs", "--zip", path, "--json")
    assert "about 75 ms slower" in done.stderr
    assert json.loads(done.stdout)
    checked = " ".join(run(doctor, "orders").output.split())
    assert "has no compiled modules for python3.14: each cold start is about 75 ms slower" in checked


def test_in_a_fleet_one_failure_does_not_stop_the_others(run: Run, account: Account, layer_zip: Path) -> None:
    account.function("orders")
    account.function("bills", env={"BIG": "x" * 4050})
    result = run(attach, "--all", "--yes", "--stream", "app-logs", "--zip", layer_zip, "--json")
    assert result.exit_code == 1
    by_name = {each["function"]: each for each in json.loads(result.stdout)["functions"]}
    assert by_name["orders"]["changed"] is True
    assert "the longest is BIG" in by_name["bills"]["remedy"]


def test_a_stream_in_another_account_needs_a_role_and_gets_only_that_permission(
    run: Run, account: Account, layer_zip: Path
) -> None:
    account.function()
    far = f"arn:aws:firehose:{REGION}:210987654321:deliverystream/central"
    refused = run(attach, "orders", "--stream", far, "--zip", layer_zip)
    assert refused.exit_code == 1
    assert "Give --role-arn" in refused.output
    role = "arn:aws:iam::210987654321:role/writer"
    blind = run(attach, "orders", "--stream", far, "--role-arn", role, "--zip", layer_zip)
    assert blind.exit_code == 1
    assert "Give --force if it is right." in blind.output
    assert run(attach, "orders", "--stream", far, "--role-arn", role, "--zip", layer_zip, "--force").exit_code == 0
    assert account.env()["FIRETEE_STREAM"] == far
    policies = account.everything()["policies"]
    statement = policies[f"firetee.{REGION}.writer@210987654321"]["Statement"][0]
    assert (statement["Action"], statement["Resource"]) == ("sts:AssumeRole", role)


# What AWS refuses


def assert_untouched(account: Account, before: dict[str, Any]) -> None:
    assert account.everything() == before
    assert account.lambda_.list_layer_versions(LayerName="firetee").get("LayerVersions", []) == []


@pytest.mark.parametrize(
    ("operation", "code", "says"),
    [
        ("PublishLayerVersion", "TooManyRequestsException", "AWS is limiting the rate of calls"),
        ("PublishLayerVersion", "CodeStorageExceededException", "Delete layer versions"),
        ("PutRolePolicy", "AccessDenied", "You may not change the role orders-role"),
        ("PutRolePolicy", "UnmodifiableEntity", "You may not change the role orders-role"),
        ("PutRolePolicy", "Throttling", "AWS is limiting the rate of calls"),
        ("TagResource", "AccessDeniedException", "Ask for permission to call TagResource"),
        (
            "UpdateFunctionConfiguration",
            "AccessDeniedException",
            "Ask for permission to call UpdateFunctionConfiguration",
        ),
        ("UpdateFunctionConfiguration", "InvalidParameterValueException", "made to fail"),
    ],
)
def test_a_refusal_half_way_is_taken_back(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, operation: str, code: str, says: str
) -> None:
    account.function(env={"MODE": "fast"})
    before = account.everything()
    aws.fail(operation, code)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert says in result.output
    assert_untouched(account, before)


@pytest.mark.parametrize(
    "operation", ["PublishLayerVersion", "PutRolePolicy", "TagResource", "UpdateFunctionConfiguration"]
)
def test_a_change_whose_answer_is_lost_is_taken_back_too(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, operation: str
) -> None:
    account.function(env={"MODE": "fast"})
    before = account.everything()
    aws.fail(operation, "InternalFailure", status=500, carried_out=True)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "Everything was put back as it was." in result.output
    assert_untouched(account, before)


def test_a_role_that_is_not_ours_gives_the_policy_to_hand_over_and_a_way_on(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()
    aws.fail("PutRolePolicy", "AccessDenied")
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert '"Action": "firehose:PutRecordBatch"' in result.output
    assert run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, "--no-role").exit_code == 0
    assert account.everything()["policies"] == {}


def test_a_function_that_is_being_updated_is_waited_for(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()
    aws.fail("UpdateFunctionConfiguration", "ResourceConflictException", status=409, times=3)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    assert aws.calls.count("UpdateFunctionConfiguration") == 4


def test_an_update_that_never_ends_is_reported_and_taken_back(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()
    before = account.everything()
    aws.fail("UpdateFunctionConfiguration", "ResourceConflictException", status=409, times=1000)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "Another update of the function is still running" in result.output
    assert_untouched(account, before)


def test_a_change_by_somebody_else_in_between_is_kept_and_planned_with(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function(env={"MODE": "fast"})

    def meanwhile() -> None:
        account.lambda_.update_function_configuration(
            FunctionName="orders", Environment={"Variables": {"MODE": "slow"}}
        )

    aws.before("TagResource", meanwhile)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    assert account.env()["MODE"] == "slow"
    assert account.env()["FIRETEE_STREAM"] == "app-logs"
    run(detach, "orders")
    assert account.env() == {"MODE": "slow"}
    assert account.everything()["tags"] == {}


def test_when_taking_back_fails_too_the_message_lists_what_is_left(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()
    aws.fail("UpdateFunctionConfiguration", "AccessDeniedException")
    aws.fail("DeleteRolePolicy", "AccessDenied")
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 3
    assert "Still changed:" in result.output
    assert f"aws iam delete-role-policy --role-name orders-role --policy-name {POLICY}" in result.output
    assert account.everything()["tags"] == {}


def test_five_layers_leave_no_room(run: Run, account: Account, aws: FakeAws, layer_zip: Path) -> None:
    account.function(layers=tuple(account.layer(f"l{n}") for n in range(5)))
    before = account.everything()
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "already has 5 layers (l0, l1, l2, l3, l4); Lambda allows 5" in result.output
    assert_untouched(account, before)


def test_an_environment_over_4_kb_is_refused_before_anything_is_changed(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function(env={"BIG": "x" * 4050})
    before = account.everything()
    aws.calls.clear()
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "Lambda allows 4,096" in result.output
    assert aws.writes() == []
    assert_untouched(account, before)


@pytest.mark.parametrize(
    ("runtime", "says"),
    [
        ("nodejs20.x", "firetee works with python3.10 to python3.15"),
        ("python3.9", "Move the function to one of these runtimes"),
    ],
)
def test_an_unsupported_function_is_refused_with_a_way_on(
    run: Run, account: Account, layer_zip: Path, runtime: str, says: str
) -> None:
    account.function(runtime=runtime)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert says in result.output


def test_a_missing_function_is_named(run: Run, account: Account, layer_zip: Path) -> None:
    result = run(attach, "nobody", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert f"There is no function 'nobody' in {REGION}." in result.output


@pytest.mark.parametrize(
    "args",
    [
        ("--stream", "s"),
        ("orders", "--all", "--stream", "s"),
        ("orders", "--tag", "a=b", "--stream", "s"),
        ("orders", "--match", "x", "--stream", "s"),
        ("--match", "(", "--stream", "s"),
        ("orders", "--stream", "s", "--set", "MODE=x"),
        ("orders", "--stream", "s", "--set", "FIRETEE_STREAM=x"),
        ("orders",),
    ],
)
def test_a_contradictory_command_line_is_a_usage_error(
    run: Run, account: Account, layer_zip: Path, args: tuple[str, ...]
) -> None:
    assert run(attach, *args, "--zip", layer_zip).exit_code == 2


def test_a_stream_that_is_half_made_is_taken_back(run: Run, account: Account, aws: FakeAws, layer_zip: Path) -> None:
    account.without_stream()
    account.function()
    before = account.everything()
    aws.fail("CreateDeliveryStream", "LimitExceededException")
    result = run(attach, "orders", "--stream", "app-logs", "--create-stream", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "A quota of the account is used up" in result.output
    assert account.s3.list_buckets()["Buckets"] == []
    assert [each["RoleName"] for each in account.iam.list_roles()["Roles"]] == ["orders-role"]
    assert_untouched(account, before)


def test_a_role_that_is_too_new_for_firehose_is_waited_for(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.without_stream()
    account.function()
    aws.fail("CreateDeliveryStream", "InvalidArgumentException", message="Firehose is unable to assume role", times=2)
    result = run(attach, "orders", "--stream", "app-logs", "--create-stream", "--zip", layer_zip)
    assert result.exit_code == 0, result.output


def test_without_credentials_the_message_says_how_to_sign_in(
    run: Run, account: Account, layer_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    fresh = boto3.session.Session()
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, session=fresh)
    assert result.exit_code == 1
    assert "aws sso login" in result.output


# Two runs at once


CHANGES = ["PublishLayerVersion", "PutRolePolicy", "TagResource", "UpdateFunctionConfiguration"]


@pytest.mark.parametrize("moment", CHANGES)
@pytest.mark.parametrize("failure", ["", "AccessDeniedException"])
def test_a_run_that_another_one_overtakes_takes_nothing_away_from_it(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, moment: str, failure: str
) -> None:
    """Another run attaches the same function, from its beginning to its end, at each moment of this one; and this one
    then goes on, or is refused what it wants."""
    account.function(env={"MODE": "fast"})
    bare = account.everything()

    def overtake() -> None:
        other = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
        assert other.exit_code == 0, other.output
        if failure:
            aws.fail(moment, failure)
            aws.fail("UpdateFunctionConfiguration", failure)

    aws.before(moment, overtake)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0 or failure, result.output
    there = account.everything()
    assert account.env()["FIRETEE_STREAM"] == "app-logs"
    assert there["policies"][POLICY]["Statement"][0]["Resource"] == STREAM_ARN
    layers = [each["Arn"] for each in there["configuration"]["Layers"]]
    assert layers[0] in [
        each["LayerVersionArn"] for each in account.lambda_.list_layer_versions(LayerName="firetee")["LayerVersions"]
    ]
    aws.forget_faults()
    assert run(detach, "orders").exit_code == 0
    assert account.everything() == bare


@pytest.mark.parametrize("moment", ["PutBucket", "CreateRole", "CreateDeliveryStream"])
def test_two_runs_that_create_the_same_stream_share_it(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, moment: str
) -> None:
    account.without_stream()
    account.function("orders")
    account.function("bills")
    arguments = ("--stream", "app-logs", "--create-stream", "--zip", layer_zip)

    def overtake() -> None:
        assert run(attach, "bills", *arguments).exit_code == 0
        aws.fail("UpdateFunctionConfiguration", "AccessDeniedException")

    aws.before(moment, overtake)
    run(attach, "orders", *arguments)
    description = account.firehose.describe_delivery_stream(DeliveryStreamName="app-logs")["DeliveryStreamDescription"]
    destination = description["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert [each["Name"] for each in account.s3.list_buckets()["Buckets"]] == [destination["BucketARN"][13:]]
    role = destination["RoleARN"].rsplit("/", 1)[-1]
    assert account.iam.list_role_policies(RoleName=role)["PolicyNames"] == ["deliver"]


def test_a_permission_that_another_runs_undo_has_met_is_written_again(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()

    def undo_of_another() -> None:
        account.iam.delete_role_policy(RoleName="orders-role", PolicyName=POLICY)
        arn = account.lambda_.get_function(FunctionName="orders")["Configuration"]["FunctionArn"]
        account.lambda_.untag_resource(Resource=arn, TagKeys=["firetee:undo"])

    aws.before("UpdateFunctionConfiguration", undo_of_another)
    assert run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    there = account.everything()
    assert list(there["policies"]) == [POLICY]
    assert list(there["tags"]) == ["firetee:undo"]


# Secrets


SECRETS = {"DB_PASSWORD": "hunter2-s3cr3t", "TOKEN": 'quo"ted\\ß', "PIN": "77"}


def test_what_cannot_be_taken_back_is_described_without_a_value_of_the_functions_own(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function(env=SECRETS)
    aws.fail("UpdateFunctionConfiguration", "InternalFailure", status=500, carried_out=True)
    aws.fail("UpdateFunctionConfiguration", "AccessDeniedException")
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 3
    assert "firetee detach orders" in result.output
    assert_secret(result.output)
    assert list(account.everything()["policies"]) == [POLICY], "a function that stays attached keeps its permission"
    assert run(detach, "orders").exit_code == 0
    assert account.env() == SECRETS
    assert account.everything()["policies"] == {}


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_lambda_quotes_of_the_variables_is_not_shown(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, more: tuple[str, ...]
) -> None:
    account.function(env=SECRETS)
    quoted = json.dumps(SECRETS, separators=(",", ":"))
    aws.fail("UpdateFunctionConfiguration", "InvalidParameterValueException", message=f"String measured: {quoted}")
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, *more)
    assert result.exit_code == 1
    assert "DB_PASSWORD" in result.output
    assert_secret(result.output)


@pytest.mark.parametrize("more", [("--dry-run",), ("--dry-run", "--json"), ("--json",), ()])
def test_a_plan_shows_no_value_of_the_functions_own(
    run: Run, account: Account, layer_zip: Path, more: tuple[str, ...]
) -> None:
    account.function(env=SECRETS)
    assert_secret(run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, *more).output)
    assert_secret(run(detach, "orders", *more).output)


def assert_secret(output: str) -> None:
    for value in SECRETS.values():
        for shown in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            assert re.search(rf"(?<!\w){re.escape(shown)}(?!\w)", output) is None, output


# Many functions, and Ctrl-C


MANY = [f"f{number:02}" for number in range(12)]


def interrupt() -> None:
    """Press Ctrl-C: while the server is at a request, the command waits for its answer."""
    os.kill(os.getpid(), signal.SIGINT)


def attached(account: Account) -> list[str]:
    return [name for name in MANY if "FIRETEE_STREAM" in account.env(name)]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_ctrl_c_tells_what_was_done_and_what_was_not(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, more: tuple[str, ...]
) -> None:
    role = account.role("shared")
    for name in MANY:
        account.function(name, role=role)
    aws.before("UpdateFunctionConfiguration", interrupt)
    result = run(attach, *MANY, "--stream", "app-logs", "--zip", layer_zip, *more)
    assert result.exit_code == 3
    done = attached(account)
    assert 1 <= len(done) <= 2 * side_by_side.FUNCTIONS_AT_ONCE
    if more:
        outcomes = json.loads(result.stdout)["functions"]
        assert [each["function"] for each in outcomes if each["changed"]] == done
        assert {each["error"] for each in outcomes if not each["changed"]} == {
            "Interrupted before this function was begun: it is as it was."
        }
    else:
        lines = [line for line in result.stdout.splitlines() if line.startswith("f") and line.endswith("to app-logs")]
        assert sorted(line.split(":")[0] for line in lines) == done
        assert f"12 functions: {len(done)} attached to app-logs" in result.output
        assert f"{12 - len(done)} not begun or taken back" in result.output
    assert run(attach, *MANY, "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    assert attached(account) == MANY


@pytest.mark.parametrize("operation", ["GetFunction", "PutRolePolicy", "UpdateFunctionConfiguration"])
def test_ctrl_c_on_one_function_takes_it_back_and_says_so(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, operation: str
) -> None:
    account.function()
    before = account.everything()
    aws.before(operation, interrupt)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "Interrupted. Nothing was changed." in result.output or "Everything was put back" in result.output
    assert_untouched(account, before)


def test_a_total_stands_at_the_end_and_each_error_beside_its_function(
    run: Run, account: Account, layer_zip: Path
) -> None:
    account.function("orders")
    account.function("bills", env={"BIG": "x" * 4050})
    result = run(attach, "bills", "orders", "nobody", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "3 functions: 1 attached to app-logs, 0 with nothing to do, 2 failed" in result.stdout
    assert "bills\nError: bills: The environment variables" in result.output


# Usage, and JSON where it fails


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--stream", "s"), 2),
        (("orders",), 2),
        (("orders", "--stream", "s", "--set", "MODE=x"), 2),
        (("orders", "--stream", "s", "--no-such-option"), 2),
        (("--all", "--tag", "=x", "--stream", "s"), 2),
        (("orders:1", "--stream", "app-logs"), 2),
        (("nobody", "--stream", "s"), 1),
        (("orders", "--stream", "s", "--zip", "/nowhere/layer.zip"), 1),
    ],
)
def test_json_is_json_also_when_it_fails(
    run: Run, account: Account, layer_zip: Path, args: tuple[str, ...], code: int
) -> None:
    account.function()
    account.lambda_.publish_version(FunctionName="orders")
    zip_ = () if "--zip" in args else ("--zip", layer_zip)
    result = run(attach, *args, *zip_, "--json")
    assert result.exit_code == code, result.output
    document = json.loads(result.stdout)
    assert document.get("error") or document["functions"][0]["error"]


# What cannot work


@pytest.mark.parametrize(
    ("args", "says", "code"),
    [
        (("--stream", "app-log"), ("no delivery stream app-log in eu-west-1", "Did you mean app-logs?"), 1),
        (("--stream", "app-logs,nothing-like-it"), ("no delivery stream nothing-like-it", "--create-stream"), 1),
        (("--stream", "app logs!"), ("neither the name nor the ARN", "Did you mean app-logs?"), 2),
        (("--stream", STREAM_ARN.replace("deliverystream/", "")), ("neither the name nor the ARN", "arn:aws:fire"), 2),
        (("--stream", STREAM_ARN.replace("app-logs", "nope")), ("There is no delivery stream nope",), 1),
        (("--stream", STREAM_ARN.replace("eu-west-1", "eu-wset-1")), ("not a region", "Did you mean eu-west-1?"), 1),
        (("--stream", ","), ("No delivery stream is named",), 2),
        (("--set", "FIRETEE_STREAM_ERRORS=app-log"), ("no delivery stream app-log", "Did you mean app-logs?"), 1),
        (("--set", "FIRETEE_FLUSH=after-retrun"), ("FIRETEE_FLUSH='after-retrun'", "Did you mean after-return?"), 2),
        (("--set", "FIRETEE_LINGER_MS=soon"), ("not a whole number of milliseconds",), 2),
        (("--set", "FIRETEE_REDACT=ok;;("), ("FIRETEE_REDACT='(' is not a regular expression",), 2),
        (("--set", "FIRETEE_FLSH=batched"), ("not a setting", "Did you mean FIRETEE_FLUSH?"), 2),
        (("--role-arn", "arn:aws:iam::123456789012:user/x"), ("not the ARN of a role", "arn:aws:iam::ACCOUNT:role"), 2),
        (("--role-arn", f"arn:aws:iam::{ACCOUNT}:role/nobody"), ("There is no role nobody",), 1),
        (("--layer-arn", "firetee:3"), ("not the ARN of a layer version", "layer:NAME:VERSION"), 2),
        (("--layer-arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:firetee"), ("not the ARN of a layer version",), 2),
        (("--layer-arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:firetee:9"), ("Did you mean", "firetee:1?"), 1),
        (("--layer-arn", f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:firetee:1"), ("no layer from elsewhere",), 1),
    ],
)
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_cannot_work_is_refused_before_anything_changes(
    run: Run,
    account: Account,
    aws: FakeAws,
    layer_zip: Path,
    args: tuple[str, ...],
    says: tuple[str, ...],
    code: int,
    force: tuple[str, ...],
) -> None:
    account.function()
    account.layer("firetee")
    aws.calls.clear()
    stream = () if "--stream" in args else ("--stream", "app-logs")
    if force and "not a region" in says[0]:
        return  # it may be a new one: that is what --force is for
    result = run(attach, "--all", *stream, *args, "--zip", layer_zip, *force)
    assert result.exit_code == code, result.output
    for words in says:
        assert words in result.output
    assert aws.writes() == []


def test_everything_that_is_wrong_is_named_at_once(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    wrong = ("--stream", "app-log", "--set", "FIRETEE_FLSH=x", "--set", "FIRETEE_FORMAT=xml", "--zip", layer_zip)
    result = run(attach, "orders", *wrong)
    assert result.exit_code == 2
    for words in ("3 things cannot work", "no delivery stream app-log", "FIRETEE_FLSH", "FIRETEE_FORMAT='xml'"):
        assert words in result.output
    problems = json.loads(run(attach, "orders", *wrong, "--json").stdout)["problems"]
    assert len(problems) == 3


def test_a_stream_that_may_not_be_looked_at_needs_force(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()
    aws.fail("DescribeDeliveryStream", "AccessDeniedException", times=2)
    refused = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert refused.exit_code == 1
    assert "Give --force if it is right." in refused.output
    assert run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, "--force").exit_code == 0


def test_a_stream_that_takes_no_records_from_callers_is_refused(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    account.firehose.create_delivery_stream(
        DeliveryStreamName="from-kinesis",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={
            "KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/x",
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
        },
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
            "BucketARN": "arn:aws:s3:::app-logs-bucket",
        },
    )
    result = run(attach, "orders", "--stream", "from-kinesis", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "takes no records from callers" in result.output


def test_a_function_that_is_misspelt_gets_the_likely_name(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    result = run(attach, "order", "--stream", "app-logs", "--zip", layer_zip)
    assert "There is no function 'order' in eu-west-1." in result.output
    assert "Did you mean orders?" in result.output


# A layer under another name


@pytest.fixture
def renamed(account: Account, layer_zip: Path) -> str:
    """firetee's layer, published by hand under another name and without a description; its ARN."""
    published = account.lambda_.publish_layer_version(
        LayerName="company-log-shipper", Content={"ZipFile": layer_zip.read_bytes()}
    )
    return str(published["LayerVersionArn"])


def layer_names(account: Account) -> list[str]:
    layers = account.everything()["configuration"].get("Layers", [])
    return [each["Arn"].split(":")[-2] for each in layers]


def test_a_layer_under_another_name_is_recognised_by_attach_and_detach(
    run: Run, account: Account, layer_zip: Path, renamed: str
) -> None:
    by_hand = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper", "FIRETEE_STREAM": "app-logs", "MODE": "x"}
    account.function(env=by_hand, layers=(account.layer("other"), renamed))
    assert run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    assert layer_names(account) == ["other", "firetee"]
    assert run(detach, "orders").exit_code == 0
    assert layer_names(account) == ["other"]
    assert account.env() == {"MODE": "x"}


def test_a_layer_attached_by_its_arn_or_under_a_name_of_its_own_is_taken_off_again(
    run: Run, account: Account, layer_zip: Path, renamed: str
) -> None:
    account.function(env={"MODE": "x"})
    before = account.everything()
    assert run(attach, "orders", "--stream", "app-logs", "--layer-arn", renamed).exit_code == 0
    assert layer_names(account) == ["company-log-shipper"]
    run(attach, "orders", "--stream", "app-logs", "--layer-name", "mine", "--zip", layer_zip)
    assert layer_names(account) == ["mine"]
    run(detach, "orders")
    assert account.everything() == before


def test_a_layer_that_is_not_firetees_is_refused(run: Run, account: Account) -> None:
    account.function()
    result = run(attach, "orders", "--stream", "app-logs", "--layer-arn", account.layer("numpy"))
    assert result.exit_code == 1
    assert "is not firetee's layer" in result.output


def test_a_dry_run_neither_builds_nor_writes_anything(
    run: Run, account: Account, aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.function()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    cache = fetch.cache_dir() / "layers"
    before = sorted(cache.glob("*"))
    aws.calls.clear()
    assert run(attach, "orders", "--stream", "app-logs", "--dry-run").exit_code == 0
    assert list(here.iterdir()) == []
    assert sorted(cache.glob("*")) == before
    assert aws.writes() == []


def test_version_and_content_hash_are_in_the_layers_description(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    version = account.lambda_.list_layer_versions(LayerName="firetee")["LayerVersions"][0]
    assert version["Description"].startswith(f"firetee {layer.release()}: ")


# Which functions


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--match", "^web-"), ["web-a", "web-b"]),
        (("--tag", "team=web"), ["web-a", "worker"]),
        (("--tag", "team=web", "--match", "er$"), ["worker"]),
        (("--all", "--yes"), ["batch", "web-a", "web-b", "worker"]),
    ],
)
def test_functions_are_selected_by_name_and_tag(
    run: Run, account: Account, layer_zip: Path, args: tuple[str, ...], expected: list[str]
) -> None:
    tags = {"web-a": {"team": "web"}, "worker": {"team": "web"}, "web-b": {"team": "ops"}, "batch": {}}
    role = account.role("shared")
    for name, those in tags.items():
        account.function(name, role=role, tags=those)
    result = run(attach, *args, "--stream", "app-logs", "--zip", layer_zip, "--json")
    assert result.exit_code == 0, result.output
    assert sorted(name for name in tags if "FIRETEE_STREAM" in account.env(name)) == expected
    assert run(detach, *args).exit_code == 0
    assert [name for name in tags if "FIRETEE_STREAM" in account.env(name)] == []


def test_names_come_from_a_file(run: Run, account: Account, layer_zip: Path, tmp_path: Path) -> None:
    role = account.role("shared")
    for name in ("orders", "bills", "other"):
        account.function(name, role=role)
    names = tmp_path / "names.txt"
    names.write_text("# the shop\norders\n\nbills  # since May\norders\n")
    result = run(attach, "--from", names, "--stream", "app-logs", "--zip", layer_zip)
    assert "2 functions: 2 attached" in result.output
    assert "FIRETEE_STREAM" not in account.env("other")


@pytest.mark.parametrize("command", [attach, detach])
def test_a_whole_region_is_changed_only_when_that_is_confirmed(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, command: click.Command
) -> None:
    account.function()
    more = ("--stream", "app-logs", "--zip", layer_zip) if command is attach else ()
    aws.calls.clear()
    result = run(command, "--all", *more)
    assert result.exit_code == 2
    assert "All 1 Python functions in eu-west-1 are to be changed. Give --yes" in result.output
    assert run(command, "--all", *more, "--dry-run").exit_code == 0
    assert aws.writes() == []
