"""`doctor` on functions that are broken in every way it knows: each finding has a remedy, and the cure works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firetee import layer
from firetee.cloud import arns, checks, settings
from firetee.cloud.checks import PROBLEM, Facts, StreamSeen, examine
from firetee.cloud.state import FunctionState
from firetee.cloud.streams import StreamFacts
from firetee.cloud.wiring import EXEC_WRAPPER
from firetee.commands.attach import attach
from firetee.commands.doctor import doctor
from tests.firetee.cloud.fake_aws import ACCOUNT, REGION, FakeAws
from tests.firetee.cloud.fixtures import Account
from tests.firetee.commands.conftest import Run

LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:firetee:2"


def findings(run: Run, function: str = "orders") -> dict[str, list[dict[str, Any]]]:
    """The findings of a run, by the name of their check."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(run(doctor, function, "--json").stdout)["findings"]:
        found.setdefault(each["check"], []).append(each)
    return found


def test_after_attach_there_is_no_problem(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    result = run(doctor, "orders")
    assert result.exit_code == 0, result.output
    assert "No problem found." in result.output
    assert f"layer:firetee:1 (firetee {layer.release()})" in result.output
    assert (
        f"may firehose:PutRecordBatch on arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/app-logs" in result.output
    )


def test_a_bare_function_lacks_layer_wrapper_and_stream(run: Run, account: Account) -> None:
    account.function()
    result = run(doctor, "orders")
    assert result.exit_code == 1
    for words in ("layer: the layer is missing", "AWS_LAMBDA_EXEC_WRAPPER is not set", "FIRETEE_STREAM is not set"):
        assert words in result.output


def test_a_missing_stream_and_a_missing_permission_are_told_apart(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip, "--no-role")
    account.without_stream()
    found = findings(run)
    assert "there is no delivery stream app-logs" in found["stream"][0]["message"]
    assert "no policy allows it" in found["permission"][0]["message"]
    assert '"Action": "firehose:PutRecordBatch"' in found["permission"][0]["remedy"]


def test_a_denial_is_named_as_such(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "firehose:*", "Resource": "*"}]}
    account.iam.put_role_policy(RoleName="orders-role", PolicyName="boundary", PolicyDocument=json.dumps(deny))
    assert "a policy denies it" in findings(run)["permission"][0]["message"]


def test_what_may_not_be_looked_at_is_said_and_is_no_problem(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    account.function()
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    aws.fail("SimulatePrincipalPolicy", "AccessDenied", times=2)
    aws.fail("DescribeDeliveryStream", "AccessDeniedException")
    result = run(doctor, "orders")
    assert result.exit_code == 0
    assert "Ask for iam:SimulatePrincipalPolicy on the role." in result.output
    assert "Ask for firehose:DescribeDeliveryStream on it." in result.output


def test_an_older_layer_is_hinted_at(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    account.layer("firetee")
    assert "is not the newest" in findings(run)["layer"][0]["message"]


def test_a_layer_under_another_name_is_recognised_and_what_may_not_be_looked_at_is_no_problem(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    published = account.lambda_.publish_layer_version(
        LayerName="company-log-shipper", Content={"ZipFile": layer_zip.read_bytes()}
    )["LayerVersionArn"]
    account.stream()
    env = {"AWS_LAMBDA_EXEC_WRAPPER": EXEC_WRAPPER, "FIRETEE_STREAM": "app-logs"}
    account.function(env=env, layers=(published,))
    assert [(each["level"], each["message"]) for each in findings(run)["layer"]] == [(checks.FINE, published)]
    aws.fail("GetLayerVersion", "AccessDeniedException", times=2)
    hidden = findings(run)["layer"][0]
    assert hidden["level"] == checks.UNKNOWN
    assert published in hidden["message"]


def test_a_missing_function_is_an_error(run: Run, account: Account) -> None:
    assert run(doctor, "nobody").exit_code == 1


# The checks themselves, as a table

FUNCTION = FunctionState(
    name="orders",
    arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/orders-role",
    runtime="python3.12",
    timeout_s=30,
    memory_mb=512,
    env={"AWS_LAMBDA_EXEC_WRAPPER": EXEC_WRAPPER, "FIRETEE_STREAM": "app-logs"},
    layers=(LAYER,),
)
STREAM = StreamFacts("app-logs", f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/app-logs", "ACTIVE", "DirectPut")


def facts(*, stream: dict[str, Any] | None = None, env: dict[str, str] | None = None, **function: Any) -> Facts:
    """A healthy function's facts, but for what is given."""
    variables = {**FUNCTION.env, **(env or {})}
    state = FunctionState(**{**vars(FUNCTION), "env": variables, **function})
    parsed = arns.stream(variables["FIRETEE_STREAM"], REGION, ACCOUNT)
    assert parsed is not None
    seen = StreamSeen(parsed, StreamFacts(**{**vars(STREAM), **(stream or {})}))
    return Facts(state, (seen,), may_put={parsed.text: "allowed"}, may_log="implicitDeny")


def test_a_healthy_function_has_only_fine_findings() -> None:
    assert {each.level for each in examine(facts())} == {checks.FINE}


@pytest.mark.parametrize(
    ("check", "words", "broken"),
    [
        ("runtime", "is not supported", facts(runtime="python3.9")),
        ("runtime", "container image", facts(package_type="Image", runtime="")),
        ("state", "last update of the function failed", facts(last_update="Failed")),
        ("layer", "the function cannot start", facts(layers=())),
        ("wrapper", "another tool has taken", facts(env={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/datadog_wrapper"})),
        ("wrapper", "FIRETEE_DISABLED is set", facts(env={"FIRETEE_DISABLED": "true"})),
        ("chaining", "own wrapper", facts(env={"FIRETEE_EXEC_WRAPPER": EXEC_WRAPPER})),
        ("chaining", "neither in a layer", facts(env={"FIRETEE_EXEC_WRAPPER": "otel"})),
        ("stream", "CREATING", facts(stream={"status": "CREATING"})),
        ("stream", "takes no records from callers", facts(stream={"source": "KinesisStreamAsSource"})),
        ("stream", "compressed twice", facts(stream={"compression": "GZIP"}, env={"FIRETEE_COMPRESSION": "gzip"})),
        ("stream", "does not take records apart", facts(stream={"dynamic_partitioning": True})),
        (
            "stream",
            "cannot read in gzip",
            facts(stream={"dynamic_partitioning": True}, env={"FIRETEE_COMPRESSION": "gzip"}),
        ),
        ("stream", "traffic is billed", facts(env={"FIRETEE_STREAM": STREAM.arn.replace(REGION, "us-east-1")})),
        ("stream", "in partition aws-cn", facts(env={"FIRETEE_STREAM": STREAM.arn.replace(":aws:", ":aws-cn:")})),
        ("stream", "in another account", facts(env={"FIRETEE_STREAM": STREAM.arn.replace(ACCOUNT, "210987654321")})),
        ("network", "could not be looked at", facts(in_vpc=True, vpc_id="vpc-1")),
        ("timeout", "unreachable Firehose may take 2000 ms", facts(timeout_s=2)),
        ("memory", "little processor time", facts(memory_mb=128)),
    ],
)
def test_each_fault_is_found_and_has_a_remedy(check: str, words: str, broken: Facts) -> None:
    found = [each for each in examine(broken) if each.check == check and words in each.message]
    assert len(found) == 1, examine(broken)
    assert found[0].level != checks.FINE
    assert found[0].remedy


def test_wrong_values_and_misspelt_names_are_found_by_the_layers_own_reading() -> None:
    variables = {"FIRETEE_FLUSH": "after-retrn", "FIRETEE_STREEM": "x", "FIRETEE_REDACT": "a;;(", "MODE": "y"}
    problems = settings.problems(variables)
    assert len(problems) == 2
    assert "FIRETEE_FLUSH" in problems[0]
    assert "Did you mean after-return?" in problems[0]
    assert "FIRETEE_REDACT='(' is not a regular expression" in problems[1]
    assert settings.unknown(variables) == ("FIRETEE_STREEM",)
    levels = [each.level for each in examine(Facts(FUNCTION, setting_problems=problems))]
    assert PROBLEM in levels


def test_where_nothing_goes_to_cloudwatch_it_is_said_that_embedded_metrics_stop() -> None:
    (finding,) = [each for each in examine(facts()) if each.check == "cloudwatch"]
    assert "embedded metric format" in finding.message
