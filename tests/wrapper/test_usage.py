"""What a report says of the process's use of the machine."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from wrapper.usage import cpu_ms, in_use


def test_cpu_time_grows_with_work() -> None:
    before = sum(cpu_ms())
    while sum(cpu_ms()) < before + 5:
        sum(range(1000))
    assert sum(cpu_ms()) >= before + 5


def test_a_thread_more_is_one_more_wherever_the_kernel_counts_them() -> None:
    before = in_use().get("threads")
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    try:
        after = in_use().get("threads")
    finally:
        go_on.set()
        thread.join()
    assert (before, after) == (None, None) or (isinstance(before, int) and after == before + 1)


def test_a_descriptor_more_is_one_more_wherever_the_kernel_counts_them() -> None:
    before = in_use().get("openFds")
    descriptor = os.open(os.devnull, os.O_RDONLY)
    after = in_use().get("openFds")
    os.close(descriptor)
    assert (before, after) == (None, None) or (isinstance(before, int) and after == before + 1)


def test_the_use_of_tmp_is_in_bytes(tmp_path: Path) -> None:
    used = in_use(str(tmp_path))["tmpUsedBytes"]
    assert isinstance(used, int)
    assert used >= 0


def test_what_the_kernel_does_not_say_is_left_out(tmp_path: Path) -> None:
    assert in_use(str(tmp_path / "none"), str(tmp_path / "none")) == {}


def test_the_function_s_audit_hooks_hear_nothing_of_it() -> None:
    heard: list[str] = []
    listening = True
    sys.addaudithook(lambda event, args: heard.append(event) if listening else None)
    cpu_ms()
    in_use()
    listening = False
    assert [event for event in heard if event.startswith(("os.", "open"))] == []
