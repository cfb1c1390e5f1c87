"""Managed Instances: several workers in one environment, each with its own sender, journal and environment id."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest

from tests.end_to_end.harness import Stage
from tests.end_to_end.managed import Managed, managed

pytestmark = pytest.mark.newest_python

#: The versions of the runtime client whose parent process imports the function's modules, for all of its workers.
IMPORT_BEFORE_THE_FORK = ("4.1.0", "4.2.0")

SOURCE = """
import logging, os, subprocess, sys
print("imported")
def handler(event, context):
    print("printed", event["name"])
    print("to stderr", event["name"], file=sys.stderr)
    logging.getLogger().warning("logged %s", event["name"])
    subprocess.run(["echo", "child of", event["name"]])
    return [os.getpid(), context.aws_request_id]
"""


def function_lines(instance: Managed) -> list[dict[str, Any]]:
    return [line for line in instance.lines if line["type"] == "function"]


def invoke(instance: Managed, count: int) -> list[tuple[int, str]]:
    """Invoke `count` times, one after the other (the emulator refuses more); process and request id of each answer."""
    answers = [json.loads(instance.invoke({"name": f"w{number}"})[1]) for number in range(count)]
    return [(pid, request_id) for pid, request_id in answers]


@pytest.mark.forked_workers
def test_each_worker_sends_its_own_lines_with_its_own_ids(stage: Stage) -> None:
    with managed(stage, SOURCE, workers=3) as instance:
        answers = invoke(instance, 9)
        lines = function_lines(instance)
        stderr = instance.read("stderr")
    environments = set()
    for number, (pid, request_id) in enumerate(answers):
        mine = [line for line in lines if line.get("requestId") == request_id]
        assert {line["stream"] for line in mine} == {"stdout", "stderr", "log"}
        assert all(f"w{number}" in str(line["record"]) for line in mine)
        assert len(mine) == 4
        environments |= {(pid, line["environment"]) for line in mine}
    assert len(environments) == len({pid for pid, _ in answers}) > 1
    assert len({line["environment"] for line in lines}) == 3
    assert "[firetee]" not in stderr


@pytest.mark.forked_workers
def test_each_worker_decides_for_itself_what_its_lines_were_worth(stage: Stage) -> None:
    source = """
        import logging
        def handler(event, context):
            print("held", event["name"])
            if event["name"] in ("w2", "w5"): logging.error("bad %s", event["name"])
            return [0, context.aws_request_id]
    """
    with managed(stage, textwrap.dedent(source), workers=2, env={"FIRETEE_HOLD": "unlevelled"}) as instance:
        invoke(instance, 6)
        lines = function_lines(instance)
    texts = [line["record"] if isinstance(line["record"], str) else line["record"]["message"] for line in lines]
    assert sorted(texts) == ["bad w2", "bad w5", "held w2", "held w5"]


@pytest.mark.forked_workers
def test_every_worker_is_drained_at_sigterm(stage: Stage) -> None:
    with managed(stage, SOURCE, workers=2, env={"FIRETEE_FLUSH": "batched"}) as instance:
        invoke(instance, 2)
        reported_before = sum(line["type"] == "platform.report" for line in instance.lines)
        instance.shutdown()
        lines = instance.lines
    assert reported_before < 2  # they come behind the answers, and wait for company
    assert sum(line["type"] == "platform.report" for line in lines) == 2
    texts = [line["record"] for line in lines if line["type"] == "function"]
    assert texts.count("imported") == (1 if stage.ric in IMPORT_BEFORE_THE_FORK else 2)
    assert {"printed w0", "printed w1", "child of w0", "child of w1"} <= {str(text) for text in texts}
    by_environment: dict[str, list[int]] = {}
    for line in lines:
        by_environment.setdefault(line["environment"], []).append(line["seq"])
    assert all(sorted(set(numbers)) == list(range(len(set(numbers)))) for numbers in by_environment.values())


@pytest.mark.parametrize("capture", ["python", "fd"])
def test_the_outside_world_sees_no_difference(stage: Stage, capture: str) -> None:
    outputs = []
    for wrapped in (False, True):
        with managed(stage, SOURCE, workers=1, wrapped=wrapped, env={"FIRETEE_CAPTURE": capture}) as instance:
            status, _ = instance.invoke({"name": "one"})
            assert status == 200
            stdout = [line for line in instance.read("stdout").splitlines() if "timestamp" not in line]
            outputs.append((stdout, instance.read("stderr")))
    assert outputs[0] == outputs[1]
    assert [line for line in outputs[0][0] if line != "imported"] == ["printed one", "child of one"]


@pytest.mark.forked_workers
def test_native_output_of_a_worker_is_captured_where_that_is_wanted(stage: Stage) -> None:
    source = """
import os
def handler(event, context):
    os.write(1, b"native\\n")
    print("python")
"""
    with managed(stage, source, workers=1, env={"FIRETEE_CAPTURE": "fd"}) as instance:
        instance.invoke({})
        texts = [line["record"] for line in function_lines(instance)]
        stdout = instance.read("stdout")
    assert texts == ["native", "python"]
    assert stdout == "native\npython\n"
