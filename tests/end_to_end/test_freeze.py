"""The environment freezes between invocations: nothing of ours is in flight, nothing wakes, and thawing loses nothing.

The emulator never freezes, so the tests stop the runtime process themselves.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firetee.emulator import Emulator
from tests.end_to_end.complete import once, texts
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Firehose, Step

SOURCE = 'def handler(event, context):\n    print("line", event["number"])\n    return "answered"\n'

#: After so long the fake closes a connection on which nothing comes.
KEEP_ALIVE_S = 0.3

CLIENT = pytest.mark.parametrize("client", ["direct", "boto3"])
FLUSH = pytest.mark.parametrize("flush", ["before-return", "after-return", "batched"])

pytestmark = pytest.mark.newest_python


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    """A Firehose with a short keep-alive."""
    with Firehose([STREAM], idle_s=KEEP_ALIVE_S) as fake:
        yield fake


def outlast_the_keep_alive(firehose: Firehose) -> None:
    """Wait until the fake gives up a connection made now: by then it has given up every one that was idle before."""
    with socket.create_connection(("127.0.0.1", firehose.port)) as idle:
        assert idle.recv(1) == b""


def threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def states(pid: int) -> set[str]:
    """The states of a process's threads: R runs, S sleeps, T is stopped."""
    return {(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads(pid)}


def wake_ups(pid: int) -> Counter[str]:
    """How often each thread of the process has gone to sleep, or was sent there, so far."""
    return Counter(
        {
            thread.name: sum(
                int(line.split()[1]) for line in (thread / "status").read_text().splitlines() if "ctxt_switches" in line
            )
            for thread in threads(pid)
        }
    )


@contextmanager
def frozen(emulator: Emulator) -> Iterator[int]:
    """The runtime process does not run within this block."""
    pid = emulator.runs[-1].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        while states(pid) != {"T"}:
            pass
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


@CLIENT
@pytest.mark.parametrize("flush", ["before-return", "after-return"])
def test_a_freeze_longer_than_the_servers_keep_alive_loses_nothing_and_repeats_nothing(
    stage: Stage, client: str, flush: str
) -> None:
    firehose = stage.firehose
    with stage.environment(SOURCE, env={"FIRETEE_CLIENT": client, "FIRETEE_FLUSH": flush}) as emulator:
        for number in range(3):
            assert emulator.invoke({"number": number}).body == b'"answered"'
            with frozen(emulator):
                seen = len(firehose.calls)
                outlast_the_keep_alive(firehose)
                assert len(firehose.calls) == seen
        emulator.shutdown()
    assert {call.outcome for call in firehose.calls} == {"ok"}
    lines = firehose.lines(STREAM)
    assert texts(lines) == ["line 0", "line 1", "line 2"]
    assert len(lines) == len(once(lines))


@CLIENT
@FLUSH
def test_no_request_is_in_flight_at_any_freeze(stage: Stage, client: str, flush: str) -> None:
    """Each freeze comes as soon as the caller has its answer; a call that it caught would come in meanwhile."""
    firehose = stage.firehose
    firehose.latency_s = 0.02
    env = {"FIRETEE_CLIENT": client, "FIRETEE_FLUSH": flush, "FIRETEE_LINGER_MS": "1", "FIRETEE_BATCH_AGE_MS": "1"}
    with stage.environment(SOURCE, env=env) as emulator:
        for number in range(4):
            emulator.invoke({"number": number})
            with frozen(emulator):
                seen = len(firehose.calls)
                outlast_the_keep_alive(firehose)
                assert len(firehose.calls) == seen
        emulator.shutdown()
    assert texts(firehose.lines(STREAM)) == [f"line {number}" for number in range(4)]


@CLIENT
def test_a_call_under_way_when_the_handler_returns_is_over_before_the_freeze(stage: Stage, client: str) -> None:
    """`batched` has nothing to flush then; but the line that went out while the handler ran is still on its way."""
    firehose = stage.firehose
    firehose.latency_s = 0.15
    source = 'import time\ndef handler(event, context):\n    print("line", event["number"])\n    time.sleep(0.1)\n'
    env = {"FIRETEE_CLIENT": client, "FIRETEE_FLUSH": "batched", "FIRETEE_BATCH_AGE_MS": "50"}
    with stage.environment(source, env=env) as emulator:
        emulator.invoke({"number": 0})
        with frozen(emulator):
            seen = len(firehose.calls)
            outlast_the_keep_alive(firehose)
            assert len(firehose.calls) == seen
    assert seen
    lines = firehose.lines(STREAM)
    assert texts(lines) == ["line 0"]
    assert len(lines) == len(once(lines))


@FLUSH
@pytest.mark.parametrize("health", ["ok", "server_error"])
def test_nothing_wakes_between_invocations(stage: Stage, flush: str, health: str) -> None:
    """No timer runs: neither a linger, nor a probe, nor the warning before a deadline. The keep-alive is the clock."""
    firehose = stage.firehose
    firehose.otherwise = Step(health)
    env = {"FIRETEE_FLUSH": flush, "FIRETEE_LINGER_MS": "20", "FIRETEE_FLUSH_TIMEOUT_MS": "100"}
    with stage.environment(SOURCE, env=env, timeout_s=1) as emulator:
        for number in range(3):
            emulator.invoke({"number": number})
        pid = emulator.runs[-1].pid
        before = wake_ups(pid)
        for last in (False, True):  # on a busy machine, whatever was still going to sleep may wake in the first of them
            outlast_the_keep_alive(firehose)
            before = wake_ups(pid)
            outlast_the_keep_alive(firehose)
            if last or wake_ups(pid) == before:
                break
        assert states(pid) == {"S"}
        assert wake_ups(pid) == before
