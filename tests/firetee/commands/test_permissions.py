"""The permission on a function's role: one policy for each stream, shared by the functions on that role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from firetee.cloud import policy
from firetee.commands.attach import attach
from firetee.commands.detach import detach
from tests.firetee.cloud.fake_aws import ACCOUNT, REGION, FakeAws
from tests.firetee.cloud.fixtures import Account
from tests.firetee.commands.conftest import Run

SHARED = f"firetee.{REGION}.app-logs"
MANY = [f"function-with-a-rather-long-name-{number:02}" for number in range(40)]
STREAM_ARN = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/app-logs"


@pytest.fixture(autouse=True)
def two_streams(account: Account) -> None:
    account.stream()
    account.stream("others", "other-bucket")


def policies(account: Account, role: str = "shared") -> list[str]:
    return list(account.iam.list_role_policies(RoleName=role)["PolicyNames"])


def assert_done(result: Result) -> None:
    assert result.exit_code == 0, result.output


def three(account: Account) -> tuple[str, ...]:
    role = account.role("shared")
    for name in ("orders", "bills", "bare"):
        account.function(name, role=role)
    return "orders", "bills"


def test_forty_functions_on_one_role_have_one_policy_which_the_last_to_leave_takes_along(
    run: Run, account: Account, layer_zip: Path
) -> None:
    """Forty policies would be more than the 10,240 characters that IAM allows."""
    role = account.role("shared")
    for name in MANY:
        account.function(name, role=role)
    assert run(attach, *MANY, "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    assert policies(account) == [SHARED]
    assert run(detach, *MANY[:39]).exit_code == 0
    assert policies(account) == [SHARED]
    assert run(detach, MANY[39]).exit_code == 0
    assert policies(account) == []
    run(attach, *MANY, "--stream", "app-logs", "--zip", layer_zip)
    planned = run(detach, "--match", "function-with", "--dry-run")
    assert f"  - role shared, policy {SHARED}" in planned.output
    result = run(detach, "--match", "function-with")
    assert result.exit_code == 0, result.output
    assert policies(account) == []


def test_a_policy_stays_for_a_function_that_was_attached_by_hand(run: Run, account: Account, layer_zip: Path) -> None:
    three(account)
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    by_hand = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper", "FIRETEE_STREAM": STREAM_ARN}
    account.function("hand", role=account.iam.get_role(RoleName="shared")["Role"]["Arn"], env=by_hand)
    planned = run(detach, "orders", "--dry-run")
    assert "policy" not in planned.output
    run(detach, "orders")
    assert policies(account) == [SHARED]


def test_another_stream_needs_another_policy_and_the_former_one_goes_with_its_last_function(
    run: Run, account: Account, layer_zip: Path
) -> None:
    names = three(account)
    run(attach, *names, "--stream", "app-logs", "--zip", layer_zip)
    run(attach, "orders", "--stream", "others", "--zip", layer_zip)
    assert policies(account) == [SHARED, f"firetee.{REGION}.others"]
    run(attach, "bills", "--stream", "others", "--zip", layer_zip)
    assert policies(account) == [f"firetee.{REGION}.others"]
    run(detach, *names)
    assert policies(account) == []


def test_a_policy_of_an_earlier_version_is_replaced_by_attach_and_removed_by_detach(
    run: Run, account: Account, layer_zip: Path
) -> None:
    names = three(account)
    run(attach, *names, "--stream", "app-logs", "--zip", layer_zip)
    account.iam.delete_role_policy(RoleName="shared", PolicyName=SHARED)
    document = json.dumps(policy.allow(policy.PUT_ACTION, STREAM_ARN))
    for name in names:
        account.iam.put_role_policy(
            RoleName="shared", PolicyName=policy.name_for(name, REGION), PolicyDocument=document
        )
    run(detach, "orders")
    assert policies(account) == [f"firetee-{REGION}-bills"]
    run(attach, "bills", "--stream", "app-logs", "--zip", layer_zip)
    assert policies(account) == [SHARED]
    run(detach, "bills")
    assert policies(account) == []


@pytest.mark.parametrize("moment", ["GetRolePolicy", "DeleteRolePolicy", "UntagResource"])
def test_a_detach_that_an_attach_overtakes_leaves_it_the_permission(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, moment: str
) -> None:
    names = three(account)
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    arguments = ("--stream", "app-logs", "--zip", layer_zip)
    aws.before(moment, lambda: assert_done(run(attach, "bills", *arguments)))
    assert run(detach, "orders").exit_code == 0
    assert policies(account) == [SHARED]
    assert "FIRETEE_STREAM" in account.env("bills")
    assert run(detach, *names).exit_code == 0
    assert policies(account) == []


@pytest.mark.parametrize("moment", ["PutRolePolicy", "TagResource", "UpdateFunctionConfiguration", "ListTags"])
def test_an_attach_that_a_detach_overtakes_has_the_permission_at_the_end(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, moment: str
) -> None:
    three(account)
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    aws.before(moment, lambda: assert_done(run(detach, "orders")))
    account.iam.delete_role_policy(RoleName="shared", PolicyName=SHARED)  # so that there is something to put
    assert run(attach, "bills", "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    assert "FIRETEE_STREAM" not in account.env("orders")
    assert policies(account) == [SHARED]


def test_a_failed_attach_takes_no_policy_from_a_function_that_lives_on_it(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    three(account)
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    aws.fail("UpdateFunctionConfiguration", "AccessDeniedException")
    assert run(attach, "bills", "--stream", "app-logs", "--zip", layer_zip).exit_code == 1
    assert policies(account) == [SHARED]


def test_a_detach_that_fails_at_its_end_brings_the_policy_back(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    three(account)
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    before = account.everything()
    aws.fail("UntagResource", "AccessDeniedException")
    assert run(detach, "orders").exit_code == 1
    assert account.everything() == before


def test_where_functions_may_not_be_listed_the_policy_stays_and_that_is_said(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    three(account)
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    aws.fail("ListFunctions", "AccessDeniedException", times=9)
    result = run(detach, "orders")
    assert result.exit_code == 0, result.output
    assert f"keeps the policy {SHARED}" in " ".join(result.output.split())
    assert policies(account) == [SHARED]


def test_where_policies_may_not_be_listed_those_are_found_that_the_function_needs(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    three(account)
    aws.fail("ListRolePolicies", "AccessDenied", times=9)
    assert run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    assert run(detach, "orders").exit_code == 0
    aws.forget_faults()
    assert policies(account) == []
