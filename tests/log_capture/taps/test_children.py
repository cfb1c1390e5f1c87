"""Child processes, started by a process of the test's own in which they are captured."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SET_UP = """
import os, posix, signal, sys
sys.path.insert(0, {root!r})
from wrapt import FunctionWrapper
from log_capture.taps.children import Children
recorded, before_writes, failures = [], [], []
children = Children(
    record=lambda *entry: recorded.append(entry),
    before_writes=before_writes,
    failed=failures.append,
    function_wrapper=FunctionWrapper,
    originals={{}},
)
children.install()
import subprocess
"""


def run(source: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run `source` in a process where `children` captures; its stdout and stderr are pipes, as on Lambda."""
    code = SET_UP.format(root=str(ROOT)) + textwrap.dedent(source)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_each_child_has_a_number_of_its_own_and_its_bytes_are_recorded_as_they_came() -> None:
    done = run(
        """
        for _ in range(2):
            subprocess.run(["printf", r"\\377half"])
        assert [(kind, data) for kind, data, _ in recorded] == [(0, b"\\xffhalf")] * 2, recorded
        assert len({key for _, _, key in recorded}) == 2, recorded
        assert not failures, failures
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xffhalf\xffhalf", b"")


def test_nothing_stays_open_when_the_children_have_ended() -> None:
    done = run(
        """
        subprocess.run(["true"])
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(5):
            subprocess.run(["sh", "-c", "echo out; echo err >&2"])
        try:
            subprocess.run(["/nowhere/there"])
        except FileNotFoundError:
            pass
        children.drain()
        assert set(os.listdir("/proc/self/fd")) == before
        assert before_writes == []
        """
    )
    assert (done.returncode, done.stderr) == (0, b"err\n" * 5)


def test_the_thread_ends_when_the_last_pipe_is_closed_and_comes_back_with_the_next_child() -> None:
    done = run(
        """
        for _ in range(3):
            subprocess.run(["echo", "again"])
            halted = children._halted
            assert halted.acquire(timeout=10)
        """
    )
    assert (done.returncode, done.stdout) == (0, b"again\n" * 3)


def test_a_child_that_outlives_a_regular_exit_writes_to_the_end() -> None:
    done = run(
        """
        subprocess.Popen(["sh", "-c", "read line; yes 0123456789 | head -n 20000; echo end >&2"], stdin=0)
        children.leave()
        os._exit(5)
        """,
        input=b"go\n",
    )
    assert (done.returncode, len(done.stdout), done.stderr) == (5, 220_000, b"end\n")


def test_what_is_read_but_not_written_when_a_signal_handler_raises_is_written_later() -> None:
    done = run(
        """
        class Alarm(Exception):
            pass
        def on_alarm(*_):
            raise Alarm
        signal.signal(signal.SIGALRM, on_alarm)
        original, raised = posix.write, []
        def write(fd, data):
            if fd > 2 and data == b"kept\\n" and not raised:
                raised.append(True)
                signal.raise_signal(signal.SIGALRM)
            return original(fd, data)
        posix.write = write
        try:
            subprocess.run(["echo", "kept"])
            children.drain()
        except Alarm:
            pass
        posix.write = original
        children.drain()
        assert raised and recorded == [(0, b"kept\\n", recorded[0][2])], (raised, recorded)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"kept\n", b"")


def test_stdout_and_stderr_that_are_one_file_stay_in_their_order() -> None:
    code = SET_UP.format(root=str(ROOT)) + textwrap.dedent(
        """
        shell = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done"
        subprocess.run(["sh", "-c", shell])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False
    )
    assert done.stdout.decode().splitlines() == [f"{name} {i}" for i in range(1, 10) for name in ("out", "err")]


def test_a_terminal_stays_a_terminal() -> None:
    ours, theirs = os.openpty()
    code = SET_UP.format(root=str(ROOT)) + "sys.exit(subprocess.call(['test', '-t', '1']))"
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=theirs, stderr=theirs, timeout=30, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0


@pytest.mark.parametrize("closed", [1, 2])
def test_a_descriptor_that_is_closed_stays_closed(closed: int) -> None:
    done = run(
        f"""
        os.close({closed})
        sys.exit(subprocess.call(["sh", "-c", "! test -e /proc/self/fd/{closed}"]))
        """
    )
    assert done.returncode == 0


def test_a_reader_that_has_gone_costs_the_child_what_it_would_have_cost() -> None:
    code = SET_UP.format(root=str(ROOT)) + textwrap.dedent(
        """
        child = subprocess.Popen(["sh", "-c", "read line; exec yes"], stdin=subprocess.PIPE)
        print("ready", flush=True)
        sys.stdin.readline()
        child.communicate(b"go\\n", timeout=20)
        sys.exit(child.returncode == -signal.SIGPIPE)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(20) == 1
