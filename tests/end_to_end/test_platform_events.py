"""What the platform would say of a function, measured in its process, in the Telemetry API's words."""

from __future__ import annotations

from typing import Any

import pytest

from firetee import layer
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import OK, Step

SOURCE = """
    import time
    def handler(event, context):
        if event.get("raise"):
            raise ValueError("unlucky")
        time.sleep(event.get("sleep", 0))
        print("a line")
        return "žluť"
"""


def platform(lines: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(line["type"], line["record"]) for line in lines if line["type"] not in ("function", "extension")]


def test_an_environments_life_in_the_platforms_words(stage: Stage) -> None:
    teed = stage.run(SOURCE, [{"sleep": 0.02}, {"raise": True}], timeout_s=5, memory_mb=256)
    events = platform(teed.lines)
    assert [kind for kind, _ in events] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        *["platform.start", "platform.runtimeDone", "platform.report"] * 2,
    ]
    init_start, init_done, start, done, report, start_again, failed, failed_report = [record for _, record in events]
    assert init_start == {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": stage.python.execution_env,
        "functionName": "function",
        "functionVersion": "$LATEST",
        "firetee": layer.release()._asdict(),
    }
    product = f"firetee/{layer.release().version}+{layer.release().content}"
    assert {product in agent.split() for agent in stage.firehose.user_agents} == {True}
    assert init_done == {"initializationType": "on-demand", "phase": "init", "status": "success"}
    assert start["version"] == "$LATEST"
    assert done["requestId"] == start["requestId"] == report["requestId"]
    assert done["status"] == report["status"] == "success"
    assert done["metrics"]["producedBytes"] == len(teed.responses[0].body)
    assert 20 <= done["metrics"]["durationMs"] < 5000
    assert report["metrics"]["memorySizeMB"] == 256
    assert 10 < report["metrics"]["maxMemoryUsedMB"] < 256
    assert report["metrics"]["initDurationMs"] > 0
    assert "billedDurationMs" not in report["metrics"]
    assert report["process"]["cpuUserMs"] >= 0
    assert report["process"]["tmpUsedBytes"] >= 0
    assert report["firetee"]["lines"] >= 1
    assert report["firetee"]["calls"] >= 1
    assert report["firetee"]["retries"] == 0
    assert report["firetee"]["bytes"] > 0
    assert report["firetee"]["waitedMs"] > 0
    assert start_again["requestId"] != start["requestId"]
    assert (failed["status"], failed["errorType"]) == ("error", "ValueError")
    assert "producedBytes" not in failed["metrics"]
    assert (failed_report["status"], failed_report["errorType"]) == ("error", "ValueError")
    assert "initDurationMs" not in failed_report["metrics"]


@pytest.mark.newest_python
def test_an_init_that_fails_says_so(stage: Stage) -> None:
    teed = stage.run("import nowhere_to_be_found\ndef handler(event, context): pass")
    done = [record for kind, record in platform(teed.lines) if kind == "platform.initRuntimeDone"]
    assert done[0]["status"] == "error"
    assert done[0]["errorType"] == "Runtime.ImportModuleError"


@pytest.mark.newest_python
def test_a_timeout_says_so(stage: Stage) -> None:
    with stage.environment(SOURCE, timeout_s=1) as emulator:
        emulator.invoke({})  # the emulator counts the init as part of the first invocation's time
        emulator.invoke({"sleep": 30})
        stage.firehose.wait_until(lambda: any('"timeout"' in str(record) for record in stage.firehose.records(STREAM)))
        events = platform(stage.firehose.lines(STREAM))
    kinds = [kind for kind, _ in events]
    assert kinds[-3:] == ["firetee.timeoutWarning", "platform.runtimeDone", "platform.report"]
    assert events[-2][1]["status"] == events[-1][1]["status"] == "timeout"
    assert events[-1][1]["metrics"]["durationMs"] >= 950
    stacks = events[-3][1]["stacks"]
    assert "time.sleep(event.get" in stacks[0]["stack"]


@pytest.mark.newest_python
def test_a_journal_that_is_full_says_what_is_missing_where_it_is_missing(stage: Stage) -> None:
    source = """
        def handler(event, context):
            for number in range(1500):
                print(f"{number:04}", "x" * 95)
    """
    env = {"FIRETEE_BUFFER_BYTES": "65536", "FIRETEE_FLUSH_TIMEOUT_MS": "100", "FIRETEE_EVENTS": "function"}
    stage.firehose.otherwise = Step("server_error")
    with stage.environment(source, env=env) as emulator:
        emulator.invoke({})
        stage.firehose.otherwise = OK
        emulator.shutdown()
        stdout = emulator.stdout
    lines = stage.firehose.lines(STREAM)
    dropped = [record for kind, record in platform(lines) if kind == "platform.logsDropped"]
    whole = [line for line in lines if len(line["record"]) == 100]
    assert dropped
    assert 0 < len(whole) < 1500
    assert sum(record["droppedRecords"] for record in dropped) == 1500 - len(whole)
    assert sum(record["droppedBytes"] for record in dropped) <= (1500 - len(whole)) * 101  # of some, the rest only
    assert len(stdout.splitlines()) == 1500


@pytest.mark.newest_python
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ("function", {"function"}),
        ("platform,function", {"function", "platform"}),
        ("extension", {"extension"}),
        ("platform", {"platform"}),
    ],
)
def test_the_kinds_that_are_asked_for_are_sent(stage: Stage, events: str, expected: set[str]) -> None:
    env = {"FIRETEE_EVENTS": events, "FIRETEE_TAGS": "broken"}  # which makes a message of ours
    bare, teed = stage.both(SOURCE, env=env)
    assert {line["type"].partition(".")[0] for line in teed.lines} == expected
    assert teed.stdout == bare.stdout


def test_lines_join_with_traces_by_open_telemetry_s_ids(stage: Stage) -> None:
    root = "1-5759e988-bd862e3fe1be46a994272793"
    source = f"""
        from awslambdaric import lambda_runtime_client
        made = lambda_runtime_client.InvocationRequest.__init__
        def traced(self, **given):  # what Lambda's headers say and the emulator's do not
            given["x_amzn_trace_id"] = "Root={root};Parent=53995c3f42cd8ad8;Sampled=0"
            given["invocation_id"] = "attempt-1"
            made(self, **given)
        lambda_runtime_client.InvocationRequest.__init__ = traced
        def handler(event, context):
            print("a line")
            return dict(event)
    """
    bare, teed = stage.both(source, [{"a": 1}], shutdown=False)
    assert teed.observed == bare.observed
    (line,) = [each for each in teed.lines if each["record"] == "a line"]
    assert {key: line[key] for key in ("traceId", "spanId", "sampled", "xrayTraceId", "invocationId")} == {
        "traceId": root[2:].replace("-", ""),
        "spanId": "53995c3f42cd8ad8",
        "sampled": False,
        "xrayTraceId": root,
        "invocationId": "attempt-1",
    }
