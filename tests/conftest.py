"""What every test has: repeatable properties, and no thread or file descriptor left behind."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, so that a red test is red for its author. `--hypothesis-profile=thorough` looks further.
settings.register_profile("repeatable", derandomize=True, max_examples=150, deadline=None)
settings.register_profile(
    "thorough", max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("repeatable")

# A job in the background of a shell ignores Ctrl-C, and what it starts does too; tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: How long a thread that was told to stop may take to end, in seconds. A choice: it is only spent on leaks.
GRACE_S = 5.0

#: Tests of what runs inside the user's function: there a leaked descriptor is a bug of ours.
STRICT = ("tests/log_capture/", "tests/wrapper/")


def _descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the descriptor of this very listing
            continue
    return found


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test ends with the threads it began with and, where it tests the layer, the same descriptors."""
    strict = request.node.nodeid.startswith(STRICT)
    threads = set(threading.enumerate())
    descriptors = _descriptors() if strict else {}
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(GRACE_S)
        assert not thread.is_alive(), f"the test leaves the thread {thread.name} behind"
    if strict and (left := _descriptors().keys() - descriptors.keys()):
        gc.collect()  # what a reference cycle still holds is not leaked
        now = _descriptors()
        assert not (left & now.keys()), f"the test leaves descriptors open: {[now.get(fd) for fd in left]}"
