"""How threads have the sender's thread do something, and wait for it."""

from __future__ import annotations

import threading
from time import monotonic

import pytest

from log_capture.sending.requests import Requests, never
from tests.fakes.client import PATIENCE_S


def test_a_step_is_taken_by_who_serves_and_its_end_is_waited_for() -> None:
    requests = Requests()
    took: list[int] = []
    server = threading.Thread(target=requests.serve)
    answered = requests.ask(
        monotonic() + PATIENCE_S, lambda: took.append(threading.get_ident()), never, wake=server.start
    )
    server.join()
    assert answered
    assert took == [server.ident]
    assert not requests


def test_what_nobody_waits_for_any_more_is_not_done() -> None:
    requests = Requests()
    assert not requests.ask(monotonic(), lambda: pytest.fail("it was taken"), never, wake=lambda: None)
    assert not requests


def test_one_that_has_enough_is_let_go_before_the_step_ends() -> None:
    requests = Requests()
    enough = False
    let_go = threading.Event()

    def step() -> None:
        nonlocal enough
        requests.look_whether_it_is_enough()
        assert not let_go.is_set()
        enough = True
        requests.look_whether_it_is_enough()
        assert let_go.wait(PATIENCE_S)

    server = threading.Thread(target=requests.serve)
    assert requests.ask(monotonic() + PATIENCE_S, step, lambda: enough, wake=server.start)
    let_go.set()
    server.join()


def test_a_step_that_raises_lets_go_of_who_waits() -> None:
    requests = Requests()
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            requests.serve()
        except ZeroDivisionError as error:
            errors.append(error)

    server = threading.Thread(target=serve)
    assert requests.ask(monotonic() + PATIENCE_S, lambda: 1 / 0, never, wake=server.start)
    server.join()
    assert len(errors) == 1
