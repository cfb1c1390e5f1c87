"""Invocation, death, next invocation: every line is in Firehose exactly once, and the sequence has no gap."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.complete import once
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import OK, Step

#: Nothing goes out before the end of an invocation: what a dead one wrote can only come from its journal.
PATIENT = {"FIRETEE_LINGER_MS": "60000"}

SOURCE = """
    import ctypes, logging, os, signal, sys, threading, time

    def grow_until_killed():
        # The emulator has no memory limit. This is what the kernel does at Lambda's: SIGKILL in the middle of an
        # allocation, once the resident memory passes a limit.
        kept = []
        while True:
            kept.append(bytearray(b"x" * (4 << 20)))
            resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            if resident > 160 << 20:
                os.kill(os.getpid(), signal.SIGKILL)

    def in_a_thread(die):
        thread = threading.Thread(target=die)
        thread.start()
        thread.join()

    def fail():
        raise ValueError("in a thread")

    DEATHS = {
        "os._exit": lambda: os._exit(1),
        "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "segfault": lambda: ctypes.string_at(0),
        "abort": os.abort,
        "out of memory": grow_until_killed,
        "sys.exit": lambda: sys.exit(1),
        "os._exit in a thread": lambda: in_a_thread(lambda: os._exit(1)),
        "exception in a thread": lambda: in_a_thread(fail),
        "time.sleep": lambda: time.sleep(30),
        "busy loop": lambda: [None for _ in iter(int, 1)],
    }

    def handler(event, context):
        for number in range(20):
            print("line", event["number"], number)
        logging.getLogger().warning("logged %s", event["number"])
        print("last words", event["number"], end=event.get("end", "\\n"))
        if "death" in event:
            DEATHS[event["death"]]()
        return event["number"]
"""

#: Deaths that Lambda itself brings about, at the end of the function's time.
TIMEOUTS = ("time.sleep", "busy loop")


def expected(numbers: Sequence[int]) -> Counter[str]:
    lines = [f"line {number} {line}" for number in numbers for line in range(20)]
    return Counter(lines + [f"last words {number}" for number in numbers])


def printed(lines: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(line["record"] for line in lines if line.get("stream") == "stdout")


def assert_whole(lines: Sequence[dict[str, Any]]) -> None:
    """In every environment the numbers go from 0 on without a gap, and none comes twice."""
    for environment in {line["environment"] for line in lines}:
        numbers = [line["seq"] for line in lines if line["environment"] == environment]
        assert numbers == list(range(len(numbers)))


def without_repetitions(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each line once; two that have the same number must be the same."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in lines:
        assert found.setdefault((line["environment"], line["seq"]), line) == line
    return sorted(found.values(), key=lambda line: int(line["seq"]))


@pytest.mark.newest_python
@pytest.mark.parametrize("death", ["os._exit", "SIGKILL", "segfault", "out of memory"])
def test_every_line_is_there_exactly_once_after(stage: Stage, death: str) -> None:
    assert_survives(stage, death)


@pytest.mark.parametrize("death", ["sys.exit", "exception in a thread", *TIMEOUTS])
def test_every_line_is_there_exactly_once_on_every_python_after(stage: Stage, death: str) -> None:
    assert_survives(stage, death)


def assert_survives(stage: Stage, death: str) -> None:
    events = [{"number": 1}, {"number": 2, "death": death}, {"number": 3}]
    result = stage.run(SOURCE, events, env=PATIENT, timeout_s=1 if death in TIMEOUTS else 10)
    assert printed(result.lines) == expected([1, 2, 3])
    assert sum("logged" in str(line["record"]) for line in result.lines if line.get("stream") == "log") == 3
    assert_whole(result.lines)
    assert result.responses[0].body == b"1"
    assert result.responses[2].body == b"3"
    assert len({line["environment"] for line in result.lines}) == len(result.exits)
    if death != "exception in a thread":
        assert len(result.exits) == 2
    dead = next(line["requestId"] for line in result.lines if line["record"] == "line 2 0")
    assert {line["requestId"] for line in result.lines if str(line["record"]).startswith("line 2")} == {dead}
    assert dead != next(line["requestId"] for line in result.lines if line["record"] == "line 3 0")


@pytest.mark.newest_python
@pytest.mark.parametrize("death", ["abort", "os._exit in a thread"])
def test_every_line_is_there_exactly_once_after_rarer_deaths(stage: Stage, death: str) -> None:
    result = stage.run(SOURCE, [{"number": 1, "death": death}, {"number": 2}], env=PATIENT)
    assert printed(result.lines) == expected([1, 2])
    assert_whole(result.lines)


@pytest.mark.newest_python
@pytest.mark.parametrize("death", ["os._exit", "segfault"])
def test_a_line_without_an_end_survives_too(stage: Stage, death: str) -> None:
    result = stage.run(SOURCE, [{"number": 1, "death": death, "end": ""}, {"number": 2}], env=PATIENT)
    assert printed(result.lines) == expected([1, 2])


@pytest.mark.newest_python
def test_one_death_after_the_other_loses_nothing_and_leaves_no_file(stage: Stage) -> None:
    events = [{"number": number, "death": "os._exit"} for number in range(4)]
    with stage.environment(SOURCE, env=PATIENT) as emulator:
        for event in [*events, {"number": 4}]:
            emulator.invoke(event)
        left = [path.name for path in emulator.tmp.iterdir()]
        emulator.shutdown()
    # A process may die while it sends what an earlier one left, before it hears that it was taken: then the next one
    # sends it again, under the same numbers.
    lines = without_repetitions(stage.firehose.lines(STREAM))
    assert printed(lines) == expected(range(5))
    assert_whole(lines)
    assert len(left) == 1  # the living one


@pytest.mark.newest_python
def test_an_import_that_kills_loses_nothing(stage: Stage) -> None:
    source = """
        import os
        print("about to import")
        if not os.path.exists(os.environ["TMPDIR"] + "/again"):
            open(os.environ["TMPDIR"] + "/again", "w").close()
            os._exit(1)
        def handler(event, context): pass
    """
    result = stage.run(source, [{}, {}], env=PATIENT)
    assert result.records().count("about to import") == len(result.exits)
    assert_whole(result.lines)


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after a while"])
@pytest.mark.newest_python
def test_a_function_that_always_dies_at_import_is_heard_all_the_same(stage: Stage, late: bool) -> None:
    """No invocation ever begins. What one start leaves is sent while a later one imports."""
    source = f"""
        import os, time
        print("about to import")
        until = time.monotonic() + {0.5 * late}
        while time.monotonic() < until: pass
        os._exit(1)
    """
    with stage.environment(source, env=PATIENT) as emulator:
        for _ in range(4):
            emulator.invoke({})
        starts = len(emulator.exits)
    found = [line for line in once(stage.firehose.lines(STREAM)) if line["type"] == "function"]
    assert [line["record"] for line in found] == ["about to import"] * len(found)
    assert len(found) >= starts - (1 if late else 2)


@pytest.mark.newest_python
def test_lines_that_firehose_has_already_are_not_sent_again(stage: Stage) -> None:
    source = """
        import os, sys
        def wait():
            open(os.environ["TMPDIR"] + "/gate").read()
        def handler(event, context):
            if event:
                print("delivered before the crash")
                print("begun but", end="")
                wait()  # until the test has seen the first line in Firehose
                print("the next call", file=sys.stderr)
                wait()  # until it has seen this: so the answer to the call before was read and noted
                print(" not ended")
                os._exit(1)
    """
    with stage.environment(source, env={"FIRETEE_LINGER_MS": "10"}) as emulator:
        os.mkfifo(emulator.tmp / "gate")
        caller = threading.Thread(target=emulator.invoke, args=({"die": True},))
        caller.start()
        try:
            for seen in (b"before the crash", b"the next call"):
                stage.firehose.wait_until(lambda seen=seen: any(seen in r for r in stage.firehose.records(STREAM)))
                (emulator.tmp / "gate").write_text("go on")
        finally:
            caller.join()
        emulator.invoke({})
        emulator.shutdown()
    texts = [line["record"] for line in stage.firehose.lines(STREAM) if line["type"] == "function"]
    assert texts.count("delivered before the crash") == 1
    assert set(texts) == {"delivered before the crash", "the next call", "begun but not ended"}
    assert_whole(without_repetitions(stage.firehose.lines(STREAM)))  # the answer to the newest call may be unread


@pytest.mark.newest_python
def test_what_a_dead_process_left_waits_until_firehose_is_back(stage: Stage) -> None:
    env = {**PATIENT, "FIRETEE_FLUSH_TIMEOUT_MS": "100"}
    with stage.environment(SOURCE, env=env) as emulator:
        stage.firehose.otherwise = Step("server_error")
        emulator.invoke({"number": 1, "death": "os._exit"})
        emulator.invoke({"number": 2, "death": "os._exit"})
        emulator.invoke({"number": 3})
        assert stage.firehose.records(STREAM) == []
        stage.firehose.otherwise = OK
        emulator.shutdown()
    assert printed(stage.firehose.lines(STREAM)) == expected([1, 2, 3])
    assert_whole(stage.firehose.lines(STREAM))


@pytest.mark.newest_python
def test_environments_that_share_a_folder_leave_each_others_living_journals_alone(stage: Stage, tmp_path: Path) -> None:
    env = {**PATIENT, "FIRETEE_FLUSH": "batched", "FIRETEE_JOURNAL_DIR": str(tmp_path)}
    with stage.environment(SOURCE, env=env) as one, stage.environment(SOURCE, env=env) as other:
        one.invoke({"number": 1})
        other.invoke({"number": 2})
        other.shutdown()
        assert printed(stage.firehose.lines(STREAM)) == expected([2])
        one.invoke({"number": 3})
        one.shutdown()
    assert printed(stage.firehose.lines(STREAM)) == expected([1, 2, 3])
    assert_whole(stage.firehose.lines(STREAM))


@pytest.mark.newest_python
def test_without_a_usable_folder_lines_are_kept_in_memory_and_one_line_says_so(stage: Stage) -> None:
    env = {"FIRETEE_JOURNAL_DIR": "/proc/nowhere"}
    result = stage.run(SOURCE, [{"number": 1}, {"number": 2}], env=env)
    assert printed(result.lines) == expected([1, 2])
    (message,) = result.stderr.decode().splitlines()
    assert message.startswith("[firetee] no journal in '/proc/nowhere' (")
    assert "FIRETEE_JOURNAL_DIR" in message


@pytest.mark.newest_python
def test_files_that_others_prepared_are_neither_followed_nor_read(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    folder.mkdir()
    (tmp_path / "target").write_bytes(b"precious")
    for number in range(4):
        (folder / f".firetee-{number}").mkdir(0o700)
    journals = [folder / f".firetee-{number}" / "journal" for number in range(4)]
    journals[0].symlink_to(tmp_path / "target")
    journals[1].write_bytes(b"firetee1" + bytes(20000))
    journals[1].chmod(0o666)
    os.mkfifo(journals[2], 0o600)
    journals[3].write_bytes(b"not a journal")
    journals[3].chmod(0o600)
    result = stage.run(SOURCE, [{"number": 1}], env={"FIRETEE_JOURNAL_DIR": str(folder)})
    assert printed(result.lines) == expected([1])
    assert (tmp_path / "target").read_bytes() == b"precious"
    messages = result.stderr.decode().splitlines()
    assert len(messages) == 4
    assert all(message.startswith("[firetee] the ") for message in messages)
    assert sorted(path.name for path in folder.iterdir() if len(path.name) < 20) == [
        ".firetee-0",
        ".firetee-1",
        ".firetee-2",
        ".firetee-3.damaged",
    ]


@pytest.mark.newest_python
def test_the_journal_is_the_users_own_and_holds_no_secret(stage: Stage) -> None:
    env = {"FIRETEE_FLUSH": "batched", "SECRET": "do not tell"}
    with stage.environment(SOURCE, env=env) as emulator:
        emulator.invoke({"number": 1})
        (journal,) = emulator.tmp.glob(".firetee-*/journal")
        assert journal.stat().st_mode & 0o7777 == 0o600
        assert journal.parent.stat().st_mode & 0o7777 == 0o700
        content = journal.read_bytes()
    assert b"last words 1" in content
    assert b"do not tell" not in content
    assert b"AQoDYXdzEPT" not in content
