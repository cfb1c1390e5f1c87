"""Lifecycle stories: what is done with the lines at each step of a runtime process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import monotonic, time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from log_capture.envelope.lines import Assembler
from tests.fakes.runtime import Invocation
from wrapper.config import Config
from wrapper.lifecycle import Lifecycle
from wrapper.messages import Messages
from wrapper.telemetry import PlatformEvents


class FakeShipper:
    """Notes what it is asked; `urgent` and `empty` are the test's to set."""

    def __init__(self, story: list[str]) -> None:
        self._story = story
        self.urgent = True
        self.empty = True
        self.waited_s = 0.0
        self.deadlines: list[float] = []
        self.resumed: list[tuple[float, float]] = []  # when to warn, until when to send
        self.drained: list[float] = []
        self.lingers: list[float] = []

    def flush(self, deadline: float) -> bool:
        self._story.append("flush")
        self.deadlines.append(deadline)
        return True

    def resume(self, warn_at: float, send_until: float) -> None:
        self._story.append("resume")
        self.resumed.append((warn_at, send_until))

    def pause(self, deadline: float) -> None:
        self._story.append("pause")

    def drain(self, seconds: float) -> bool:
        self._story.append("drain")
        self.drained.append(seconds)
        return True

    def send_freely(self, linger_s: float) -> None:
        self._story.append("linger")
        self.lingers.append(linger_s)


class FakeCapture:
    """The face of `Capture` that the lifecycle sees; tells the story of what it was asked."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.events: list[tuple[str, Any]] = []
        self.outcomes: list[tuple[str, dict[str, Any]]] = []
        self.shipper = FakeShipper(self.story)
        self.journal = SimpleNamespace(backlog=0)
        self.wait_until = 0.0
        self.threads: list[int] = []

    def set_context(self, fragment: str) -> None:
        self.story.append(f"context {fragment}")

    def event(self, kind: str, record: str) -> None:
        self.story.append(kind)
        self.events.append((kind, json.loads(record)))

    def look_for_unseen(self) -> None:
        pass

    def look_after_journal(self) -> None:
        self.story.append("look after the journal")

    def cut(self) -> None:
        self.story.append("cut")

    def conclude(self, status: str, **how: object) -> None:
        self.outcomes.append((status, how))

    def prepare(self, seconds: float) -> None:
        self.story.append("prepare")

    def renew(self, *, forked: bool) -> None:
        self.story.append("renew")

    def statistics(self) -> dict[str, float]:
        return {"lines": 1}

    def close(self) -> None:
        self.story.append("close")


class Play:
    """One runtime process, step by step."""

    def __init__(self, **variables: str) -> None:
        config = Config.from_environ({"FIRETEE_STREAM": "logs", **variables})
        self.capture = FakeCapture()
        self.said: list[str] = []
        messages = Messages("WARNING", -1)
        messages.also(self.said.append)
        events = PlatformEvents({}) if "platform" in config.events else None
        self.lifecycle = Lifecycle(config, self.capture, events, messages)  # type: ignore[arg-type]

    @property
    def story(self) -> list[str]:
        """What was done since the last look."""
        told = list(self.capture.story)
        self.capture.story.clear()
        return told

    def call(self, around: Callable[..., Any], name: str, result: object = None, *args: object) -> Any:
        """The runtime client calls a method that is wrapped."""

        def wrapped(*given: object) -> object:
            assert given == args
            self.capture.story.append(name)
            return result

        return around(wrapped, None, args, {})

    def next(self, request_id: str = "r1", left_s: float = 60.0, **more: Any) -> None:
        invocation = Invocation(request_id, int((time() + left_s) * 1000), **more)
        assert self.call(self.lifecycle.around_next, "<next>", invocation) is invocation

    def answer(self, result: str = "{}") -> None:
        self.call(self.lifecycle.around_result, "<result>", None, "r1", result)


def test_a_cold_and_a_warm_invocation() -> None:
    play = Play()
    play.lifecycle.init_starts()
    assert play.story == ['context ,"coldStart":true', "platform.initStart"]
    play.next("r1")
    assert play.story == [
        "platform.initRuntimeDone",
        "prepare",
        "pause",
        "<next>",
        "look after the journal",
        'context ,"requestId":"r1","coldStart":true',
        "platform.start",
        "resume",
    ]
    play.answer()
    assert play.story == ["cut", "flush", "<result>"], "in Firehose before the caller has the response"
    play.capture.shipper.urgent = False
    play.next("r2", tenant_id="blue")
    assert play.story == [
        "platform.runtimeDone",
        "platform.report",
        "pause",
        "<next>",
        "look after the journal",
        'context ,"requestId":"r2","tenantId":"blue"',
        "platform.start",
        "resume",
    ]


def test_the_lines_of_an_invocation_have_its_trace_and_its_attempt() -> None:
    play = Play()
    traceparent = f"00-{'a' * 32}-{'b' * 16}-00"
    play.next("r1", invocation_id="a-1", client_context=f'{{"w3c":{{"traceparent":"{traceparent}"}}}}')
    ids = f',"traceId":"{"a" * 32}","spanId":"{"b" * 16}","sampled":false,"invocationId":"a-1"'
    assert f'context ,"requestId":"r1"{ids},"coldStart":true' in play.story


def test_the_lines_of_a_durable_execution_s_invocation_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_durable_execution_sdk_python", ModuleType("aws_durable_execution_sdk_python"))
    play = Play()
    state = '{"Operations":[{"Type":"EXECUTION"}]}'
    play.next(event_body=f'{{"DurableExecutionArn":"arn:1","CheckpointToken":"t","InitialExecutionState":{state}}}')
    ids = ',"durableExecutionArn":"arn:1","durableFirstInvocation":true'
    assert f'context ,"requestId":"r1"{ids},"coldStart":true' in play.story


def test_without_platform_events_none_are_written() -> None:
    play = Play(FIRETEE_EVENTS="function")
    play.lifecycle.init_starts()
    play.next()
    play.answer()
    play.next()
    assert play.capture.events == []
    assert "flush" in play.story


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [("before-return", 1, 0), ("after-return", 0, 1), ("batched", 0, 0)],
)
def test_each_mode_flushes_where_it_says(mode: str, before: int, after: int) -> None:
    play = Play(FIRETEE_FLUSH=mode)
    play.next()
    play.answer()
    told = play.story
    assert told[told.index("<next>") :].count("flush") == before
    play.capture.shipper.urgent = mode == "after-return"
    play.next()
    told = play.story
    assert told[: told.index("<next>")].count("flush") == after


def test_batched_flushes_when_enough_waits() -> None:
    play = Play(FIRETEE_FLUSH="batched", FIRETEE_BATCH_BYTES="1000")
    for backlog, flushes in ((999, 0), (1000, 1)):
        play.next()
        play.answer()
        play.capture.journal.backlog = backlog
        play.capture.story.clear()
        play.next()
        assert play.story.count("flush") == flushes


def test_a_handler_that_raises_is_flushed_before_its_error_is_posted() -> None:
    play = Play()
    play.next()
    error = json.dumps({"errorType": "KeyError", "errorMessage": "'x'"})
    play.call(play.lifecycle.around_error, "<error>", None, "r1", error)
    assert play.story[-3:] == ["cut", "flush", "<error>"]
    play.next()
    done = dict(play.capture.events)["platform.runtimeDone"]
    assert (done["status"], done["errorType"]) == ("error", "KeyError")


def test_an_init_that_fails_is_flushed_before_its_error_is_posted() -> None:
    play = Play()
    play.lifecycle.init_starts()
    play.call(play.lifecycle.around_init_error, "<init error>", None, {"errorType": "Runtime.ImportModuleError"})
    assert play.story[-4:] == ["platform.initRuntimeDone", "cut", "flush", "<init error>"]
    assert play.capture.events[-1][1]["errorType"] == "Runtime.ImportModuleError"


def test_the_size_of_a_response_is_counted_in_bytes() -> None:
    play = Play()
    play.next()
    play.answer('"é"')
    play.next()
    assert dict(play.capture.events)["platform.runtimeDone"]["metrics"]["producedBytes"] == 4


@pytest.mark.parametrize(
    ("left_s", "timeout_ms", "most_s"), [(60.0, "2000", 2.0), (1.0, "2000", 0.8), (0.1, "50", 0.0)]
)
def test_no_wait_goes_beyond_the_flush_timeout_nor_the_deadline_s_margin(
    left_s: float, timeout_ms: str, most_s: float
) -> None:
    play = Play(FIRETEE_FLUSH_TIMEOUT_MS=timeout_ms)
    play.next(left_s=left_s)
    play.answer()
    assert play.capture.shipper.deadlines[0] - monotonic() <= most_s + 0.001


def test_what_was_waited_for_is_taken_off_the_rest_of_the_invocation_s_budget() -> None:
    play = Play()
    play.next()
    play.capture.shipper.waited_s += 1.5
    play.answer()
    assert play.capture.shipper.deadlines[0] - monotonic() <= 0.501


def test_how_an_invocation_ended_is_noted_once_and_before_its_flush() -> None:
    play = Play()
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    play.next("r1", client_context=f'{{"w3c":{{"traceparent":"{traceparent}"}}}}')
    play.answer()
    play.next("r2")
    play.call(play.lifecycle.around_error, "<error>", None, "r2", '{"errorType": "ValueError"}')
    play.next("r3")
    play.answer()
    assert [(status, how["request_id"], how["cold"], how["sampled"]) for status, how in play.capture.outcomes] == [
        ("success", "r1", True, True),
        ("error", "r2", False, None),
        ("success", "r3", False, None),
    ]
    assert all(0 <= how["duration_ms"] < 60_000 for _, how in play.capture.outcomes)


def test_sigterm_drains_and_says_that_an_invocation_timed_out() -> None:
    play = Play()
    play.next(left_s=0.1)
    play.capture.story.clear()
    play.lifecycle.terminate()
    assert play.story == ["cut", "platform.runtimeDone", "platform.report", "drain"]
    assert dict(play.capture.events)["platform.runtimeDone"]["status"] == "timeout"
    ((status, how),) = play.capture.outcomes
    assert (status, how["cold"]) == ("timeout", True)


def test_sigterm_between_invocations_just_drains() -> None:
    play = Play()
    play.lifecycle.terminate()
    assert play.story == ["cut", "drain"]
    assert play.capture.outcomes == [("end", {})]


def test_an_exit_flushes_and_closes() -> None:
    play = Play()
    play.next()
    play.capture.story.clear()
    play.lifecycle.exit()
    assert play.story == ["cut", "flush", "close"]


def test_a_snapshot_is_taken_with_nothing_left_to_send_and_restored_as_an_environment_of_its_own() -> None:
    play = Play()
    play.lifecycle.init_starts()
    play.capture.story.clear()
    play.call(play.lifecycle.around_restore, "<restore>")
    assert play.story == [
        "platform.initRuntimeDone",
        "prepare",
        "pause",
        "cut",
        "flush",
        "pause",
        "<restore>",
        "renew",
        'context ,"coldStart":true',
        "platform.restoreStart",
    ]
    play.next()
    assert play.story[:2] == ["platform.restoreRuntimeDone", "<next>"]


def test_what_led_to_a_failed_restore_is_sent_before_the_runtime_reports_it() -> None:
    play = Play()
    play.lifecycle.init_starts()
    play.call(play.lifecycle.around_restore, "<restore>")
    play.capture.story.clear()
    play.call(play.lifecycle.around_restore_error, "<restore error>", None, '{"errorType": "KeyError"}')
    assert play.story == ["platform.restoreRuntimeDone", "cut", "flush", "<restore error>"]
    _, done = play.capture.events[-1]
    assert (done["status"], done["errorType"]) == ("error", "KeyError")


@pytest.mark.parametrize(("left_s", "before_s"), [(60, 0.25), (2.5, 0.25), (1, 0.1)])
def test_a_timeout_is_warned_of_with_a_tenth_of_the_time_left_and_a_quarter_of_a_second_at_most(
    left_s: float, before_s: float
) -> None:
    play = Play()
    play.next(left_s=left_s)
    ((warn_at, send_until),) = play.capture.shipper.resumed
    assert send_until - warn_at == pytest.approx(before_s, rel=0.2)
    assert send_until - monotonic() <= left_s


def test_the_warning_of_a_timeout_has_the_time_left_and_the_stacks() -> None:
    play = Play()
    play.next(left_s=5)
    play.lifecycle.warn_of_timeout()
    kind, record = play.capture.events[-1]
    assert kind == "firetee.timeoutWarning"
    assert 4000 < record["remainingMs"] <= 5000
    assert record["requestId"] == "r1"
    assert "warn_of_timeout" in record["stacks"][0]["stack"]


def test_a_bug_in_any_step_is_told_and_the_client_s_method_is_called_once_all_the_same() -> None:
    play = Play()

    def bug(*args: object) -> None:
        Assembler().feed([None])  # type: ignore[list-item]

    for name in ("cut", "set_context", "event", "prepare"):
        setattr(play.capture, name, bug)
    play.next()
    play.answer()
    play.next()
    assert [step for step in play.story if step.startswith("<")] == ["<next>", "<result>", "<next>"]
    assert play.said
    assert all("internal error" in text for text in play.said)


def test_what_the_client_s_method_raises_passes_on() -> None:
    play = Play()

    def refused(*args: object) -> None:
        raise ConnectionError("the runtime API is gone")

    for around in (play.lifecycle.around_next, play.lifecycle.around_result, play.lifecycle.around_error):
        with pytest.raises(ConnectionError):
            around(refused, None, (), {})


@pytest.mark.parametrize("error", ["no JSON", "", "[1, 2]", '"text"', "{"])
def test_an_error_that_is_not_the_usual_json_is_posted_without_a_word_from_us(error: str) -> None:
    play = Play()
    play.next()
    play.call(play.lifecycle.around_error, "<error>", None, "r1", error)
    play.next()
    assert play.said == []
    done = dict(play.capture.events)["platform.runtimeDone"]
    assert done["status"] == "error"
    assert "errorType" not in done


def test_while_lines_flow_platform_events_have_no_request_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """They ride with the next invocation's lines: so the oldest of what waits is never older than one invocation."""
    now = [1000.0]
    monkeypatch.setattr("wrapper.lifecycle.time", lambda: now[0])
    play = Play(FIRETEE_BATCH_AGE_MS="10000")
    shipper, event = play.capture.shipper, play.capture.event

    def wait_for_the_next_flush(kind: str, record: str) -> None:
        shipper.empty = False
        event(kind, record)

    play.capture.event = wait_for_the_next_flush  # type: ignore[method-assign]
    for _ in range(30):
        play.next()
        told = play.story
        assert "flush" not in told[: told.index("<next>")]
        shipper.urgent = True
        play.answer()
        shipper.urgent, shipper.empty = False, True  # all was sent with the lines
        assert "flush" in play.story
        now[0] += 1
