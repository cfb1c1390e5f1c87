"""Firehose is gone for a while, or hangs: it costs one budget, then next to nothing, and afterwards nothing is lost."""

from __future__ import annotations

from statistics import median

import pytest

from log_capture.sending.retry import FIRST_PROBE_S
from log_capture.sending.shipper import PROBE_WAIT_S
from tests.end_to_end.complete import arrived, invoke_until, once, texts
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import OK, Firehose, Step

SOURCE = """
    def handler(event, context):
        if "number" in event:
            print("line", event["number"])
        return "answered"
"""

BUDGET_MS = 500
INVOCATIONS = 40
#: Most that the median of an invocation may grow by while Firehose hangs, in seconds: a few milliseconds, and as much
#: again for the noise of a machine that runs other tests beside this one.
FEW_MS = 0.008

pytestmark = pytest.mark.newest_python


@pytest.mark.parametrize("client", ["direct", "boto3"])
def test_forty_invocations_beside_a_hanging_firehose_cost_one_budget_and_what_waited_arrives_at_the_first_probe(
    stage: Stage, client: str
) -> None:
    env = {"FIRETEE_FLUSH_TIMEOUT_MS": str(BUDGET_MS), "FIRETEE_CLIENT": client}
    with stage.environment(SOURCE, env=env) as emulator:
        healthy = [emulator.invoke({"number": number}).seconds for number in range(INVOCATIONS)][1:]
        stage.firehose.otherwise = Step("hang")
        answers = [emulator.invoke({"number": INVOCATIONS + number}) for number in range(INVOCATIONS)]
        assert {answer.body for answer in answers} == {b'"answered"'}
        probes = sum(call.outcome in ("hang", "hanging") for call in stage.firehose.calls) - 1
        later = [answer.seconds for answer in answers[1:]]
        assert answers[0].seconds >= BUDGET_MS / 1000
        assert median(later) < median(healthy) + FEW_MS

        stage.firehose.otherwise = OK
        stage.firehose.release()
        wanted = [f"line {number}" for number in range(2 * INVOCATIONS)]
        seconds = invoke_until(emulator, lambda: arrived(stage.firehose.lines(STREAM), wanted))
        emulator.shutdown()
    lines = once(stage.firehose.lines(STREAM))
    waited = [line["record"]["firetee"].get("waitedMs", 0) for line in lines if line["type"] == "platform.report"]
    hung = sum(waited[INVOCATIONS : 2 * INVOCATIONS])
    # What firetee says that they waited: the budget, and a little for each probe. On a machine as fast as Lambda's
    # forty invocations are over before the first probe is due.
    assert BUDGET_MS <= hung <= BUDGET_MS * 1.4 + probes * PROBE_WAIT_S * 1000 * 1.4
    assert seconds <= FIRST_PROBE_S * 2 ** max(0, probes) + PROBE_WAIT_S + 1.0
    assert texts(lines) == wanted


def test_lines_written_while_nothing_listens_at_all_arrive_when_firehose_is_back(stage: Stage) -> None:
    with Firehose([STREAM]) as before:
        env = {"AWS_ENDPOINT_URL_FIREHOSE": before.url, "FIRETEE_FLUSH_TIMEOUT_MS": "200"}
        with stage.environment(SOURCE, env=env) as emulator:
            emulator.invoke({"number": 0})
            before.stop()
            for number in range(1, 10):
                assert emulator.invoke({"number": number}).body == b'"answered"'
            with Firehose([STREAM], port=before.port) as after:
                wanted = [f"line {number}" for number in range(1, 10)]
                invoke_until(emulator, lambda: arrived(after.lines(STREAM), wanted))
                emulator.shutdown()
            assert texts(before.lines(STREAM) + after.lines(STREAM)) == ["line 0", *wanted]
    assert [line for line in emulator.stderr.decode().splitlines() if "[firetee]" in line and "line" in line]


def test_a_handler_that_ends_close_to_its_deadline_is_answered_in_time(stage: Stage) -> None:
    stage.firehose.otherwise = Step("hang")
    source = """
        import time
        def handler(event, context):
            print("late")
            while context.get_remaining_time_in_millis() > 800:
                time.sleep(0.01)
            return "answered"
    """
    with stage.environment(source, env={"FIRETEE_FLUSH_TIMEOUT_MS": "60000"}, timeout_s=2) as emulator:
        assert emulator.invoke({}).body == b'"answered"'
