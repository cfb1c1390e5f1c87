"""A signal handler that raises, at any place of ours, leaves no lock locked and loses no line."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from firetee import runtimes
from log_capture.process.signal_lock import SignalLock

ALARMS = Path(__file__).parents[1] / "alarms.py"
ROOT = ALARMS.parents[2]
OPERATIONS = {
    "Append": 0.05,
    "AppendAs": 0.05,
    "AppendAcrossTheEnd": 0.0,
    "LookAfter": 0.0,
    "Write": 0.1,
    "Drain": 0.05,
    "Add": 0.05,
    "StartThread": 0.0,
    "Native": 0.0,
    "Flush": 0.0,
}


@pytest.mark.parametrize("python", runtimes.installed(), ids=lambda python: python.minor)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_alarm_before_each_instruction_of(operation: str, python: runtimes.Python, tmp_path: Path) -> None:
    """At a few places, before anything was written or on the way into the journal, the line is not recorded."""
    environ = {**os.environ, "FOLDER": str(tmp_path)}
    command = [str(python.path), "-I", str(ALARMS), str(ROOT), operation]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    places, incomplete = map(int, done.stdout.split())
    assert places > 30
    assert incomplete <= places * OPERATIONS[operation]


def test_steps_exclude_each_other_and_give_their_results() -> None:
    lock = SignalLock()
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        begun.set()
        assert go_on.wait(20)
        order.append("first")

    thread = threading.Thread(target=lock.hold, args=(first,))
    thread.start()
    assert begun.wait(20)
    assert not lock.mine
    assert not lock.wait(0)
    go_on.set()
    lock.hold(lambda: order.append("second"))
    thread.join()
    assert order == ["first", "second"]
    assert not lock.mine
    assert lock.wait(0)


def test_a_thread_that_is_inside_is_let_in_again_and_stays_in() -> None:
    lock = SignalLock()
    assert lock.hold(lambda: (lock.hold(lambda: lock.mine), lock.mine)) == (True, True)


def test_what_a_step_raises_is_passed_on_and_the_lock_is_free() -> None:
    lock = SignalLock()
    with pytest.raises(KeyError):
        lock.hold(lambda: {"there": 1}["missing"])
    assert lock.wait(0)
