"""Waits grow and are bounded; an outage is noticed at once and probed less and less often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.sending.retry import FIRST_PROBE_S, FIRST_WAIT_S, LONGEST_PROBE_S, LONGEST_WAIT_S, Breaker, backoff
from tests.fakes.clock import Clock


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_random_between_nothing_and_a_bound_that_doubles_up_to_the_longest(
    attempt: int, random: float
) -> None:
    bound = backoff(attempt, 1.0)
    assert 0 <= backoff(attempt, random) <= bound <= LONGEST_WAIT_S
    assert bound in (LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempt, 20))


def test_a_new_breaker_is_closed() -> None:
    assert not Breaker(Clock()).is_open


def test_a_failure_opens_the_breaker_and_a_success_closes_it() -> None:
    breaker = Breaker(Clock())
    seen = []
    for news in (breaker.failed, breaker.failed, breaker.succeeded):
        news()
        seen.append(breaker.is_open)
    assert seen == [True, True, False]


def test_probes_are_due_after_intervals_that_double_up_to_the_longest() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    intervals = []
    for _ in range(8):
        breaker.failed()
        started = clock.now
        while not breaker.probe_due:
            clock.now += FIRST_PROBE_S / 2
        intervals.append(clock.now - started)
    assert intervals == [1, 2, 4, 8, 16, LONGEST_PROBE_S, LONGEST_PROBE_S, LONGEST_PROBE_S]


def test_after_a_success_the_intervals_begin_anew() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    clock.now += FIRST_PROBE_S
    assert breaker.probe_due


@pytest.mark.parametrize("passed", [-3600.0, 3600.0], ids=["set back", "after a freeze"])
def test_a_clock_that_jumped_makes_a_probe_due(passed: float) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.failed()
    clock.now += passed
    assert breaker.probe_due
