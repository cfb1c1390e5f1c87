"""Plans: pure, in an order that is safe to stop in, and refused where they could do harm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firetee.cloud import state
from firetee.cloud.errors import CloudError
from firetee.cloud.layers import LayerZip
from firetee.cloud.permissions import Present
from firetee.cloud.plan import Wish, plan_attach, plan_detach
from firetee.cloud.state import FunctionState

FUNCTION = FunctionState(
    name="orders",
    arn="arn:aws:lambda:eu-west-1:123456789012:function:orders",
    role_arn="arn:aws:iam::123456789012:role/service-role/orders-role",
    runtime="python3.12",
    env={"MODE": "fast"},
)
WISH = Wish("app-logs", zip_=LayerZip(b"zip", "hash"))


def test_the_permission_comes_first_and_what_was_there_is_noted_before_it_is_changed() -> None:
    steps = [type(step).__name__ for step in plan_attach(FUNCTION, WISH, Present()).steps]
    assert steps == ["PublishLayer", "GrantPermission", "SetTags", "RewireFunction", "AwaitUpdate", "Confirm"]


def test_detaching_goes_the_other_way_round() -> None:
    attached = replace(
        FUNCTION,
        env={"MODE": "fast", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper", "FIRETEE_STREAM": "app-logs"},
        tags={"firetee:undo": next(iter(plan_attach(FUNCTION, WISH, Present()).steps[2].changes())).after},
    )
    steps = [
        type(step).__name__
        for step in plan_detach(attached, Present({"firetee.eu-west-1.app-logs": {"Statement": []}})).steps
    ]
    assert steps == ["RewireFunction", "AwaitUpdate", "RevokePermission", "SetTags"]


def test_tags_that_cannot_be_read_stop_both_ways() -> None:
    blind = replace(FUNCTION, tags_error="not authorized to perform lambda:ListTags")
    with pytest.raises(CloudError, match="not authorized") as raised:
        plan_attach(blind, WISH, Present())
    assert "lambda:ListTags" in raised.value.remedy
    with pytest.raises(CloudError, match="not authorized"):
        plan_detach(blind, Present())


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        ("no stream!", "neither the name nor the ARN"),
        ("arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/x", "in the partition aws-cn"),
        ("arn:aws:firehose:eu-west-1:210987654321:deliverystream/x", "in another account"),
        ("arn:aws:kinesis:eu-west-1:123456789012:stream/x", "neither the name nor the ARN"),
    ],
)
def test_a_stream_that_cannot_work_is_refused(stream: str, says: str) -> None:
    with pytest.raises(CloudError, match=says):
        plan_attach(FUNCTION, replace(WISH, stream=stream), Present())


def test_several_streams_are_one_setting_and_a_permission_each() -> None:
    far = "arn:aws:firehose:us-east-1:123456789012:deliverystream/b"
    changes = [
        change
        for step in plan_attach(FUNCTION, replace(WISH, stream=f"a, {far}"), Present()).steps
        for change in step.changes()
    ]
    assert f"a,{far}" in [change.after for change in changes]
    near = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/a"
    allowed = {change.what: change.after for change in changes if "policy" in change.what}
    assert allowed == {
        "role orders-role, policy firetee.eu-west-1.a": f"Allow firehose:PutRecordBatch on {near}",
        "role orders-role, policy firetee.eu-west-1.b@us-east-1": f"Allow firehose:PutRecordBatch on {far}",
    }


def test_an_image_is_told_what_to_do_instead() -> None:
    with pytest.raises(CloudError) as raised:
        plan_attach(replace(FUNCTION, package_type="Image", runtime=""), WISH, Present())
    assert "Container images" in raised.value.remedy


def test_variables_that_cannot_be_decrypted_are_not_wiped() -> None:
    answer = {
        "Configuration": {
            "FunctionName": "orders",
            "FunctionArn": FUNCTION.arn,
            "Role": FUNCTION.role_arn,
            "KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1",
            "Environment": {"Error": {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}},
        }
    }
    with pytest.raises(CloudError, match="cannot be read: no kms:Decrypt"):
        state.from_answer(answer)
