"""Platform events say what the Telemetry API's schema 2022-12-13 says, and nothing that is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper import events

TRACE = "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"
NONE = events.tags()
DID = {"lines": 10, "bytes": 2_345, "calls": 1, "retries": 0, "waitedMs": 7.123}
TRACING = {"type": "X-Amzn-Trace-Id", "value": TRACE}


@pytest.mark.parametrize(
    ("event", "kind", "record"),
    [
        (
            events.init_start(
                initialization_type="on-demand",
                runtime_version="python:3.12.v38",
                function_name="orders",
                function_version="$LATEST",
            ),
            "platform.initStart",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": "python:3.12.v38",
                "functionName": "orders",
                "functionVersion": "$LATEST",
            },
        ),
        (
            events.init_runtime_done(initialization_type="snap-start", status="success"),
            "platform.initRuntimeDone",
            {"initializationType": "snap-start", "phase": "init", "status": "success"},
        ),
        (
            events.init_runtime_done(
                initialization_type="on-demand", status="error", error_type="Runtime.ImportModuleError"
            ),
            "platform.initRuntimeDone",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "status": "error",
                "errorType": "Runtime.ImportModuleError",
            },
        ),
        (
            events.start("r-1", events.tags(TRACE, "blue"), version="$LATEST"),
            "platform.start",
            {"requestId": "r-1", "version": "$LATEST", "tracing": TRACING, "tenantId": "blue"},
        ),
        (
            events.runtime_done("r-1", events.tags(TRACE), status="success", duration_ms=140, produced_bytes=16),
            "platform.runtimeDone",
            {
                "requestId": "r-1",
                "status": "success",
                "metrics": {"durationMs": 140.0, "producedBytes": 16},
                "tracing": TRACING,
            },
        ),
        (
            events.runtime_done(
                "r-1", NONE, status="failure", duration_ms=0.12345, produced_bytes=0, error_type="ValueError"
            ),
            "platform.runtimeDone",
            {
                "requestId": "r-1",
                "status": "failure",
                "errorType": "ValueError",
                "metrics": {"durationMs": 0.123, "producedBytes": 0},
            },
        ),
        (
            events.report(
                "r-1",
                NONE,
                status="success",
                duration_ms=693.92,
                memory_size_mb=128,
                max_memory_used_mb=84,
                init_duration_ms=397.6809,
                firetee=DID,
            ),
            "platform.report",
            {
                "requestId": "r-1",
                "status": "success",
                "metrics": {
                    "durationMs": 693.92,
                    "memorySizeMB": 128,
                    "maxMemoryUsedMB": 84,
                    "initDurationMs": 397.681,
                },
                "firetee": DID,
            },
        ),
        (
            events.restore_start(runtime_version="python:3.12.v38", function_name="orders", function_version="3"),
            "platform.restoreStart",
            {"runtimeVersion": "python:3.12.v38", "functionName": "orders", "functionVersion": "3"},
        ),
        (events.restore_runtime_done(status="success"), "platform.restoreRuntimeDone", {"status": "success"}),
        (
            events.restore_runtime_done(status="error", error_type="Runtime.AfterRestoreError"),
            "platform.restoreRuntimeDone",
            {"status": "error", "errorType": "Runtime.AfterRestoreError"},
        ),
        (
            events.timeout_warning(
                "r-1", remaining_ms=249.8, stacks=[{"thread": "MainThread", "stack": 'File "ü.py"'}]
            ),
            "firetee.timeoutWarning",
            {
                "requestId": "r-1",
                "remainingMs": 249.8,
                "stacks": [{"thread": "MainThread", "stack": 'File "ü.py"'}],
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_event_has_its_type_and_exactly_the_known_fields(
    event: tuple[str, str], kind: str, record: dict[str, Any]
) -> None:
    assert event[0] == kind
    assert json.loads(event[1]) == record


@pytest.mark.parametrize(
    ("event", "record"),
    [
        (events.start("r", NONE), {"requestId": "r"}),
        (events.runtime_done("r", NONE, status="timeout"), {"requestId": "r", "status": "timeout"}),
        (events.report("r", NONE, status="timeout"), {"requestId": "r", "status": "timeout"}),
        (events.restore_start(), {}),
    ],
)
def test_what_is_not_known_is_absent_and_never_null(event: tuple[str, str], record: dict[str, Any]) -> None:
    assert json.loads(event[1]) == record


def test_durations_are_floats_as_the_platform_s_are() -> None:
    assert events.runtime_done("r", NONE, status="success", duration_ms=7)[1].endswith('"metrics":{"durationMs":7.0}}')


def test_a_record_is_one_line_of_ascii_whatever_is_in_a_stack() -> None:
    _, record = events.timeout_warning("r", remaining_ms=1, stacks=[{"thread": "\ud800", "stack": "a\nü\u2028"}])
    assert record.isascii()
    assert record.isprintable()
    assert json.loads(record)["stacks"] == [{"thread": "\ud800", "stack": "a\nü\u2028"}]


names = st.text("abc", min_size=1)
values = st.recursive(
    st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=5))
def test_records_are_written_as_json_writes_them(did: dict[str, Any]) -> None:
    _, record = events.report("r-1", NONE, status="success", firetee=did)
    assert record == json.dumps({"requestId": "r-1", "status": "success", "firetee": did}, separators=(",", ":"))
