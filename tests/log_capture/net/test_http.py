"""The connection: what it takes for an answer, when it trusts a kept connection, and whom it trusts."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.net.http import IDLE_S, Answer, Broken, Connection, read_answer
from log_capture.net.tls import PrivateContext, PublicContext
from log_capture.sending.failures import CONNECT, RESET, SERVER
from tests.fakes.http import Closed, Request, Server
from tests.fakes.http import Connection as Served
from tests.fakes.tls import Authority

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Parrot(Server):
    """Sends these bytes for every request, then closes or not."""

    def __init__(self, answer: bytes, *, close: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.answer = answer
        self._close = close

    def handle(self, request: Request, connection: Served) -> None:
        connection.send(self.answer)
        if self._close:
            raise Closed


class Clock:
    """Runs with the real one, and jumps when told to."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def exchange(connection: Connection) -> Answer:
    return connection.exchange(HEAD, b"", connection._clock() + 20.0)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("sent", "status", "body", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True),
        (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nhi", 200, b"hi", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nhi", 200, b"hi", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 204 No\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n", 200, b"hi", True),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nT: 1\r\n\r\n", 500, b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi, and more", 200, b"hi", False),
    ],
)
def test_every_way_to_end_an_answer_is_understood(sent: bytes, status: int, body: bytes, kept: bool) -> None:
    with Parrot(sent) as parrot:
        connection = Connection("localhost", parrot.port, tls=False, environ={})
        for _ in range(2):
            answer = exchange(connection)
            assert (answer.status, answer.body) == (status, body)
        connection.close()
    assert parrot.connections == (1 if kept else 2)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    with Parrot(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True) as parrot:
        answer = exchange(Connection("localhost", parrot.port, tls=False, environ={}))
    assert answer.body == b"all of it"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", SERVER),
        (b"HTTP/1.1 abc\r\n\r\n", SERVER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", SERVER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", SERVER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", SERVER),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", SERVER),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello", SERVER),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", SERVER),
        (b"HTTP/1.1 200 OK\r\nEndless: " + b"x" * 100_000, SERVER),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000, SERVER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", RESET),
        (b"HTTP/1.1 20", RESET),
        (b"", RESET),
    ],
    ids=lambda value: str(value[:60]) if isinstance(value, bytes) else None,
)
def test_what_is_no_answer_is_an_unclear_failure(sent: bytes, kind: str) -> None:
    with Parrot(sent, close=True) as parrot:
        with pytest.raises(Broken) as caught:
            exchange(Connection("localhost", parrot.port, tls=False, environ={}))
    assert (caught.value.kind, caught.value.ambiguous) == (kind, True)


class Replayed:
    """A reader of bytes that are there already, cut anywhere."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def receive(self, deadline: float) -> bytes:
        if not self._pieces:
            raise EOFError
        return self._pieces.pop(0)


@given(st.lists(st.binary(min_size=1), max_size=5), st.integers(1, 50))
def test_it_does_not_matter_where_the_network_cuts_an_answer(chunks: list[bytes], cut: int) -> None:
    from log_capture.net.http import Reader

    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    pieces = [sent[start : start + cut] for start in range(0, len(sent), cut)]
    replayed: Any = Replayed(pieces)
    answer, keep = read_answer(Reader(replayed, 0.0))
    assert answer.body == b"".join(chunks)
    assert keep


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(clock: Clock) -> None:
    with Parrot(b"HTTP/1.1 204 No\r\n\r\n") as parrot:
        connection = Connection("localhost", parrot.port, tls=False, environ={}, clock=clock)
        for jump_s in (0.0, IDLE_S / 2, IDLE_S / 2, IDLE_S + 0.1):
            clock.ahead_s += jump_s
            exchange(connection)
        connection.close()
    assert parrot.connections == 2


def test_a_connection_is_trusted_for_as_long_as_other_sdks_trust_theirs() -> None:
    """The AWS SDK for Java 2 and Apache's client validate a connection again after that much inactivity."""
    assert IDLE_S == 5.0


def test_whatever_is_readable_between_two_requests_ends_the_connection(authority: Authority, tmp_path: Path) -> None:
    bundle = str(authority.write(tmp_path / "ca.pem"))
    with Parrot(b"HTTP/1.1 204 No\r\n\r\n", tls=authority.server()) as parrot:
        connection = Connection("localhost", parrot.port, tls=True, environ={"AWS_CA_BUNDLE": bundle})
        exchange(connection)
        parrot.answer = b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 408 Too late\r\n\r\n"
        exchange(connection)
        exchange(connection)
        connection.close()
    assert parrot.connections == 2


def test_a_goodbye_that_came_between_two_requests_leaves_nothing_unclear() -> None:
    """Nothing is sent on a connection that is known to be closed, so nothing can have been taken."""
    with Parrot(b"HTTP/1.1 204 No\r\n\r\n", close=True) as parrot:
        connection = Connection("localhost", parrot.port, tls=False, environ={})
        exchange(connection)
        assert connection._poll.poll(20_000), "the goodbye has arrived"
    with pytest.raises(Broken) as caught:
        exchange(connection)
    assert (caught.value.kind, caught.value.ambiguous) == (CONNECT, False)


@pytest.fixture(params=[PrivateContext, PublicContext])
def make_context(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_both_ways_to_tls_serve(make_context: Any, authority: Authority, tmp_path: Path) -> None:
    environ = {"AWS_CA_BUNDLE": str(authority.write(tmp_path / "ca.pem"))}
    with Parrot(b"HTTP/1.1 204 No\r\n\r\n", tls=authority.server()) as parrot:
        connection = Connection("localhost", parrot.port, tls=True, environ=environ, make_context=make_context)
        for _ in range(3):
            assert exchange(connection).status == 204
        connection.close()
    assert parrot.connections == 1


def test_both_ways_to_tls_demand_at_least_tls_1_2(make_context: Any, authority: Authority, tmp_path: Path) -> None:
    """AWS's endpoints speak nothing older, so whoever offers it is somebody else."""
    context = make_context(str(authority.write(tmp_path / "ca.pem")))
    assert context._context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_both_ways_to_tls_demand_the_right_name_and_authority(
    make_context: Any, authority: Authority, tmp_path: Path
) -> None:
    for name, trusted in (("example.com", authority), ("localhost", Authority())):
        environ = {"AWS_CA_BUNDLE": str(trusted.write(tmp_path / "ca.pem"))}
        with Parrot(b"", tls=authority.server(name)) as parrot:
            connection = Connection("localhost", parrot.port, tls=True, environ=environ, make_context=make_context)
            with pytest.raises(Broken) as caught:
                exchange(connection)
        assert (caught.value.kind, caught.value.code, caught.value.ambiguous) == (CONNECT, "TLS", False)


def test_the_next_bundle_is_tried_when_the_first_does_not_know_the_authority(
    make_context: Any, authority: Authority, tmp_path: Path
) -> None:
    environ = {"AWS_CA_BUNDLE": str(Authority().write(tmp_path / "strangers.pem"))}
    with Parrot(b"HTTP/1.1 204 No\r\n\r\n", tls=authority.server()) as parrot:
        connection = Connection("localhost", parrot.port, tls=True, environ=environ, make_context=make_context)
        connection._bundles.append(str(authority.write(tmp_path / "ca.pem")))
        for _ in range(2):
            assert exchange(connection).status == 204
        connection.close()
    assert parrot.connections == 2  # the one that failed, and the one that is kept


def test_a_bundle_that_is_not_there_fails_clearly() -> None:
    with Parrot(b"", tls=None) as parrot:
        connection = Connection("localhost", parrot.port, tls=True, environ={"AWS_CA_BUNDLE": "/no/such/file"})
        with pytest.raises(Broken) as caught:
            exchange(connection)
    assert (caught.value.kind, caught.value.code) == (CONNECT, "ENOENT")
