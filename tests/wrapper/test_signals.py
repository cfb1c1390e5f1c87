"""SIGTERM is heard wherever the main thread is, and the function does not notice. Each in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Prints "heard" from the thread that stands for the sender's when SIGTERM comes, and then ends as the signal would.
BEGIN = """
import os, signal, sys, threading
sys.path[:0] = [sys.argv[1]]
import wrapt
from wrapper.signals import SigtermWatch

watch = SigtermWatch(wrapt.FunctionWrapper)
watch.start()

def listen():
    import select
    select.select([watch.descriptor()], [], [])
    os.write(1, b"heard " if watch.came() else b"nothing ")
    watch.end()
    os.write(1, b"went on ")

thread = threading.Thread(target=listen, daemon=True)
thread.start()
"""


def play(code: str) -> tuple[int, str]:
    """Exit code (negative: the signal) and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, str(ROOT)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_the_process_dies_of_the_signal_after_it_was_heard() -> None:
    assert play("os.kill(os.getpid(), 15); thread.join()") == (-signal.SIGTERM, "heard")


def test_it_is_heard_while_the_main_thread_is_blocked_in_c() -> None:
    """As it is on Python 3.10 and 3.11 between invocations; here it waits for a lock that nobody releases."""
    code = """
kill = threading.Timer(0.01, os.kill, (os.getpid(), 15))
kill.start()
lock = threading.Lock(); lock.acquire(); lock.acquire()
"""
    assert play(code) == (-signal.SIGTERM, "heard")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_function_s_runs_and_decides(when: str) -> None:
    install = "signal.signal(15, lambda *a: print('mine', flush=True))"
    code = f"""
{install if when == "after" else ""}
os.kill(os.getpid(), 15)
thread.join()
sys.exit(3)
"""
    if when == "before":
        assert play(code) == (-signal.SIGTERM, "heard")
    else:
        code_, printed = play(code)
        assert code_ == 3
        assert all(words in printed for words in ("heard", "mine", "went on"))  # two threads print them


def test_the_function_finds_signals_as_python_leaves_them() -> None:
    code = """
assert signal.getsignal(15) is signal.SIG_DFL
assert signal.signal(15, print) is signal.SIG_DFL
assert signal.getsignal(15) is print
assert signal.signal(15, signal.SIG_DFL) is print
assert signal.set_wakeup_fd(-1) == -1
assert signal.signal.__name__ == "signal"
try: signal.signal(15, "nonsense")
except TypeError as error: pass
else: raise AssertionError
assert signal.getsignal(15) is signal.SIG_DFL
print("unnoticed")
"""
    assert play(code) == (0, "unnoticed")


def test_ignored_by_the_function_the_signal_ends_nothing() -> None:
    code = """
signal.signal(15, signal.SIG_IGN)
os.kill(os.getpid(), 15)
print("alive")
"""
    assert play(code) == (0, "alive")


def test_a_forked_child_that_stops_it_dies_as_if_we_were_not_there() -> None:
    code = """
import warnings
warnings.simplefilter("ignore")  # from Python 3.12 on about the thread, which the child does not have
pid = os.fork()
if not pid:
    watch.stop()
    os.kill(os.getpid(), 15)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert play(code) == (0, "-15")
