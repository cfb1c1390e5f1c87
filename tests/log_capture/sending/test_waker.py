"""What the sender's thread sleeps on, whatever the function does to its descriptors."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from log_capture.sending.waker import Waker

#: A sleep that ends because there was nothing to wake up for.
SOON_S = 0.001


@pytest.fixture
def waker() -> Iterator[Waker]:
    waker = Waker()
    yield waker
    waker.close()


@pytest.fixture
def signal() -> Iterator[tuple[int, int]]:
    """A pipe that is watched, and that the test writes to."""
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_a_sleep_for_ever_ends_when_it_is_woken(waker: Waker) -> None:
    waker.wake()
    assert waker.sleep(None) is False


def test_many_wakes_are_one_and_none_blocks(waker: Waker) -> None:
    for _ in range(100_000):
        waker.wake()
    while not waker.sleep(SOON_S) and os.get_blocking(waker._read.fd):
        pytest.fail("the pipe can block")
    assert waker.sleep(SOON_S) is False


def test_it_is_told_which_of_the_two_has_woken_it(waker: Waker, signal: tuple[int, int]) -> None:
    waker.watch(lambda: signal[0])
    waker.wake()
    assert waker.sleep(None) is False
    os.write(signal[1], b"x")
    assert waker.sleep(None) is True


def test_a_pipe_that_the_function_has_closed_is_made_anew(waker: Waker, signal: tuple[int, int]) -> None:
    waker.watch(lambda: signal[0])
    os.close(waker._read.fd)
    os.close(waker._write.fd)
    waker.wake()
    waker.sleep(SOON_S)  # it may see the old one's end
    waker.wake()
    assert waker.sleep(None) is False
    os.write(signal[1], b"x")
    assert waker.sleep(None) is True
