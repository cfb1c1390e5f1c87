"""What a process can measure of itself, in the order in which things happen."""

from __future__ import annotations

import json
from typing import Any

from log_capture.release import CONTENT, VERSION
from wrapper.telemetry import PlatformEvents

ENVIRON = {
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency",
}


def record(event: tuple[str, str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(event[1])
    return parsed


def test_the_process_s_variables_are_in_its_events() -> None:
    events = PlatformEvents(ENVIRON)
    assert record(events.init_start()) == {
        "initializationType": "provisioned-concurrency",
        "phase": "init",
        "runtimeVersion": "AWS_Lambda_python3.12",
        "functionName": "orders",
        "functionVersion": "7",
        "firetee": {"version": VERSION, "content": CONTENT},
    }
    assert record(events.start("r1", None, "blue")) == {"requestId": "r1", "version": "7", "tenantId": "blue"}


def test_an_environment_that_says_nothing_makes_events_that_say_less() -> None:
    events = PlatformEvents({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "much"})
    release = {"version": VERSION, "content": CONTENT}
    assert record(events.init_start()) == {"initializationType": "on-demand", "phase": "init", "firetee": release}
    events.start("r1", None, None)
    events.runtime_done()
    assert "memorySizeMB" not in record(events.report({}))["metrics"]


def test_the_init_s_duration_is_in_the_first_report_only() -> None:
    events = PlatformEvents(ENVIRON)
    events.init_runtime_done("success")
    metrics = []
    for request_id in ("r1", "r2"):
        events.start(request_id, None, None)
        events.runtime_done()
        metrics.append(record(events.report({"lines": 3}))["metrics"])
    assert metrics[0]["initDurationMs"] >= 0
    assert "initDurationMs" not in metrics[1]
    assert metrics[1]["memorySizeMB"] == 512
    assert metrics[1]["maxMemoryUsedMB"] > 0


def test_an_invocation_forgets_how_the_one_before_it_ended() -> None:
    events = PlatformEvents(ENVIRON)
    events.start("r1", None, None)
    events.failed("KeyError")
    failed = record(events.runtime_done())
    events.start("r2", None, None)
    events.answered(12)
    good = record(events.runtime_done())
    assert (failed["status"], failed["errorType"]) == ("error", "KeyError")
    assert (good["status"], good["metrics"]["producedBytes"]) == ("success", 12)
    assert "errorType" not in good


def test_after_a_restore_the_init_belongs_to_another_process() -> None:
    events = PlatformEvents(ENVIRON)
    events.init_runtime_done("success")
    events.restore_start()
    assert record(events.restore_runtime_done("success")) == {"status": "success"}
    events.start("r1", None, None)
    events.runtime_done()
    metrics = record(events.report({}))["metrics"]
    assert metrics["restoreDurationMs"] >= 0
    assert "initDurationMs" not in metrics


def test_a_report_says_what_the_invocation_used_of_the_machine() -> None:
    events = PlatformEvents(ENVIRON)
    events.start("r1", None, None)
    events.runtime_done()
    process = record(events.report({}))["process"]
    assert min(process["cpuUserMs"], process["cpuSystemMs"]) >= 0
    assert process["tmpUsedBytes"] >= 0
    assert set(process) <= {"cpuUserMs", "cpuSystemMs", "threads", "openFds", "tmpUsedBytes"}
