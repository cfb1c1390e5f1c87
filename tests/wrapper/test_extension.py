"""The process registers as an internal extension, asks for its next event once, and waits for no answer."""

from __future__ import annotations

import pytest

from tests.fakes.client import PATIENCE_S
from tests.fakes.runtime import extensions_api
from wrapper.extension import RegistrationError, register

GOOD = b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id-1\r\nContent-Length: 2\r\n\r\n{}"


def test_it_registers_for_no_events_and_asks_for_the_next_one() -> None:
    """With no events nothing ever comes, but without the question init would never end."""
    with extensions_api(GOOD) as api:
        connection = register(api.address)
        assert api.waiting.wait(PATIENCE_S)
        connection.close()
    first, second = api.requests
    assert first.startswith(b"POST /2020-01-01/extension/register HTTP/1.1\r\n")
    assert b"\r\nLambda-Extension-Name: firetee\r\n" in first
    assert first.endswith(b'\r\n\r\n{"events":[]}')
    assert second.startswith(b"GET /2020-01-01/extension/event/next HTTP/1.1\r\n")
    assert b"\r\nLambda-Extension-Identifier: id-1\r\n" in second


def test_the_kept_connection_has_no_time_out() -> None:
    with extensions_api(GOOD) as api:
        connection = register(api.address)
        assert connection.gettimeout() is None
        connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nLambda-Extension-Id",
    ],
    ids=["refused", "no identifier", "closed", "cut short"],
)
def test_a_refusal_is_an_error_and_leaves_nothing_open(answer: bytes) -> None:
    with extensions_api(answer) as api:
        with pytest.raises(RegistrationError):
            register(api.address)
        assert len(api.requests) == 1


def test_an_api_that_is_not_there_is_an_error() -> None:
    with extensions_api(GOOD) as api:
        address = api.address
    with pytest.raises(OSError, match=r".+"):
        register(address)
