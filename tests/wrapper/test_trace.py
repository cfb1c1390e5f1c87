"""The ids of a trace, out of what the runtime client hands over."""

from __future__ import annotations

import pytest

from tests.fakes.runtime import Invocation
from wrapper.trace import fields, of_traceparent, of_xray

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
XRAY = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def invocation(**more: object) -> Invocation:
    made = Invocation("r1", 0)
    made.__dict__.update(x_amzn_trace_id=XRAY, **more)
    return made


def test_x_ray_s_header_gives_ids_in_open_telemetry_s_form() -> None:
    assert of_xray(XRAY) == {
        "traceId": "5759e988bd862e3fe1be46a994272793",
        "spanId": "53995c3f42cd8ad8",
        "sampled": True,
        "xrayTraceId": ROOT,
    }


@pytest.mark.parametrize(("header", "sampled"), [(f"Root={ROOT};Sampled=0", False), (f"Root={ROOT};Sampled=?", None)])
def test_sampled_is_absent_where_nothing_is_decided(header: str, sampled: bool | None) -> None:
    assert of_xray(header).get("sampled") is sampled


@pytest.mark.parametrize(
    "header", [None, "", "Root", "Root=1-2-3", "Root=2" + ROOT[1:], ROOT, f"Root={ROOT.upper()}", ";;="]
)
def test_a_header_that_is_not_x_ray_s_gives_nothing(header: str | None) -> None:
    assert of_xray(header) == {}


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("02", False)])
def test_a_traceparent_s_first_flag_says_whether_it_is_sampled(flags: str, sampled: bool) -> None:
    assert of_traceparent(PARENT[:-2] + flags) == {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "sampled": sampled,
    }


@pytest.mark.parametrize(
    "value", [None, 1, "", "00", "ff" + PARENT[2:], PARENT.upper(), f"00-{'0' * 32}-00f067aa0ba902b7-01", PARENT[:-1]]
)
def test_a_malformed_traceparent_gives_nothing(value: object) -> None:
    assert of_traceparent(value) == {}


def test_a_traceparent_of_the_caller_goes_before_x_ray_s_and_x_ray_s_own_id_stays() -> None:
    found = fields(invocation(client_context='{"w3c": {"traceparent": "' + PARENT + '"}}'))
    assert found == {**of_traceparent(PARENT), "xrayTraceId": ROOT}


@pytest.mark.parametrize("context", ['{"w3c": 1, "traceparent": 2}', '["traceparent"]', '{"traceparent"', None, "{}"])
def test_a_client_context_without_a_traceparent_leaves_x_ray_s_ids(context: str | None) -> None:
    assert fields(invocation(client_context=context)) == of_xray(XRAY)


def test_each_attempt_has_its_invocation_id() -> None:
    assert fields(invocation(invocation_id="a-1"))["invocationId"] == "a-1"
    assert "invocationId" not in fields(invocation(invocation_id=None))
    assert "invocationId" not in fields(invocation())
