"""What `attach`, `detach` and `upgrade` have in common: which functions they take, and what they say is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from firetee.commands.attach import attach
from firetee.commands.detach import detach
from firetee.commands.doctor import doctor
from firetee.commands.status import status
from firetee.commands.upgrade import upgrade
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import Account, write_layer_zip
from tests.firetee.commands.conftest import Run

SECRET = "hunter2-s3cr3t"


@pytest.mark.parametrize("qualifier", ["1", "live"])
@pytest.mark.parametrize("command", [attach, detach, upgrade])
def test_a_published_version_or_an_alias_is_refused_and_the_function_itself_left_alone(
    run: Run,
    account: Account,
    aws: FakeAws,
    layer_zip: Path,
    tmp_path: Path,
    command: click.Command,
    qualifier: str,
) -> None:
    account.function()
    account.stream()
    if command is not attach:
        run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    account.lambda_.publish_version(FunctionName="orders")
    account.lambda_.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    before = account.everything()
    more: dict[click.Command, tuple[object, ...]] = {
        attach: ("--stream", "app-logs", "--zip", layer_zip),
        detach: (),
        upgrade: ("--zip", write_layer_zip(tmp_path / "newer.zip", ["3.12"])),
    }
    result = run(command, f"orders:{qualifier}", *more[command])
    assert result.exit_code == 2
    assert f"orders:{qualifier}: published versions and aliases cannot be changed" in " ".join(result.output.split())
    assert account.everything() == before


@pytest.mark.parametrize("command", [attach, detach, upgrade, status, doctor])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_file_of_names_that_is_no_text_is_a_usage_error(
    run: Run, account: Account, tmp_path: Path, command: click.Command, more: tuple[str, ...]
) -> None:
    names = tmp_path / "names.txt"
    names.write_bytes("orders\nbüro\n".encode("utf-16"))
    stream = ("--stream", "app-logs") if command is attach else ()
    result = run(command, "--from", names, *stream, *more)
    assert result.exit_code == 2, result.output
    assert "is not UTF-8" in " ".join(result.output.split())
    if more:
        assert json.loads(result.stdout)["error"]


def test_a_file_of_names_may_come_from_windows(run: Run, account: Account, tmp_path: Path) -> None:
    account.function()
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xef\xbb\xbforders\r\n")
    assert "1 functions: 1 bare" in run(status, "--from", names).stdout


@pytest.mark.parametrize("command", [status, doctor])
def test_what_changes_nothing_does_not_offer_to_be_told_yes(run: Run, account: Account, command: click.Command) -> None:
    assert "--yes" not in run(command, "--help").output
    assert "--yes" in run(detach, "--help").output


# What is left


def assert_nothing_is_there(account: Account) -> None:
    assert account.firehose.list_delivery_streams()["DeliveryStreamNames"] == []
    assert account.s3.list_buckets()["Buckets"] == []
    assert sorted(each["RoleName"] for each in account.iam.list_roles()["Roles"]) == ["bills-role", "orders-role"]
    assert account.lambda_.list_layer_versions(LayerName="firetee").get("LayerVersions", []) == []


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(
    ("operation", "after"), [("ListLayerVersions", 1), ("PublishLayerVersion", 0), ("CreateDeliveryStream", 0)]
)
def test_what_is_made_for_all_functions_is_taken_back_where_the_rest_of_it_cannot_be_made(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, operation: str, after: int, more: tuple[str, ...]
) -> None:
    account.function("orders")
    account.function("bills")
    aws.fail(operation, "LimitExceededException", after=after)
    result = run(attach, "orders", "bills", "--stream", "app-logs", "--create-stream", "--zip", layer_zip, *more)
    assert result.exit_code == 1, result.output
    assert "LimitExceededException: made to fail Everything was put back as it was." in result.output
    assert_nothing_is_there(account)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_is_made_for_all_functions_and_cannot_be_taken_back_is_named(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, more: tuple[str, ...]
) -> None:
    account.function("orders")
    account.function("bills")
    aws.fail("PublishLayerVersion", "CodeStorageExceededException")
    aws.fail("DeleteDeliveryStream", "AccessDeniedException")
    result = run(attach, "orders", "bills", "--stream", "app-logs", "--create-stream", "--zip", layer_zip, *more)
    assert result.exit_code == 3, result.output
    assert "aws firehose delete-delivery-stream --delivery-stream-name app-logs" in result.output
    assert "CodeStorageExceededException" in result.output
    if more:
        assert json.loads(result.stdout)["left"]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_was_made_for_all_is_taken_back_where_every_function_fails(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, more: tuple[str, ...]
) -> None:
    account.function("orders")
    account.function("bills")
    aws.fail("UpdateFunctionConfiguration", "AccessDeniedException", times=2)
    arguments = ("--stream", "app-logs", "--create-stream", "--zip", layer_zip)
    result = run(attach, "orders", "bills", *arguments, *more)
    assert result.exit_code == 1, result.output
    assert "Every function failed: what was made for them was taken back." in result.output
    assert_nothing_is_there(account)
    aws.fail("UpdateFunctionConfiguration", "AccessDeniedException", times=2)
    aws.fail("DeleteLayerVersion", "AccessDeniedException")
    result = run(attach, "orders", "bills", *arguments, *more)
    assert result.exit_code == 3, result.output
    assert "aws lambda delete-layer-version --layer-name firetee" in result.output
    assert account.firehose.list_delivery_streams()["DeliveryStreamNames"] == []


def test_where_one_function_is_attached_what_was_made_for_all_is_in_use(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function("orders")
    account.function("bills", env={"BIG": "x" * 4050})
    result = run(attach, "orders", "bills", "--stream", "app-logs", "--create-stream", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "Still changed" not in result.output


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("UpdateFunctionConfiguration", {"code": "AccessDeniedException", "times": 2}),
        ("PublishLayerVersion", {"code": "ServiceException", "status": 500, "carried_out": True}),
    ],
)
def test_an_upgrade_that_fails_everywhere_leaves_no_layer_version(
    run: Run,
    account: Account,
    aws: FakeAws,
    layer_zip: Path,
    tmp_path: Path,
    operation: str,
    fault: dict[str, Any],
) -> None:
    role = account.role("shared")
    names = ("orders", "bills")
    for name in names:
        account.function(name, role=role)
    account.stream()
    run(attach, *names, "--stream", "app-logs", "--zip", layer_zip)
    newer = write_layer_zip(tmp_path / "newer.zip", ["3.12"])
    aws.fail(operation, **fault)
    result = run(upgrade, *names, "--zip", newer)
    assert result.exit_code == 1, result.output
    versions = account.lambda_.list_layer_versions(LayerName="firetee")["LayerVersions"]
    assert [each["Version"] for each in versions] == [1]
    assert run(upgrade, *names, "--zip", newer).exit_code == 0


def test_an_upgrade_of_one_function_that_fails_takes_the_layer_back(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, tmp_path: Path
) -> None:
    account.function()
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    before = account.everything()
    newer = write_layer_zip(tmp_path / "newer.zip", ["3.12"])
    aws.fail("UpdateFunctionConfiguration", "AccessDeniedException")
    assert run(upgrade, "orders", "--zip", newer).exit_code == 1
    assert account.everything() == before
    versions = account.lambda_.list_layer_versions(LayerName="firetee")["LayerVersions"]
    assert [each["Version"] for each in versions] == [1]


# Secrets


def test_what_lambda_quotes_beside_a_layer_that_is_gone_is_not_shown(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function(env={"DB_PASSWORD": SECRET})
    account.stream()
    message = f"Layer version x does not exist. Request: {SECRET}"
    aws.fail("UpdateFunctionConfiguration", "InvalidParameterValueException", message=message, times=9)
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 1
    assert "does not exist" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("command", ["attach", "doctor"])
def test_what_lambda_quotes_in_the_reason_of_a_failed_update_is_not_shown(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, command: str
) -> None:
    account.function(env={"DB_PASSWORD": SECRET})
    account.stream()
    aws.failed_update = f"Bad value {SECRET} of the function."
    if command == "attach":
        result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
        assert "Lambda could not update orders: Bad value *** of the function" in result.output
    else:
        result = run(doctor, "orders")
        assert "Bad value *** of the function" in result.output
    assert SECRET not in result.output


# Another tool's layer


@pytest.mark.parametrize(
    "description",
    ["firetee-tools of the web team", "firetee: helpers around it", "firetee 1.0: something else", "firetees"],
)
def test_a_layer_whose_description_only_begins_like_ours_is_left_alone(
    run: Run, account: Account, layer_zip: Path, description: str
) -> None:
    other = account.layer("company-tools", description=description)
    account.function(layers=(other,))
    account.stream()
    before = account.everything()
    assert run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    assert account.everything()["configuration"]["Layers"][0]["Arn"] == other
    assert run(detach, "orders").exit_code == 0
    assert account.everything() == before
