"""More is written than can be sent: memory stays bounded, and what is not kept is counted and told."""

from __future__ import annotations

from typing import Any

import pytest

from firetee.emulator import Emulator
from tests.end_to_end.complete import arrived, invoke_until, once
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Step

SOURCE = """
    import resource
    def handler(event, context):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rest = "x" * event.get("size", 0)
        for number in range(event.get("lines", 0)):
            print(event["name"], number, rest)
        return {"id": context.aws_request_id, "grown": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before}
"""
KIB = 1024
BUFFER = 16 * 1024 * KIB  # the default
BUDGET_MS = 300
#: With the function's lines alone, what is dropped can be counted exactly.
SETTINGS = {"FIRETEE_FLUSH_TIMEOUT_MS": str(BUDGET_MS), "FIRETEE_EVENTS": "function"}
#: For what a busy machine adds, in seconds.
SLACK_S = 1.5

pytestmark = pytest.mark.newest_python


def written(lines: list[dict[str, Any]], name: str, size: int = 0) -> list[dict[str, Any]]:
    """Whole lines of this name. The one at which the journal was full may be there in part: it counts as dropped."""
    return [
        line
        for line in lines
        if line["type"] == "function" and line["record"].startswith(name + " ") and line["record"].endswith("x" * size)
    ]


def printed(emulator: Emulator) -> int:
    """How many lines the function wrote."""
    return emulator.stdout.count(b"\n")


def dropped(lines: list[dict[str, Any]]) -> tuple[int, int]:
    """Records and bytes that `platform.logsDropped` counts, in all."""
    notes = [line["record"] for line in lines if line["type"] == "platform.logsDropped"]
    return sum(note["droppedRecords"] for note in notes), sum(note["droppedBytes"] for note in notes)


def last_lines_arrive(stage: Stage, emulator: Emulator) -> None:
    """Invoke until a line arrives that was written after Firehose was back: the first ones may find no room either."""
    known = ["last 0 "]
    invoke_until(emulator, lambda: arrived(stage.firehose.lines(STREAM), known), event={"name": "last", "lines": 1})
    emulator.shutdown()


def test_a_function_that_writes_100_mb_beside_a_firehose_that_is_down_stays_within_its_buffer(stage: Stage) -> None:
    count, size = 25_000, 4_000
    stage.firehose.otherwise = Step("server_error")
    with stage.environment(SOURCE, env=SETTINGS, timeout_s=60) as emulator:
        flood: Any = emulator.invoke({"name": "flood", "lines": count, "size": size}).json()
        assert flood["grown"] * KIB < BUFFER + 16 * 1024 * KIB  # the mapped journal, and a block on its way out
        stage.firehose.heal()
        last_lines_arrive(stage, emulator)
    assert emulator.stdout.count(b"flood ") == count, "what CloudWatch gets is whole"

    lines = once(stage.firehose.lines(STREAM))
    kept = written(lines, "flood", size)
    assert len(kept) * size > 0.8 * BUFFER
    assert [line["record"].split()[1] for line in kept] == [str(number) for number in range(len(kept))]
    records, size_of_dropped = dropped(lines)
    assert records == printed(emulator) - len(kept) - len(written(lines, "last"))
    assert size_of_dropped >= (count - len(kept) - 1) * size
    assert {line["requestId"] for line in kept} == {flood["id"]}
    assert flood["id"] not in {line["requestId"] for line in written(lines, "last")}
    said = [line for line in emulator.stderr.decode().splitlines() if "is full and lines are dropped" in line]
    assert len(said) == 1
    assert "FIRETEE_BUFFER_BYTES" in said[0]


def test_with_block_a_slow_firehose_slows_the_function_down_and_nothing_is_dropped(stage: Stage) -> None:
    stage.firehose.latency_s = 0.01
    env = {"FIRETEE_OVERFLOW": "block", "FIRETEE_BUFFER_BYTES": "65536", "FIRETEE_FLUSH_TIMEOUT_MS": "20000"}
    with stage.environment(SOURCE, env=env, timeout_s=30) as emulator:
        emulator.invoke({"name": "much", "lines": 400, "size": 2000})
        emulator.shutdown()
    lines = once(stage.firehose.lines(STREAM))
    assert [line["record"].split()[1] for line in written(lines, "much")] == [str(number) for number in range(400)]
    assert dropped(lines) == (0, 0)


def test_with_block_a_firehose_that_is_down_holds_the_function_up_for_one_budget_only(stage: Stage) -> None:
    stage.firehose.otherwise = Step("hang")
    env = {**SETTINGS, "FIRETEE_OVERFLOW": "block", "FIRETEE_BUFFER_BYTES": "65536"}
    with stage.environment(SOURCE, env=env) as emulator:
        answer = emulator.invoke({"name": "much", "lines": 400, "size": 2000})
        assert answer.status == 200
        assert BUDGET_MS / 1000 <= answer.seconds < 2 * BUDGET_MS / 1000 + SLACK_S
        stage.firehose.heal()
        stage.firehose.release()
        last_lines_arrive(stage, emulator)
    lines = once(stage.firehose.lines(STREAM))
    lost = printed(emulator) - len(written(lines, "much", 2000)) - len(written(lines, "last"))
    assert lost > 0
    assert dropped(lines)[0] == lost


def test_a_progress_bar_beside_25_mb_of_lines_costs_none_of_them(stage: Stage) -> None:
    source = """
        import sys
        def handler(event, context):
            for number in range(25_000):
                if number % 100 == 0:
                    sys.stderr.write(f"\\r{number}")
                print("line", number, "x" * 1000)
            return number
    """
    with stage.environment(source, env={**SETTINGS, "FIRETEE_FLUSH_TIMEOUT_MS": "20000"}, timeout_s=60) as emulator:
        assert emulator.invoke({}).json() == 24_999
        before_the_end = stage.firehose.lines(STREAM)
        emulator.shutdown()
    lines = once(before_the_end)
    assert dropped(lines) == (0, 0)
    assert [line["record"].split()[1] for line in lines if line["stream"] == "stdout"] == [
        str(number) for number in range(25_000)
    ]
    (bar,) = [line["record"] for line in lines if line["stream"] == "stderr"]
    assert bar == "".join(f"\r{number}" for number in range(0, 25_000, 100))


@pytest.mark.parametrize("size", [1, 100_000])
def test_the_beginning_of_a_line_that_was_written_long_before_the_end_is_there_at_the_end(
    stage: Stage, size: int
) -> None:
    source = f"""
        import sys, time
        def handler(event, context):
            sys.stdout.write("begun" + "x" * {size})
            until = time.monotonic() + 0.3
            while time.monotonic() < until: pass
    """
    with stage.environment(source, env={**SETTINGS, "FIRETEE_LINGER_MS": "20"}) as emulator:
        emulator.invoke({})
        found = [line["record"] for line in stage.firehose.lines(STREAM)]
        emulator.shutdown()
    assert found == ["begun" + "x" * size]
