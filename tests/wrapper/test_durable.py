"""The ids of a durable execution, out of its event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wrapper.durable import fields

SDK = {"json", "aws_durable_execution_sdk_python"}
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders:1/durable-execution/a/b"
EXECUTION = {"Id": "0", "Type": "EXECUTION", "Status": "STARTED"}
STEP = {"Id": "1", "Type": "STEP", "Status": "SUCCEEDED"}


def event(*operations: dict[str, str], marker: str | None = "", **other: Any) -> str:
    state = {"Operations": list(operations), "NextMarker": marker}
    return json.dumps({"DurableExecutionArn": ARN, "CheckpointToken": "t", "InitialExecutionState": state, **other})


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (event(EXECUTION), True),
        (event(EXECUTION).encode(), True),
        (event(EXECUTION, STEP), False),
        (event(EXECUTION, marker="more"), False),
    ],
)
def test_an_invocation_without_any_checkpoint_is_the_execution_s_first(body: str | bytes, first: bool) -> None:
    assert fields(body, SDK) == {"durableExecutionArn": ARN, "durableFirstInvocation": first}


def test_a_function_without_the_sdk_is_not_durable_whatever_its_event_says() -> None:
    assert fields(event(EXECUTION), {"json"}) == {}


@pytest.mark.parametrize(
    "body",
    [
        *[None, 1, "", "{", "[]", b"\xff", "{}", "[" * 100_000, json.dumps({"DurableExecutionArn": ARN})],
        *[event(CheckpointToken=1), event(DurableExecutionArn=None), event(InitialExecutionState=[])],
    ],
)
def test_any_other_event_gives_nothing(body: object) -> None:
    assert fields(body, SDK) == {}
