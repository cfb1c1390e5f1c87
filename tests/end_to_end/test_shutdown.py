"""SIGTERM and the interpreter's own exits: what is left is sent, and the process ends as it would have."""

from __future__ import annotations

import textwrap

import pytest

from tests.end_to_end.harness import STREAM, Stage
from tests.end_to_end.spy import SPY
from tests.fakes.firehose import OK, Step

SIGTERM = 15

PENDING = 'import sys\ndef handler(event, context):\n    print("order", event.get("order"))\n'
BATCHED = {"FIRETEE_FLUSH": "batched"}


def texts(stage: Stage) -> list[str]:
    return [line["record"] for line in stage.firehose.lines(STREAM) if line["type"] == "function"]


@pytest.mark.parametrize("module", [False, True], ids=["bootstrap", "module"])
def test_what_waits_is_sent_at_sigterm_and_the_signal_ends_the_process(stage: Stage, module: bool) -> None:
    result = stage.run(PENDING, [{"order": 1}, {"order": 2}], env=BATCHED, module=module)
    assert result.records() == ["order 1", "order 2"]
    assert [line["seq"] for line in result.lines] == list(range(len(result.lines)))
    assert result.exits == [-SIGTERM]
    assert result.stderr == b""


def test_a_function_idle_with_nothing_left_ends_at_once(stage: Stage) -> None:
    result = stage.run("def handler(event, context): pass")
    assert result.exits == [-SIGTERM]


@pytest.mark.newest_python
def test_a_firehose_that_hangs_does_not_keep_the_process_from_ending_in_time(stage: Stage) -> None:
    with stage.environment(PENDING, env=BATCHED) as emulator:
        emulator.invoke({"order": 1})
        stage.firehose.otherwise = Step("hang")
        emulator.shutdown()
        assert emulator.exits == [-SIGTERM]  # not SIGKILL, which comes after 600 ms


@pytest.mark.newest_python
def test_the_last_drain_tries_again_although_firehose_was_down_before(stage: Stage) -> None:
    stage.firehose.otherwise = Step("server_error")
    with stage.environment(PENDING, env={"FIRETEE_FLUSH_TIMEOUT_MS": "100"}) as emulator:
        emulator.invoke({"order": 1})
        emulator.invoke({"order": 2})
        assert texts(stage) == []
        stage.firehose.otherwise = OK
        emulator.shutdown()
    assert texts(stage) == ["order 1", "order 2"]


OWN_HANDLER = """
import os, signal, sys, threading, time
def on_sigterm(number, frame):
    print("cleaning up")
    time.sleep(0.1)
    print("cleaned up")
    time.sleep(0.1)
    os._exit(7)
signal.signal(signal.SIGTERM, on_sigterm)
def handler(event, context):
    print("order", event.get("order"))
    return signal.getsignal(signal.SIGTERM) is on_sigterm
"""


def test_a_handler_of_the_functions_own_runs_where_python_runs_it(stage: Stage) -> None:
    """Where the main thread waits in C (before 3.12), Python's handlers run only while it does not: bare as here."""
    # An external extension's stand-in: without one, the bare function would be killed without a SIGTERM.
    registered = SPY + REGISTER + OWN_HANDLER
    bare = stage.run(registered, env=BATCHED, wrapped=False)
    teed = stage.run(OWN_HANDLER, env=BATCHED)
    assert teed.responses[0].body == b"true"
    assert teed.observed.stdout == bare.observed.stdout
    assert teed.exits == bare.exits
    assert teed.records() == teed.stdout.decode().splitlines()


REGISTER = """
import http.client as _http, threading as _threading
def _register():
    api = os.environ["AWS_LAMBDA_RUNTIME_API"]
    first = _http.HTTPConnection(api)
    first.request("POST", "/2020-01-01/extension/register", '{"events": []}', {"Lambda-Extension-Name": "bare"})
    answer = first.getresponse()
    answer.read()
    global _kept
    _kept = _http.HTTPConnection(api)
    _kept.request("GET", "/2020-01-01/extension/event/next",
                  headers={"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]})
_register()
"""


@pytest.mark.parametrize("action", ["signal.SIG_IGN", "signal.SIG_DFL"])
def test_what_the_function_sets_sigterm_to_holds(stage: Stage, action: str) -> None:
    source = f"""
        import signal
        signal.signal(signal.SIGTERM, {action})
        def handler(event, context):
            return int(signal.getsignal(signal.SIGTERM))
    """
    bare, teed = (
        stage.run(SPY + REGISTER + textwrap.dedent(source), wrapped=False),
        stage.run(source),
    )
    assert teed.observed.responses == bare.observed.responses
    assert teed.exits == bare.exits


@pytest.mark.newest_python
def test_a_handler_that_raises_in_the_middle_of_an_invocation_is_the_functions_own_business(stage: Stage) -> None:
    source = """
        import os, signal, time
        class Stop(Exception): pass
        def stop(number, frame): raise Stop("stopped")
        signal.signal(signal.SIGTERM, stop)
        def handler(event, context):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            except Stop as error:
                return str(error)
    """
    bare, teed = stage.both(source, [{}, {}], shutdown=False)
    assert teed.observed == bare.observed
    assert bare.responses[0].body == b'"stopped"'


def test_sigterm_while_a_handler_runs_sends_what_it_has_written(stage: Stage) -> None:
    """As Lambda does at a timeout: SIGTERM, and SIGKILL shortly after."""
    source = 'import time\ndef handler(event, context):\n    print("begun")\n    time.sleep(30)\n'
    with stage.environment(source, timeout_s=1, env={"FIRETEE_LINGER_MS": "60000"}) as emulator:
        answer = emulator.invoke({})
        assert b"timed out" in answer.body
        assert "begun" in texts(stage)
        emulator.shutdown()


@pytest.mark.newest_python
def test_atexit_and_daemon_threads_see_nothing_of_us_when_the_interpreter_exits(stage: Stage) -> None:
    source = """
        import atexit, sys
        @atexit.register
        def bye():
            print("bye")
        def handler(event, context):
            sys.exit(3)
    """
    bare, teed = stage.both(source, [{}], shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records()[-1] == "bye"


#: What functions do with signals, as values to be the same without firetee.
SIGNALS = """
    import asyncio, contextlib, os, signal, threading, time

    def wait_a_little():
        until = time.monotonic() + 0.6
        while time.monotonic() < until: pass

    def sigwait():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.kill(os.getpid(), signal.SIGUSR1)
        return signal.sigwait({signal.SIGUSR1})

    def sigtimedwait():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        os.kill(os.getpid(), signal.SIGUSR2)
        return signal.sigtimedwait({signal.SIGUSR2}, 5).si_signo

    def a_section_without_handlers():
        seen = []
        signal.signal(signal.SIGALRM, lambda number, frame: seen.append("handler"))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        os.kill(os.getpid(), signal.SIGALRM)
        seen += [f"step {number}" for number in range(1000)][-1:]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return seen

    def pending_sigterm():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)
        wait_a_little()
        found = signal.SIGTERM in signal.sigpending()
        signal.sigwait({signal.SIGTERM})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return found

    def asyncio_handles_sigterm():
        async def main():
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
        asyncio.run(main())
        wait_a_little()
        return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    def a_block_handles_sigterm():
        came = []
        before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
        os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
        wait_a_little()
        return came

    def a_handler_that_restores_itself():
        came = []
        def handler(number, frame):
            came.append(number)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, handler)
        os.kill(os.getpid(), signal.SIGTERM)
        wait_a_little()
        return came

    def handler(event, context):
        print(event)
        return globals()[event]()
"""
WAYS = (
    *("sigwait", "sigtimedwait", "a_section_without_handlers", "pending_sigterm"),
    *("asyncio_handles_sigterm", "a_block_handles_sigterm", "a_handler_that_restores_itself"),
)


@pytest.mark.parametrize("capture", ["python", "fd"])
def test_signals_that_the_function_waits_for_blocks_or_handles_are_its_own(stage: Stage, capture: str) -> None:
    """From 3.12 on the runtime itself has another thread, which may get what the main thread blocks: bare as here."""
    alone = stage.python.version < (3, 12)
    ways = list(WAYS if alone else WAYS[4:])
    bare, teed = stage.both(SIGNALS, ways, env={"FIRETEE_CAPTURE": capture}, shutdown=False, timeout_s=20)
    answers = [response.body for response in bare.responses]
    assert answers[-3:] == [b"true", b"[15]", b"[15]"]
    assert answers[:3] == [b"10", b"12", b'["step 999", "handler"]'] or not alone
    assert [response.body for response in teed.responses] == answers
    assert teed.exits == bare.exits
    assert teed.records() == ways


def test_after_a_sigterm_that_was_handled_the_next_one_that_is_not_ends_the_process(stage: Stage) -> None:
    source = (
        SIGNALS
        + """
    def die():
        os.kill(os.getpid(), signal.SIGTERM)
        wait_a_little()
        return "alive"
    """
    )
    events = ["a_block_handles_sigterm", "die", "a_block_handles_sigterm"]
    bare, teed = stage.both(source, events, shutdown=False, timeout_s=20)
    assert teed.observed == bare.observed
    assert len(teed.exits) == 2
    assert teed.records() == events
