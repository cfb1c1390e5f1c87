"""Every way in which Firehose can fail, played to a function in the real emulator: nothing is lost."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from tests.end_to_end.complete import arrived, invoke_until, once, texts
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import EXPIRED_TOKEN, INVALID_ARGUMENT, NOT_FOUND, OK, Step, access_denied

SOURCE = """
    import os, signal, time
    def handler(event, context):
        for number in range(event.get("first", 0), event.get("last", 0)):
            print("line", number)
        time.sleep(event.get("pause", 0))
        if event.get("death") == "exit":
            os._exit(3)
        if event.get("death") == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return "answered"
"""

pytestmark = pytest.mark.newest_python


def messages(stderr: bytes) -> list[str]:
    """firetee's own lines on stderr."""
    return [line for line in stderr.decode().splitlines() if line.startswith("[firetee]")]


# ---- schedules made from a seed --------------------------------------------------------------------------------------

SCHEDULES = 24

#: Steps after which it is clear what was taken, and those after which it is not, each with a weight.
CLEAR = [
    *[OK] * 4,
    *[Step("throttle")] * 2,
    *[Step("partial", [0])] * 2,
    Step("partial", 0.5),
    Step("server_error"),
    Step("bad_gateway"),
    Step("close"),
    Step("drop"),
    access_denied(STREAM),
    EXPIRED_TOKEN,
]
UNCLEAR = [
    Step("reset_after"),
    Step("eof_after"),
    Step("hang", 0.5),
    Step("slow", 0.0002),
    Step("server_error", True),
    Step("garbage"),
    Step("no_http", b"SSH-2.0-nonsense\r\n"),
    Step("short"),
    Step("truncated"),
    Step("reset_before"),  # nothing is taken, but the client cannot know
]


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_after_any_schedule_of_faults_and_deaths_every_line_is_there(stage: Stage, seed: int) -> None:
    dice = random.Random(seed)
    unclear = dice.random() < 0.6
    script = [dice.choice(CLEAR + UNCLEAR if unclear else CLEAR) for _ in range(dice.randrange(4, 16))]
    deaths = dice.random() < 0.4
    env = {
        "FIRETEE_CLIENT": dice.choice(("direct", "direct", "boto3")),
        "FIRETEE_FLUSH": dice.choice(("before-return", "after-return", "batched")),
        "FIRETEE_COMPRESSION": dice.choice(("none", "gzip")),
        "FIRETEE_AGGREGATE": dice.choice(("true", "false")),
        "FIRETEE_FLUSH_TIMEOUT_MS": "300",
        "FIRETEE_LINGER_MS": dice.choice(("1", "1000")),
        "FIRETEE_BATCH_AGE_MS": "0",
    }
    events: list[dict[str, Any]] = []
    last = 0
    for _ in range(dice.randrange(3, 8)):
        event: dict[str, Any] = {"first": last, "last": last + dice.choice((1, 5, 700))}
        last = event["last"]
        event["pause"] = dice.choice((0, 0, 0.01))
        if deaths and dice.random() < 0.3:
            event["death"] = dice.choice(("exit", "kill"))
        events.append(event)
    stage.firehose.play(*script)
    wanted = Counter(f"line {number}" for number in range(last))

    with stage.environment(SOURCE, env=env) as emulator:
        for event in events:
            answer = emulator.invoke(event)
            assert "death" in event or answer.body == b'"answered"', f"seed {seed}: {answer}"
        stage.firehose.heal()
        invoke_until(emulator, lambda: arrived(stage.firehose.lines(STREAM), wanted))
        emulator.shutdown()
    lines = stage.firehose.lines(STREAM)
    assert Counter(texts(lines)) == wanted
    if not unclear and not deaths:
        assert len(lines) == len(once(lines)), f"seed {seed}: sent twice although every answer was clear"


# ---- refusals for good -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["direct", "boto3"])
@pytest.mark.parametrize(
    ("step", "remedy"),
    [
        (access_denied(STREAM), "grant the function's role firehose:PutRecordBatch on the stream logs"),
        (NOT_FOUND, "create the delivery stream logs"),
        (EXPIRED_TOKEN, "renew the function's credentials"),
        (INVALID_ARGUMENT, "check what the stream logs"),
    ],
    ids=["access denied", "no such stream", "expired credentials", "invalid argument"],
)
def test_a_refusal_is_said_once_with_its_remedy_and_heals_without_a_redeploy(
    stage: Stage, client: str, step: Step, remedy: str
) -> None:
    stage.firehose.otherwise = step
    with stage.environment(SOURCE, env={"FIRETEE_CLIENT": client}) as emulator:
        for number in range(6):
            answer = emulator.invoke({"first": number, "last": number + 1})
            assert answer.body == b'"answered"'
        said = messages(emulator.stderr)
        stage.firehose.otherwise = OK
        wanted = [f"line {number}" for number in range(6)]
        invoke_until(emulator, lambda: arrived(stage.firehose.lines(STREAM), wanted))
        assert emulator.exits == [None], "it healed in another process"
        assert messages(emulator.stderr) == said
    assert len(said) == 1
    assert remedy in said[0]


def test_a_record_that_firehose_never_takes_is_reported_and_does_not_hold_up_the_others(stage: Stage) -> None:
    stage.firehose.play(OK, Step("refuse", {1: "InvalidArgumentException"}))
    with stage.environment(SOURCE, env={"FIRETEE_AGGREGATE": "false"}) as emulator:
        emulator.invoke({"first": 0, "last": 3})
        seen = len(stage.firehose.lines(STREAM))
        emulator.invoke({"first": 3, "last": 6})
        emulator.invoke({})
        emulator.shutdown()
        (said,) = messages(emulator.stderr)
    lines = stage.firehose.lines(STREAM)
    numbers = {line["seq"] for line in lines}
    assert set(range(max(numbers) + 1)) - numbers == {seen + 1}  # the second record of the second call
    (note,) = (line["record"] for line in lines if line["type"] == "platform.logsDropped")
    assert note["droppedRecords"] == 1
    assert "InvalidArgumentException" in note["reason"]
    assert "never take" in said


# ---- several streams -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Step("hang"), NOT_FOUND, Step("throttle")], ids=["hangs", "is deleted", "throttles"])
def test_the_loss_of_one_of_several_streams_loses_no_line(stage: Stage, fault: Step) -> None:
    streams = ["a", "b", "c"]
    for stream in streams:
        stage.firehose.add_stream(stream)
    env = {"FIRETEE_STREAM": ",".join(streams), "FIRETEE_FLUSH_TIMEOUT_MS": "600"}

    def everything() -> list[Any]:
        return [line for stream in streams for line in stage.firehose.lines(stream)]

    with stage.environment(SOURCE, env=env) as emulator:
        emulator.invoke({"first": 0, "last": 1})
        (used,) = {call.stream for call in stage.firehose.calls}
        stage.firehose.always(fault, used)
        for number in range(1, 5):
            emulator.invoke({"first": number, "last": number + 1})
        wanted = [f"line {number}" for number in range(5)]
        invoke_until(emulator, lambda: arrived(everything(), wanted))
        emulator.shutdown()
    assert texts(everything()) == wanted
    others = {call.stream for call in stage.firehose.calls if call.outcome == "ok"} - {used}
    assert len(others) == 1, "once it has found a stream that works it stays there"
    said = messages(emulator.stderr)
    assert len(said) == (fault is NOT_FOUND), "what nobody needs to mend is not worth a line while another stream works"
    if said:
        assert f"create the delivery stream {used}" in said[0]
