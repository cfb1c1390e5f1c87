"""Copies for a second stream: sent apart, kept in bounds."""

from __future__ import annotations

from time import monotonic

from log_capture.envelope.pack import Packer
from log_capture.sending.copies import Copies, Copying
from log_capture.sending.delivery import Delivery, Target
from log_capture.sending.failures import REFUSED
from log_capture.sending.retry import FIRST_PROBE_S
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
    second.send()
    assert second.lines == ["a", "b"]


def test_the_oldest_give_way_where_too_many_wait_and_that_is_told_once() -> None:
    second = Second(waiting_bytes=6)
    for text in (b"aa\n", b"bb\n", b"cc\n", b"dd\n"):
        second.copies.add([text])
    second.send()
    assert second.lines == ["cc", "dd"]
    assert len(second.said) == 1
    assert "FIRETEE_STREAM all the same" in second.said[0]
