"""Copies for a second stream: sent apart, kept in bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from log_capture.envelope.pack import Packer
from log_capture.envelope.render import Renderer
from log_capture.journal.journal import Journal
from log_capture.journal.ring import FRAME, HEADER_BYTES
from log_capture.sending.copies import Copies, Copying
from log_capture.sending.delivery import Delivery, Target
from log_capture.sending.failures import REFUSED
from log_capture.sending.retry import FIRST_PROBE_S
from log_capture.sending.sender import Sender
from log_capture.sending.source import Source
from tests.fakes.client import PATIENCE_S, ScriptedClient, failure
from tests.fakes.clock import Clock


class Second:
    """A second stream with a scripted client."""

    def __init__(self, waiting_bytes: int = 1 << 20) -> None:
        self.client = ScriptedClient()
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.clock = Clock()
        self.copies = Copies(Packer(aggregate=False), self.said.append, waiting_bytes)
        delivery = Delivery([Target("alerts", self.client)], report=self.said.append)
        self.copying = Copying(self.copies, delivery, report=self.said.append, wall_clock=self.clock)

    def send(self) -> None:
        self.copying.send(monotonic() + PATIENCE_S, self.pauses.append)

    @property
    def lines(self) -> list[str]:
        return [line.decode() for line in self.client.lines]


def test_what_was_added_is_sent_once() -> None:
    second = Second()
    second.copies.add([b"a\n", b"b\n"])
    second.send()
    second.send()
    assert second.lines == ["a", "b"]
    assert second.copies.empty


def test_a_stream_that_takes_nothing_is_told_once_and_left_alone_until_a_probe_is_due() -> None:
    second = Second()
    second.client.default = failure(REFUSED)
    second.copies.add([b"a\n"])
    for _ in range(3):
        second.send()
    (said,) = second.said
    assert said.startswith("FIRETEE_STREAM_ERRORS: ")
    assert len(second.client.puts) == 1
    second.client.default = None
    second.clock.now += FIRST_PROBE_S
    second.copies.add([b"b\n"])
    second.send()
    assert second.lines == ["a", "b"]


def test_a_probe_of_a_stream_that_was_down_takes_little_of_an_invocation_s_time() -> None:
    second = Second()
    second.client.default = failure(REFUSED)
    second.copies.add([b"a\n", b"b\n"])
    second.send()
    second.clock.now += FIRST_PROBE_S
    started = monotonic()
    second.send()
    probe = second.client.puts[1]
    assert probe.records == (b"a\n",)
    assert 0.1 < probe.deadline - started < PATIENCE_S / 10
    assert len(second.client.puts) == 2


def test_the_oldest_give_way_where_too_many_wait_and_that_is_told_once() -> None:
    second = Second(waiting_bytes=6)
    for text in (b"aa\n", b"bb\n", b"cc\n", b"dd\n"):
        second.copies.add([text])
    second.send()
    assert second.lines == ["cc", "dd"]
    assert len(second.said) == 1
    assert "FIRETEE_STREAM all the same" in second.said[0]


class Both:
    """A sender without its thread, to a first and a second stream; `during` happens in the first request."""

    def __init__(self, during: Callable[[], None]) -> None:
        self.first, self.second = ScriptedClient(), Second()
        self.during = during
        journal = Journal(bytearray(HEADER_BYTES + (1 << 16)), environment="0123456789ab")
        journal.append(FRAME, b"[ERROR]\tbad")
        renderer = Renderer(format="json", environment="0123456789ab")
        self.sender = Sender(
            [Source(journal, renderer, Packer(), copies=self.second.copies)],
            Delivery([Target("logs", self.first)], report=self.second.said.append),
            find_sources=list,
            pause=self.second.pauses.append,
            on_taken=lambda: None,
            report=self.second.said.append,
            copying=self.second.copying,
            wall_clock=self.second.clock,
        )
        self.first.steps.append(self._answer)

    def _answer(self, records: Sequence[bytes], deadline: float) -> list[str | None]:
        self.during()
        return [None] * len(records)


def test_both_streams_get_an_error_in_one_flush() -> None:
    both = Both(lambda: None)
    assert both.sender.send(monotonic() + PATIENCE_S)
    assert both.first.lines == both.second.client.lines
    assert len(both.first.lines) == 1


def test_no_request_to_the_second_stream_follows_one_that_was_aborted() -> None:
    """Who aborted it waits for no other: the environment may be frozen next."""

    def give_up() -> None:
        both.sender.give_up()

    both = Both(give_up)
    both.sender.send(monotonic() + PATIENCE_S)
    assert both.second.client.puts == []
    assert both.second.client.aborted.is_set()
    both.sender.send(monotonic() + PATIENCE_S)
    assert len(both.second.client.puts) == 1, "it goes with the next one"


def test_no_request_to_the_second_stream_begins_when_the_invocation_is_over_meanwhile() -> None:
    running = [True]
    both = Both(running.clear)
    both.sender.try_once(PATIENCE_S, 0.0, lambda: bool(running))
    assert len(both.first.puts) == 1
    assert both.second.client.puts == []
