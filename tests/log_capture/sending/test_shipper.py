"""The sender sends when it may, waits no longer than it may, and rests when nothing runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from log_capture.envelope.pack import Packer
from log_capture.envelope.render import Renderer
from log_capture.journal.dead_journal import DeadJournal
from log_capture.journal.journal import Journal
from log_capture.journal.ring import EVENT, HEADER_BYTES, STDOUT
from log_capture.sending.delivery import Delivery, Target
from log_capture.sending.failures import REFUSED, THROTTLED
from log_capture.sending.loop import Watch
from log_capture.sending.retry import FIRST_PROBE_S
from log_capture.sending.shipper import PROBE_WAIT_S, Shipper
from log_capture.sending.source import Source
from tests.fakes.client import PATIENCE_S, Hang, Held, ScriptedClient, failure
from tests.fakes.clock import Clock

#: A linger that never ends within a test, and one that ends at once.
NEVER_S = 3600.0
SOON_S = 0.001


def renderer() -> Renderer:
    return Renderer(format="text", environment="")


class Sender:
    """A shipper with its thread in front of a scripted client; its wall clock stands still."""

    def __init__(self, linger_s: float = NEVER_S, dead: tuple[Source, ...] = (), *, aggregate: bool = True) -> None:
        self.client = ScriptedClient()
        self.clock = Clock()
        self.said: list[str] = []
        self.failures: list[BaseException] = []
        self.on_deadline: Callable[[], object] = Signal()
        self.journal = Journal(bytearray(HEADER_BYTES + (1 << 20)), environment="0123456789ab", nudge=self._hurry)
        self.shipper = Shipper(
            [Source(self.journal, renderer(), Packer(aggregate=aggregate))],
            Delivery([Target("logs", self.client)], report=self.said.append),
            linger_s=linger_s,
            patience_s=PATIENCE_S,
            find_sources=lambda: list(dead),
            failed=self.failures.append,
            report=self.said.append,
            on_deadline=self._deadline_is_near,
            wall_clock=self.clock,
        )

    def _deadline_is_near(self) -> None:
        self.on_deadline()

    def _hurry(self) -> None:
        self.shipper.hurry()

    def write(self, text: str) -> None:
        self.journal.append(STDOUT, text.encode() + b"\n")

    def resume(self) -> None:
        self.shipper.resume(0.0, 0.0)

    def flush(self, seconds: float = PATIENCE_S) -> bool:
        return self.shipper.flush(monotonic() + seconds)

    @property
    def lines(self) -> list[str]:
        return [line.decode() for line in self.client.lines]


class Signal:
    """Set by a callback, waited for by a test."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.threads: list[int] = []

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(PATIENCE_S), "it never happened"


@pytest.fixture
def make_sender() -> Iterator[type[Sender]]:
    """Makes senders whose threads run, and ends them; none may have failed."""
    made: list[Sender] = []

    class Started(Sender):
        def __init__(self, linger_s: float = NEVER_S, dead: tuple[Source, ...] = (), *, aggregate: bool = True) -> None:
            super().__init__(linger_s, dead, aggregate=aggregate)
            made.append(self)
            self.shipper.start(warm_up=False)

    yield Started
    for sender in made:
        sender.shipper.stop()
        sender.shipper.close()
        assert not sender.shipper.running_thread
        assert sender.failures == []


@pytest.fixture
def sender(make_sender: type[Sender]) -> Sender:
    return make_sender()


def test_a_flush_waits_until_everything_was_taken(sender: Sender) -> None:
    sender.write("a")
    sender.write("b")
    assert sender.flush()
    assert sender.lines == ["a", "b"]
    assert sender.shipper.empty
    assert sender.shipper.taken() == (2, 4)


def test_a_flush_of_nothing_asks_nobody() -> None:
    sender = Sender()  # there is not even a thread
    assert sender.flush()
    assert sender.shipper.waited_s == 0
    sender.shipper.close()


def test_the_calls_are_made_on_the_thread(sender: Sender) -> None:
    called = Signal()

    def take(records: object, deadline: float) -> list[str | None]:
        called()
        return [None]

    sender.client.steps.append(take)
    sender.write("a")
    assert sender.flush()
    assert called.threads == [sender.shipper.thread_id]
    assert called.threads != [threading.get_ident()]


def test_nothing_is_sent_while_nothing_runs(make_sender: type[Sender]) -> None:
    sender = make_sender(SOON_S)
    sender.write("before")
    sender.shipper.prepare(PATIENCE_S)  # the thread has been round
    sender.resume()
    assert sender.flush()
    sender.shipper.pause(monotonic() + PATIENCE_S)
    calls = len(sender.client.puts)
    sender.write("after")
    sender.shipper.nudge()
    sender.shipper.prepare(PATIENCE_S)
    assert len(sender.client.puts) == calls


def test_while_an_invocation_runs_a_line_goes_out_after_the_linger(make_sender: type[Sender]) -> None:
    sender = make_sender(SOON_S)
    held = Held()
    sender.client.steps.append(held)
    sender.resume()
    sender.write("while it runs")
    assert held.reached.wait(PATIENCE_S), "nobody sent it"
    held.release()
    sender.shipper.pause(monotonic() + PATIENCE_S)
    assert sender.lines == ["while it runs"]


def test_an_invocation_wakes_only_a_thread_that_would_sleep_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waking it costs the invocation more than everything else that firetee does in one without output."""
    sender = Sender()  # without a thread: the test goes its steps
    shipper, nudges = sender.shipper, []
    monkeypatch.setattr(shipper._loop, "wake", lambda: nudges.append(monotonic()))
    assert shipper._loop._until_next() is None
    sender.resume()
    assert len(nudges) == 1
    until = shipper._loop._until_next()
    assert until is not None
    assert until == pytest.approx(NEVER_S, abs=PATIENCE_S)
    shipper.pause(monotonic())
    sender.resume()
    assert len(nudges) == 1
    shipper.resume(monotonic() + NEVER_S / 2, 0.0)  # there is a deadline before it wakes up
    assert len(nudges) == 2
    shipper.pause(monotonic())
    shipper.close()


def test_pause_returns_only_when_no_request_is_in_flight(make_sender: type[Sender]) -> None:
    sender = make_sender(SOON_S)
    hang = Hang(sender.client)
    sender.client.steps.append(hang)
    sender.resume()
    sender.write("a")
    assert hang.reached.wait(PATIENCE_S)
    sender.shipper.pause(monotonic())
    sender.shipper.prepare(PATIENCE_S)
    assert len(sender.client.puts) == 1
    assert sender.lines == []
    assert sender.flush(), "it is not lost"


def test_a_flush_that_hangs_ends_at_its_deadline_and_the_next_ones_do_not_wait(sender: Sender) -> None:
    sender.client.default = Hang(sender.client)
    sender.write("a")
    started = monotonic()
    assert not sender.flush(0.05)
    waited = monotonic() - started
    assert 0.05 <= waited < 1
    assert sender.shipper.waited_s == pytest.approx(waited, abs=0.05)
    calls = len(sender.client.puts)
    for _ in range(40):
        assert not sender.flush()
    assert len(sender.client.puts) == calls
    assert monotonic() - started - waited < 0.1, "the breaker is open"


def test_after_an_outage_a_probe_finds_firehose_back_and_everything_goes_out(sender: Sender) -> None:
    sender.client.default = failure(THROTTLED)
    sender.write("a")
    assert not sender.flush(0.02)
    sender.write("b")
    sender.client.default = None
    assert not sender.flush(), "no probe is due yet"
    sender.clock.now += FIRST_PROBE_S
    assert sender.flush()
    assert sender.lines == ["a", "b"]
    sender.write("c")
    assert sender.flush(), "the breaker has closed"


def test_a_stream_that_takes_a_part_and_throttles_the_rest_is_slow_and_not_down(make_sender: type[Sender]) -> None:
    sender = make_sender(aggregate=False)
    sender.client.steps.append([None, "ServiceUnavailableException"])
    sender.client.default = failure(THROTTLED)
    sender.write("a")
    sender.write("b")
    assert not sender.flush(0.05)
    assert sender.lines == ["a"]
    sender.client.default = None
    assert sender.flush(), "the next invocation sends without a probe"
    assert sender.lines == ["a", "b"]
    assert sender.said == []


def test_a_probe_that_fails_holds_an_invocation_up_only_briefly(sender: Sender) -> None:
    sender.client.default = Hang(sender.client)
    sender.write("a")
    assert not sender.flush(0.02)
    sender.clock.now += FIRST_PROBE_S
    started = monotonic()
    assert not sender.flush()
    assert PROBE_WAIT_S <= monotonic() - started < 2


def test_a_permanent_refusal_is_told_once_with_its_remedy(sender: Sender) -> None:
    sender.client.default = failure(REFUSED, "AccessDeniedException")
    for _ in range(5):
        sender.write("a")
        assert not sender.flush()
        sender.clock.now += 60
    assert sender.said == [
        "it failed with AccessDeniedException; mend AccessDeniedException; lines wait in the journal meanwhile"
    ]


def test_platform_events_ride_along_and_are_not_urgent(sender: Sender) -> None:
    sender.shipper.prepare(PATIENCE_S)  # it has looked for what dead processes left
    sender.journal.append(EVENT, b"platform.start\0{}")
    assert not sender.shipper.urgent
    assert not sender.shipper.empty
    sender.write("line")
    assert sender.shipper.urgent


def test_a_lot_of_output_does_not_linger() -> None:
    nudged = Signal()
    sender = Sender()
    sender.shipper.hurry = nudged  # type: ignore[method-assign]
    sender.journal.nudge_at_next()
    sender.write("a")
    nudged.wait()
    sender.shipper.close()


def left_by_the_dead(discard: Signal) -> Source:
    """A journal with one line that nobody sent."""
    memory = bytearray(HEADER_BYTES + 4096)
    Journal(memory, environment="ffffffffffff").append(STDOUT, b"from the dead\n")
    dead = DeadJournal(memory)
    return Source(dead, renderer(), Packer(), start=dead.start, discard=discard)


def test_who_needs_only_room_does_not_wait_for_everything(make_sender: type[Sender]) -> None:
    """With FIRETEE_OVERFLOW=block the function goes on as soon as there is some room, and sending goes on too."""
    sender = make_sender(NEVER_S, (left_by_the_dead(Signal()),))
    sender.shipper.prepare(PATIENCE_S)
    answer = threading.Event()

    def take_late(records: object, deadline: float) -> list[str | None]:
        assert answer.wait(PATIENCE_S)
        return [None]

    sender.client.steps += [None, take_late]
    sender.write("from the living")
    assert not sender.shipper.flush(monotonic() + PATIENCE_S, lambda: sender.lines == ["from the dead"])
    answer.set()
    assert sender.flush()
    assert sender.lines == ["from the dead", "from the living"]


def test_what_a_dead_process_left_goes_first_and_is_let_go_of(make_sender: type[Sender]) -> None:
    discarded = Signal()
    sender = make_sender(NEVER_S, (left_by_the_dead(discarded),))
    sender.shipper.prepare(PATIENCE_S)
    sender.write("from the living")
    assert sender.flush()
    assert sender.lines == ["from the dead", "from the living"]
    assert discarded.threads == [sender.shipper.thread_id]
    assert sender.shipper.taken() == (2, 30)


def test_a_flush_waits_for_the_search_for_what_dead_processes_left() -> None:
    """On a busy machine the thread is still at its beginning when the first invocation ends."""
    found = threading.Event()
    discarded = Signal()
    sender = Sender(dead=(left_by_the_dead(discarded),))
    find_sources = sender.shipper._sender._find_sources

    def search() -> list[Source]:
        assert found.wait(PATIENCE_S)
        return find_sources()

    sender.shipper._sender._find_sources = search
    sender.shipper.start(warm_up=False)
    sender.resume()
    assert [sender.shipper.urgent] == [True]
    finder = threading.Timer(0.02, found.set)
    finder.start()
    assert sender.flush()
    assert sender.lines == ["from the dead"]
    assert [sender.shipper.urgent] == [False]
    finder.join()
    sender.shipper.stop()
    sender.shipper.close()


def test_the_deadline_s_warning_comes_on_the_thread_while_the_invocation_runs(sender: Sender) -> None:
    warned = Signal()
    sender.on_deadline = warned
    sender.shipper.resume(monotonic() + 0.001, 0.0)
    warned.wait()
    assert warned.threads == [sender.shipper.thread_id]


def test_there_is_no_warning_once_the_invocation_is_over(sender: Sender) -> None:
    warned = Signal()
    sender.on_deadline = warned
    sender.shipper.resume(monotonic() + 60, 0.0)
    sender.shipper.pause(monotonic())
    sender.shipper.resume(0.0, 0.0)
    sender.shipper.prepare(PATIENCE_S)
    assert warned.threads == []


def test_a_watched_descriptor_is_answered_even_while_retries_wait(make_sender: type[Sender]) -> None:
    sender = Sender()
    read, write = os.pipe()
    called = Signal()

    def came() -> None:
        os.read(read, 1)
        called()

    def fail_and_signal(records: object, deadline: float) -> list[str | None]:
        os.write(write, b"x")
        return ["ServiceUnavailableException"]

    sender.client.steps.append(fail_and_signal)
    sender.shipper.start(warm_up=False, watch=Watch(lambda: read, came, pytest.fail))
    sender.write("a")
    assert sender.flush()
    called.wait()
    assert called.threads == [sender.shipper.thread_id]
    sender.shipper.stop()
    sender.shipper.close()
    os.close(read)
    os.close(write)


def test_the_final_drain_on_the_thread_itself_sends_though_the_breaker_is_open(sender: Sender) -> None:
    sender.client.default = failure(THROTTLED)
    sender.write("a")
    assert not sender.flush(0.02)
    sender.client.default = None
    drained: list[bool] = []
    done = Signal()

    def drain() -> None:
        drained.append(sender.shipper.drain(PATIENCE_S))
        done()

    sender.on_deadline = drain
    sender.shipper.resume(monotonic(), 0.0)
    done.wait()
    assert drained == [True]
    assert sender.lines == ["a"]


def test_a_drain_by_another_thread_waits_for_the_sender(sender: Sender) -> None:
    sender.write("a")
    assert sender.shipper.drain(PATIENCE_S)
    assert sender.lines == ["a"]


def test_a_bug_of_ours_on_the_thread_is_reported_and_the_thread_lives() -> None:
    sender = Sender()
    sender.client.steps.append(lambda records, deadline: 1 / 0)  # type: ignore[arg-type, return-value]
    sender.shipper.start(warm_up=False)
    sender.write("a")
    assert not sender.flush()
    assert [type(error) for error in sender.failures] == [ZeroDivisionError]
    assert sender.flush()
    assert sender.lines == ["a"]
    sender.shipper.stop()
    sender.shipper.close()


def test_an_idle_thread_ends_for_a_fork_and_starts_again_with_the_next_line(sender: Sender) -> None:
    again = Signal()
    read, write = os.pipe()
    sender.shipper.start(warm_up=False, watch=Watch(lambda: read, pytest.fail, again))
    for number in range(3):
        assert sender.shipper.halt()
        assert sender.shipper.halt(), "a second fork in a row"
        assert not sender.shipper.running_thread
        sender.write(str(number))
        sender.resume()
        assert sender.flush()
    assert len(again.threads) == 3
    assert sender.lines == ["0", "1", "2"]
    os.close(read)
    os.close(write)


def test_a_thread_that_is_sending_goes_on_through_a_fork(make_sender: type[Sender]) -> None:
    sender = make_sender(SOON_S)
    held = Held()
    sender.client.steps.append(held)
    sender.resume()
    sender.write("a")
    assert held.reached.wait(PATIENCE_S)
    begun = monotonic()
    assert not sender.shipper.halt()
    waited = monotonic()
    assert not sender.shipper.halt(), "the same request is not waited for again"
    assert monotonic() - waited < waited - begun
    held.release()
    sender.shipper.pause(monotonic() + PATIENCE_S)
    sender.write("b")
    assert sender.flush()
    assert sender.lines == ["a", "b"]


def test_only_one_thread_starts_however_many_wake_it(sender: Sender) -> None:
    started = Signal()
    read, write = os.pipe()
    sender.shipper.start(warm_up=False, watch=Watch(lambda: read, pytest.fail, started))
    assert sender.shipper.halt()
    wakers = [threading.Thread(target=sender.shipper.nudge) for _ in range(8)]
    for waker in wakers:
        waker.start()
    for waker in wakers:
        waker.join()
    assert len(started.threads) == 1
    os.close(read)
    os.close(write)


def test_stopped_for_good_it_does_not_start_again(sender: Sender) -> None:
    sender.shipper.stop()
    sender.shipper.nudge()
    assert not sender.shipper.running_thread


def test_a_nudge_never_blocks_and_the_thread_goes_on(sender: Sender) -> None:
    for _ in range(100_000):
        sender.shipper.nudge()
    sender.write("line")
    assert sender.flush()
    assert sender.lines == ["line"]


def test_the_thread_takes_no_signal_that_is_sent_to_the_process(sender: Sender) -> None:
    assert sender.flush()
    sender.write("line")
    assert sender.flush()  # the thread runs now
    masks = []
    for task in os.listdir("/proc/self/task"):
        if int(task) != os.getpid():
            with open(f"/proc/self/task/{task}/status") as status:
                masks += [int(line.split()[1], 16) for line in status if line.startswith("SigBlk:")]
    blocked = [
        {number for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGALRM) if mask >> (number - 1) & 1}
        for mask in masks
        if not mask >> (signal.SIGSEGV - 1) & 1
    ]
    assert {signal.SIGUSR1, signal.SIGTERM, signal.SIGALRM} in blocked


def test_a_watched_descriptor_that_the_function_has_taken_is_watched_no_more(sender: Sender, tmp_path: Path) -> None:
    """A file is always readable: the thread would go round and round."""
    asked: list[int] = []
    read, write = os.pipe()
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    current = [read]

    def descriptor() -> int:
        asked.append(current[0])
        return current[0]

    called = Signal()
    sender.shipper.start(warm_up=False, watch=Watch(descriptor, called, pytest.fail))
    other, other_write = os.pipe()
    current[0] = other
    os.dup2(file, read)
    sender.shipper.nudge()
    sender.write("line")
    assert sender.flush()
    before = len(asked)
    for number in range(3):
        sender.write(str(number))
        assert sender.flush()
    assert len(asked) <= before + 3
    os.write(other_write, b"x")
    called.wait()
    sender.shipper.stop()
    for fd in (read, write, file, other, other_write):
        os.close(fd)
