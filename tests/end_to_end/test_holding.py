"""Lines that wait for their invocation's outcome: each reason on a real function, with deaths in between."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.harness import STREAM, Stage

pytestmark = pytest.mark.newest_python

HOLD = {"FIRETEE_HOLD": "below WARNING,unlevelled"}
SOURCE = """
    import logging, os, signal, time
    logging.getLogger().setLevel("DEBUG")
    print("init")
    def handler(event, context):
        print("held", event["n"])
        logging.info("held too %s", event["n"])
        logging.warning("sent %s", event["n"])
        if event.get("level"): logging.log(getattr(logging, event["level"]), "high %s", event["n"])
        if event.get("raise"): raise ValueError("bad")
        if event.get("sleep"): time.sleep(event["sleep"])
        if event.get("die"): os.kill(os.getpid(), signal.SIGKILL)
        print("last", event["n"])
"""


def sent(lines: list[dict[str, Any]]) -> list[str]:
    """The functions' lines in the order of their numbers, an error as its message."""
    found = sorted((line for line in lines if line["type"] == "function"), key=lambda line: line["seq"])
    return [
        record if isinstance(record, str) else str(record.get("errorMessage", record.get("message")))
        for record in (line["record"] for line in found)
    ]


def reports(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line["record"]["firetee"] for line in lines if line["type"] == "platform.report"]


def held(n: int) -> list[str]:
    return [f"held {n}", f"held too {n}", f"last {n}"]


@pytest.mark.parametrize("flush", ["before-return", "after-return", "batched"])
def test_lines_of_invocations_that_ended_well_are_not_sent_and_the_function_does_not_notice(
    stage: Stage, flush: str
) -> None:
    bare, teed = stage.both(
        SOURCE, [{"n": 1}, {"n": 2, "level": "ERROR"}, {"n": 3}], env={**HOLD, "FIRETEE_FLUSH": flush}, shutdown=True
    )
    assert (teed.stdout, len(teed.frames), teed.observed.responses) == (
        bare.stdout,
        len(bare.frames),
        bare.observed.responses,
    )
    assert sorted(sent(teed.lines)) == sorted(["sent 1", "sent 2", "high 2", *held(2), "sent 3"])
    assert [line["seq"] for line in teed.lines] == list(range(len(teed.lines)))
    told = reports(teed.lines)
    assert [each["released"] for each in told] == [None, "level:ERROR", None]
    assert [each["heldLines"] for each in told] == [4, 3, 3], "init belongs to the first"
    assert told[2]["heldBytes"] > 20


@pytest.mark.parametrize(
    ("release", "event", "released"),
    [
        ("error", {"n": 1, "raise": True}, "error"),
        ("error", {"n": 1, "level": "ERROR"}, None),
        ("cold", {"n": 1}, "cold"),
        ("slow:200", {"n": 1, "sleep": 0.25}, "slow:200"),
        ("slow:2000", {"n": 1}, None),
        ("level:WARNING", {"n": 1}, "level:WARNING"),
        ("level:CRITICAL", {"n": 1, "level": "ERROR"}, None),
        ("sample:1", {"n": 1}, "sample:1"),
        ("sample:0", {"n": 1}, None),
    ],
)
def test_each_reason_releases_what_was_held(
    stage: Stage, release: str, event: dict[str, Any], released: str | None
) -> None:
    lines = stage.run(SOURCE, [event], env={**HOLD, "FIRETEE_RELEASE": release}).lines
    (report,) = reports(lines)
    assert report["released"] == released
    assert ("held 1" in sent(lines)) == (released is not None)
    assert ("init" in sent(lines)) == (released is not None)
    assert "sent 1" in sent(lines)


@pytest.mark.parametrize("linger_ms", ["1", "60000"], ids=["some was sent before", "nothing was sent before"])
def test_what_a_killed_process_had_not_decided_is_sent_by_the_next_one(stage: Stage, linger_ms: str) -> None:
    with stage.environment(SOURCE, env={**HOLD, "FIRETEE_LINGER_MS": linger_ms}) as emulator:
        emulator.invoke({"n": 1})
        emulator.invoke({"n": 2, "sleep": 0.2, "die": True})
        emulator.invoke({"n": 3})
        lines = list({(line["environment"], line["seq"]): line for line in stage.firehose.lines(STREAM)}.values())
    dead = lines[0]["environment"]
    found = sent([line for line in lines if line["environment"] == dead])
    assert sorted(found) == ["held 2", "held too 2", "sent 1", "sent 2"]
    numbers = sorted(line["seq"] for line in lines if line["environment"] == dead)
    assert numbers == list(range(len(numbers)))
    assert sent([line for line in lines if line["environment"] != dead]) == ["sent 3"]


def test_an_invocation_that_times_out_is_sent_whole(stage: Stage) -> None:
    with stage.environment(SOURCE, timeout_s=1, env=HOLD) as emulator:
        emulator.invoke({"n": 1, "sleep": 5})
        emulator.invoke({"n": 2})
        lines = list({(line["environment"], line["seq"]): line for line in stage.firehose.lines(STREAM)}.values())
    assert {"init", "held 1", "held too 1", "sent 1", "sent 2"} <= set(sent(lines))
    assert "held 2" not in sent(lines)


def test_what_is_longer_than_half_the_journal_is_sent_rather_than_dropped(stage: Stage) -> None:
    source = """
        def handler(event, context):
            for number in range(20000):
                print("line", number)
    """
    env = {"FIRETEE_HOLD": "unlevelled", "FIRETEE_BUFFER_BYTES": "262144", "FIRETEE_OVERFLOW": "block"}
    lines = stage.run(source, [{}], env=env).lines
    assert not [line for line in lines if line["type"] == "platform.logsDropped"]
    found = sent(lines)
    assert found == [f"line {number}" for number in range(len(found))]
    assert 5000 < len(found) < 20000
    (report,) = reports(lines)
    assert (report["released"], report["heldLines"]) == ("early", 20000)


def test_a_child_that_the_function_forks_sends_what_it_writes(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            print("parent")
            pid = os.fork()
            if not pid:
                print("child")
                os._exit(0)
            os.waitpid(pid, 0)
    """
    lines = stage.run(source, [{}, {}], env={"FIRETEE_HOLD": "unlevelled"}).lines
    assert set(sent(lines)) == {"child"}


def test_what_another_thread_writes_belongs_to_the_invocation_that_runs(stage: Stage) -> None:
    source = """
        import logging, threading
        go, done = threading.Event(), threading.Event()
        def late():
            go.wait()
            print("between")
            done.set()
        threading.Thread(target=late, daemon=True).start()
        def handler(event, context):
            if event["n"] == 2:
                go.set()
                done.wait()
                logging.error("bad")
            print("in", event["n"])
    """
    lines = stage.run(source, [{"n": 1}, {"n": 2}, {"n": 3}], env={"FIRETEE_HOLD": "unlevelled"}).lines
    assert sent(lines) == ["bad", "between", "in 2"]


def table() -> list[tuple[str, list[str]]]:
    """The table of cases in docs/keeping.md."""
    text = (Path(__file__).parents[2] / "docs" / "keeping.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+)` \| (.*?) ?\|$", text[text.index("| handler |") :], re.MULTILINE)
    return [(code, re.findall(r"`([^`]+)`", cell)) for code, cell in rows]


@pytest.mark.parametrize(("code", "expected"), table(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_table_in_the_docs_is_what_happens(stage: Stage, code: str, expected: list[str]) -> None:
    source = f"""
        import logging
        logging.getLogger().setLevel("INFO")
        def handler(event, context):
            {code}
    """
    assert sent(stage.run(source, [{}], env=HOLD).lines) == expected


def test_the_table_in_the_docs_is_found() -> None:
    assert len(table()) == 5
    assert json.dumps(table()[0]) == '["print(\\"a\\"); logging.info(\\"b\\")", []]'
