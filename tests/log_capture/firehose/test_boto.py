"""What only the client over botocore promises: roles, proxies, and silence."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from log_capture.firehose.boto import Boto3Client
from log_capture.firehose.gate import Gate
from log_capture.firehose.quiet import Quiet
from log_capture.sending.client import Client
from log_capture.sending.failures import CONNECT, REFUSED, SERVER
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose, Key, Step
from tests.fakes.http import Connection, Request, Server
from tests.fakes.sts import Sts
from tests.fakes.tls import Authority
from tests.log_capture.clients import client_for, environ_for, environment_of, failure, put

ROLE = "arn:aws:iam::210987654321:role/central-logs"


@contextmanager
def other_account(lifetime_s: float = 3600.0, denied: tuple[str, ...] = ()) -> Iterator[tuple[Sts, Firehose, Client]]:
    """A stream that only the role may write to."""
    with ExitStack() as stack:
        keys = {ACCESS_KEY: Key(SECRET_KEY, TOKEN)}
        sts = stack.enter_context(Sts(keys, lifetime_s=lifetime_s, denied=denied))
        fake = stack.enter_context(Firehose(keys=keys))
        environ = environ_for(fake, AWS_ENDPOINT_URL_STS=sts.url)
        client = stack.enter_context(client_for(environ, "auto", role_arn=ROLE))
        yield sts, fake, client


def test_a_role_is_assumed_once_and_late() -> None:
    with other_account() as (sts, fake, client):
        client.warm_up()
        assert sts.roles == []
        for number in range(3):
            put(client, b"%d" % number)
        assert sts.roles == [ROLE]
        assert fake.records() == [b"0", b"1", b"2"]


def test_a_role_is_assumed_again_before_it_expires() -> None:
    """botocore renews what has less than 15 minutes to live."""
    with other_account(lifetime_s=600.0) as (sts, _, client):
        put(client, b"0")
        put(client, b"1")
        assert sts.roles == [ROLE, ROLE]


def test_a_role_is_assumed_anew_after_a_restore() -> None:
    with other_account() as (sts, _, client):
        put(client, b"0")
        client.forget()
        put(client, b"1")
        assert sts.roles == [ROLE, ROLE]


def test_a_role_that_may_not_be_assumed_is_told_with_what_to_grant() -> None:
    with other_account(denied=(ROLE,)) as (_, _fake, client):
        error = failure(client)
        assert (error.kind, error.code) == (REFUSED, "AccessDenied")
        assert ROLE in error.message
        assert "sts:AssumeRole" in error.remedy


class Proxy(Server):
    """An HTTP proxy that answers for everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle(self, request: Request, connection: Connection) -> None:
        self.asked.append(request.path)
        connection.reply(503, b"{}")


def test_a_proxy_is_asked_where_one_is_set() -> None:
    with Proxy() as proxy, Firehose() as fake:
        environ = environ_for(fake, http_proxy=proxy.url, AWS_ENDPOINT_URL_FIREHOSE="http://firehose.invalid")
        with client_for(environ, "auto") as client:
            assert isinstance(client, Boto3Client)
            failure(client)
    assert proxy.asked == ["http://firehose.invalid/"]


def without(environ: dict[str, str], *parts: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not any(part in name for part in parts)}


def test_without_credentials_one_line_says_what_to_do() -> None:
    with Firehose() as fake:
        environ = without(environ_for(fake), "KEY", "TOKEN")
        with client_for(environ, "auto") as client:
            error = failure(client)
    assert (error.kind, error.code) == (REFUSED, "NoCredentials")
    assert "give the function a role" in error.remedy


def test_without_a_region_one_line_says_what_to_do() -> None:
    with Firehose() as fake:
        environ = without(environ_for(fake), "REGION", "URL")
        with client_for(environ, "auto") as client:
            error = failure(client)
    assert (error.kind, error.code) == (REFUSED, "NoRegion")


def test_without_botocore_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "botocore":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
    client = Boto3Client(region="eu-west-1", environ={})
    client.warm_up()
    error = failure(client)
    assert (error.kind, error.code) == (REFUSED, "NoBoto3")


class Heard(logging.Handler):
    """Keeps what it gets, of every level."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """The root logger at DEBUG, as a function may have it."""
    root, handler = logging.getLogger(), Heard()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_nothing_of_ours_is_logged_even_at_debug(heard: Heard, tmp_path: Path) -> None:
    authority = Authority()
    bundle = str(authority.write(tmp_path / "ca.pem"))
    script = [Step("throttle"), Step("reset_after"), Step("garbage", b"[]"), Step("bad_gateway")]
    with Firehose(script=script, tls=authority.server()) as fake:
        with client_for(environ_for(fake, AWS_CA_BUNDLE=bundle), "boto3") as client:
            client.warm_up()
            for _ in script:
                failure(client)
            put(client, b"line\n")
    assert [record.getMessage() for record in heard.records] == []


def test_what_the_function_s_own_threads_log_meanwhile_passes(heard: Heard) -> None:
    quiet = Quiet()
    logger = logging.getLogger("botocore.endpoint")
    quiet.begin()
    logger.debug("ours")
    theirs = threading.Thread(target=logger.debug, args=("theirs",))
    theirs.start()
    theirs.join()
    logging.getLogger("botocored").debug("of another library")
    quiet.end()
    logger.debug("later")
    logger.filters = [found for found in logger.filters if found is not quiet]
    assert [record.getMessage() for record in heard.records] == ["theirs", "of another library", "later"]


def test_the_import_leaves_the_warning_filters_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    from log_capture.firehose.boto import _load

    for name in list(sys.modules):
        if name.partition(".")[0] in ("botocore", "urllib3"):
            monkeypatch.delitem(sys.modules, name)
    before = list(warnings.filters)
    _load()
    assert "botocore.session" in sys.modules
    assert warnings.filters == before
    for name in list(sys.modules):
        if name.partition(".")[0] in ("botocore", "urllib3"):
            del sys.modules[name]


def lacking(name: str) -> Callable[[Gate, Any], None]:
    """As where the function's own botocore or urllib3 does not have what the gate stands on."""

    def attach(gate: Gate, client: Any) -> None:
        raise AttributeError(f"'Endpoint' object has no attribute {name!r}")

    return attach


def test_without_what_the_gate_stands_on_requests_go_out_all_the_same_and_one_line_says_what_is_missing() -> None:
    said: list[str] = []
    with Firehose() as fake:
        client = Boto3Client(
            region="eu-west-1", environ=environ_for(fake), report=said.append, attach=lacking("http_session")
        )
        with environment_of(environ_for(fake)):
            put(client, b"one")
            put(client, b"two")
            client.close()
            fake.otherwise = Step("server_error")
            error = failure(client, b"three")
        assert fake.records()[:2] == [b"one", b"two"]
    assert error.kind == SERVER
    (line,) = said
    assert "'Endpoint' object has no attribute 'http_session'" in line
    assert "FIRETEE_CLIENT=direct" in line


def test_without_the_gate_a_firehose_that_is_not_there_is_told_as_such() -> None:
    with Firehose() as fake:
        environ = environ_for(fake)
    client = Boto3Client(region="eu-west-1", environ=environ, attach=lacking("_manager"))
    with environment_of(environ):
        error = failure(client, b"one")
    assert (error.kind, error.code) == (CONNECT, "ECONNREFUSED")
    assert "a route to" in error.remedy
