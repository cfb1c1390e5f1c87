"""When lines go out: before the answer, after it, in batches, or while the handler runs; and never past a limit."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from typing import Any

import pytest

from tests.end_to_end.harness import STREAM, Stage
from tests.end_to_end.spy import SPY, Moment, moments
from tests.fakes.firehose import OK, Step

SOURCE = (
    SPY
    + """
def handler(event, context):
    print("order", event["order"])
    if event.get("fail"):
        raise ValueError("no stock")
"""
)
EVENTS: list[dict[str, Any]] = [{"order": 1}, {"order": 2, "fail": True}, {"order": 3}]

#: Most that a wait may last beyond its limit on a busy machine, in seconds.
SLACK_S = 1.5


def idle_periods(seen: list[Moment]) -> list[tuple[float, float]]:
    """From asking for an event to getting it: the environment may be frozen in between."""
    return [(asked.time, got.time) for asked, got in pairwise(seen) if (asked.name, got.name) == ("next", "next.done")]


def test_before_return_lines_are_taken_before_the_answer_is_posted(stage: Stage) -> None:
    with stage.environment(SOURCE) as emulator:
        for event in EVENTS:
            emulator.invoke(event)
        posts = [m.time for m in moments(emulator) if m.name in ("post_invocation_result", "post_error")]
        taken = [call.time for call in stage.firehose.calls]
    assert len(posts) == len(EVENTS) == len(taken)
    assert all(call < post for call, post in zip(taken, posts, strict=True))


def test_after_return_the_flush_comes_between_the_answer_and_the_next_event(stage: Stage) -> None:
    with stage.environment(SOURCE, env={"FIRETEE_FLUSH": "after-return"}) as emulator:
        for event in EVENTS:
            emulator.invoke(event)
        seen = moments(emulator)
        calls = [call.time for call in stage.firehose.calls]
    posts = [m.time for m in seen if m.name in ("post_invocation_result.done", "post_error.done")]
    asks = [m.time for m in seen if m.name == "next"][1:]  # the first one ended the init
    assert len(calls) == len(posts) == len(EVENTS)
    assert all(post < call < ask for post, call, ask in zip(posts, calls, asks, strict=True))


@pytest.mark.parametrize("flush", ["before-return", "after-return", "batched"])
def test_no_request_is_in_flight_while_the_runtime_waits_for_an_event(stage: Stage, flush: str) -> None:
    stage.firehose.latency_s = 0.03
    env = {"FIRETEE_FLUSH": flush, "FIRETEE_LINGER_MS": "1", "FIRETEE_BATCH_AGE_MS": "1"}
    with stage.environment(SOURCE, env=env) as emulator:
        for event in EVENTS * 2:
            emulator.invoke(event)
        idle = idle_periods(moments(emulator))
        calls = [(call.time - 0.03, call.time) for call in stage.firehose.calls]
    assert calls
    assert idle
    assert not [(call, rest) for call in calls for rest in idle if rest[0] < call[0] < rest[1]]


@pytest.mark.newest_python
@pytest.mark.parametrize("client", ["direct", "boto3"])
def test_a_request_that_hangs_is_given_up_before_the_runtime_waits_for_an_event(stage: Stage, client: str) -> None:
    stage.firehose.otherwise = Step("hang")
    env = {"FIRETEE_FLUSH_TIMEOUT_MS": "300", "FIRETEE_LINGER_MS": "1", "FIRETEE_CLIENT": client}
    source = SOURCE.replace('print("order"', 'print("early"); time.sleep(0.1); print("order"')
    with stage.environment(source, env=env) as emulator:
        answer = emulator.invoke({"order": 1})
        waiting = moments(emulator)[-1]
    assert any(call.outcome == "hanging" for call in stage.firehose.calls)
    assert answer.body == b"null"
    assert waiting.name == "next"
    assert waiting.connections == 0


@pytest.mark.newest_python
def test_a_line_goes_out_while_the_handler_runs(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            print("early")
            open(os.environ["TMPDIR"] + "/gate").read()  # until the test has seen the line in Firehose
    """
    with stage.environment(source, env={"FIRETEE_LINGER_MS": "50"}) as emulator:
        os.mkfifo(emulator.tmp / "gate")
        answers: list[bytes] = []
        caller = threading.Thread(target=lambda: answers.append(emulator.invoke({}).body))
        caller.start()
        try:
            stage.firehose.wait_until(lambda: any("early" in str(record) for record in stage.firehose.records(STREAM)))
        finally:
            (emulator.tmp / "gate").write_text("go on")
            caller.join()
    assert answers == [b"null"]


@pytest.mark.newest_python
def test_a_line_waits_for_its_linger(stage: Stage) -> None:
    source = SPY + 'def handler(event, context):\n    print("early"); time.sleep(0.2); note("returns")\n'
    with stage.environment(source, env={"FIRETEE_LINGER_MS": "60000"}) as emulator:
        emulator.invoke({})
        returns = next(m.time for m in moments(emulator) if m.name == "returns")
    assert [call.time > returns for call in stage.firehose.calls] == [True]


@pytest.mark.newest_python
class TestBatched:
    SOURCE = 'def handler(event, context):\n    print(event["text"])\n'

    def test_nothing_is_sent_until_a_threshold_is_reached_and_the_rest_at_shutdown(self, stage: Stage) -> None:
        with stage.environment(self.SOURCE, env={"FIRETEE_FLUSH": "batched"}) as emulator:
            for number in range(3):
                emulator.invoke({"text": f"line {number}"})
            assert stage.firehose.calls == []
            emulator.shutdown()
        texts = [line["record"] for line in stage.firehose.lines(STREAM) if line["type"] == "function"]
        assert texts == ["line 0", "line 1", "line 2"]
        assert len(stage.firehose.calls) == 1

    def test_many_bytes_are_sent(self, stage: Stage) -> None:
        env = {"FIRETEE_FLUSH": "batched", "FIRETEE_BATCH_BYTES": "10000"}
        with stage.environment(self.SOURCE, env=env) as emulator:
            emulator.invoke({"text": "small"})
            assert stage.firehose.calls == []
            emulator.invoke({"text": "x" * 10000})
            assert [line["record"][:5] for line in stage.firehose.lines(STREAM) if line["type"] == "function"] == [
                "small",
                "xxxxx",
            ]

    def test_old_lines_are_sent(self, stage: Stage) -> None:
        env = {"FIRETEE_FLUSH": "batched", "FIRETEE_BATCH_AGE_MS": "0"}
        with stage.environment(self.SOURCE, env=env) as emulator:
            emulator.invoke({"text": "first"})
            emulator.invoke({"text": "second"})
            assert stage.firehose.calls


@pytest.mark.newest_python
class TestLimits:
    SOURCE = 'def handler(event, context):\n    print("a line")\n    return "answered"\n'

    @pytest.mark.parametrize("client", ["direct", "boto3"])
    @pytest.mark.parametrize("flush", ["before-return", "after-return"])
    def test_a_firehose_that_hangs_costs_the_budget_once_and_then_almost_nothing(
        self, stage: Stage, client: str, flush: str
    ) -> None:
        stage.firehose.otherwise = Step("hang")
        env = {"FIRETEE_FLUSH_TIMEOUT_MS": "1000", "FIRETEE_CLIENT": client, "FIRETEE_FLUSH": flush}
        with stage.environment(self.SOURCE, env=env) as emulator:
            first, *others = (emulator.invoke({}) for _ in range(4))
        assert {answer.body for answer in (first, *others)} == {b'"answered"'}
        assert first.seconds >= 1.0
        assert sum(answer.seconds for answer in others) < SLACK_S

    def test_no_wait_passes_the_deadline_minus_the_margin(self, stage: Stage) -> None:
        stage.firehose.otherwise = Step("hang")
        with stage.environment(self.SOURCE, env={"FIRETEE_FLUSH_TIMEOUT_MS": "60000"}, timeout_s=1) as emulator:
            answer = emulator.invoke({})
        assert answer.body == b'"answered"'

    def test_a_budget_of_zero_never_waits(self, stage: Stage) -> None:
        stage.firehose.otherwise = Step("hang")
        with stage.environment(self.SOURCE, env={"FIRETEE_FLUSH_TIMEOUT_MS": "0"}) as emulator:
            answer = emulator.invoke({})
        assert answer.seconds < SLACK_S

    def test_lines_that_waited_for_firehose_to_come_back_arrive_in_order(self, stage: Stage) -> None:
        stage.firehose.otherwise = Step("server_error")
        source = 'def handler(event, context):\n    print("line", event["number"])\n'
        with stage.environment(source, env={"FIRETEE_FLUSH_TIMEOUT_MS": "200"}) as emulator:
            for number in range(5):
                emulator.invoke({"number": number})
            stage.firehose.otherwise = OK
            emulator.shutdown()
        lines = stage.firehose.lines(STREAM)
        assert [line["record"] for line in lines if line["type"] == "function"] == [f"line {n}" for n in range(5)]
        assert [line["seq"] for line in lines] == list(range(len(lines)))
