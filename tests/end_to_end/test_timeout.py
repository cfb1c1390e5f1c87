"""A timeout explains itself; and nothing is armed, and no one wakes up, while nothing runs."""

from __future__ import annotations

import platform
import threading
from pathlib import Path

import pytest

from tests.end_to_end.harness import STREAM, Stage

SOURCE = """
    import threading, time
    def help_out(ended):
        ended.wait()
    def wait_for_the_database():
        time.sleep(30)
    def spin():
        while True:
            pass
    def handler(event, context):
        print("begun")
        threading.Thread(target=help_out, args=(threading.Event(),), name="helper", daemon=True).start()
        if "how" in event:
            globals()[event["how"]]()
"""


@pytest.mark.parametrize("how", ["wait_for_the_database", "spin"])
def test_a_timeout_tells_where_every_thread_was(stage: Stage, how: str) -> None:
    result = stage.run(SOURCE, [{"how": how}, {}], timeout_s=1)
    assert b"timed out" in result.responses[0].body
    assert result.responses[1].body == b"null"
    (warning,) = (line for line in result.lines if line["type"] == "firetee.timeoutWarning")
    begun = next(line for line in result.lines if line["record"] == "begun")
    assert warning["requestId"] == begun["requestId"]
    record = warning["record"]
    assert record["requestId"] == begun["requestId"]
    assert 0 < record["remainingMs"] <= 250
    stacks = {each["thread"]: each["stack"] for each in record["stacks"]}
    main = stacks["MainThread"]
    assert f"in {how}" in main.splitlines()[-2]
    assert "in handler" in main
    assert "in help_out" in stacks["helper"]
    assert len(stacks) == 2 + sum(name.startswith("ThreadPoolExecutor") for name in stacks)
    assert "firetee" not in str(sorted(stacks))


@pytest.mark.newest_python
def test_what_is_queued_goes_with_the_warning_before_the_process_is_killed(stage: Stage) -> None:
    """The sender need not wait for SIGTERM: the lines are there when the caller hears of the timeout."""
    with stage.environment(SOURCE, env={"FIRETEE_LINGER_MS": "60000"}, timeout_s=1) as emulator:
        emulator.invoke({"how": "wait_for_the_database"})
        types = [line["type"] for line in stage.firehose.lines(STREAM)]
        first = stage.firehose.calls[0]
    assert "firetee.timeoutWarning" in types
    assert types.count("function") == 1
    assert first.taken == first.records


@pytest.mark.newest_python
def test_an_invocation_in_time_warns_of_nothing(stage: Stage) -> None:
    result = stage.run(SOURCE, [{}, {}], timeout_s=1)
    assert "firetee.timeoutWarning" not in [line["type"] for line in result.lines]


@pytest.mark.newest_python
def test_without_platform_events_there_is_no_warning(stage: Stage) -> None:
    result = stage.run(SOURCE, [{"how": "wait_for_the_database"}], timeout_s=1, env={"FIRETEE_EVENTS": "function"})
    assert {line["type"] for line in result.lines} == {"function"}


#: The time-outs that stand for none, of a thread asleep in `poll` or, from Python 3.15 on, `ppoll`, by the number of
#: the system call. The time-out is the third argument of both; see proc(5).
POLL = {
    "x86_64": {"7": {"0xffffffff", "0xffffffffffffffff"}, "271": {"0x0"}},
    "aarch64": {"73": {"0x0"}},
}


def sleeps_for_ever_in_poll(task: Path) -> bool:
    number, *arguments = (task / "syscall").read_text().split()
    return len(arguments) > 2 and arguments[2] in POLL[platform.machine()].get(number, ())


@pytest.mark.parametrize("flush", ["before-return", "batched"])
def test_between_invocations_the_sender_sleeps_without_a_time_out(stage: Stage, flush: str) -> None:
    source = """
        import _thread, sys, threading
        def handler(event, context):
            known = {thread.ident for thread in threading.enumerate()}
            return len(set(sys._current_frames()) - known)
    """
    env = {"FIRETEE_LINGER_MS": "1", "FIRETEE_BATCH_AGE_MS": "1", "FIRETEE_FLUSH": flush}
    with stage.environment(source, env=env) as emulator:
        answer = emulator.invoke({})
        assert answer.body == b"1"  # the sender is the one thread that `threading` does not know
        tasks = Path(f"/proc/{emulator.runs[-1].pid}/task")
        tick = threading.Event()
        for _ in range(500):
            if any(sleeps_for_ever_in_poll(task) for task in tasks.iterdir()):
                break
            tick.wait(0.01)  # it may just be on its way there
        else:
            pytest.fail("the sender's thread does not come to rest")
