"""Every thread's stack, as a traceback shows it."""

from __future__ import annotations

import threading

from tests.fakes.client import PATIENCE_S
from wrapper.stacks import every_stack


def wait_here(reached: threading.Event, go: threading.Event) -> None:
    reached.set()
    go.wait(PATIENCE_S)


def test_every_thread_is_there_by_name_the_main_one_first_and_those_to_leave_out_are_not() -> None:
    reached, go = threading.Event(), threading.Event()
    other = threading.Thread(target=wait_here, args=(reached, go), name="worker-7")
    other.start()
    assert reached.wait(PATIENCE_S)
    with_all = every_stack(but=())
    without_other = every_stack(but=(other.ident or 0,))
    go.set()
    other.join()
    assert with_all[0]["thread"] == "MainThread"
    (worker,) = [each for each in with_all if each["thread"] == "worker-7"]
    assert "in wait_here\n    go.wait(PATIENCE_S)" in str(worker["stack"])
    assert "worker-7" not in [each["thread"] for each in without_other]


def test_of_a_deep_recursion_the_innermost_frames_are_shown() -> None:
    def deep(level: int) -> str:
        return deep(level - 1) if level else str(every_stack(but=())[0]["stack"])

    stack = deep(300)
    assert stack.count("File ") <= 60
    assert "in every_stack" in stack
