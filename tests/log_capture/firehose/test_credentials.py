"""Credentials from the environment and the container endpoint: fetched late, renewed early, within the deadline."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.firehose.credentials import RENEW_S, RETRY_S, ContainerCredentials, EnvironmentCredentials, epoch
from log_capture.sending.failures import CONNECT, REFUSED, SERVER, PutError
from tests.fakes.firehose import ACCESS_KEY, Firehose
from tests.fakes.sts import ContainerCredentials as Endpoint
from tests.fakes.sts import Lent
from tests.log_capture.clients import client_for, environ_for, put

TOKEN = {"AWS_CONTAINER_AUTHORIZATION_TOKEN": Endpoint.AUTHORIZATION}


class Clock:
    """Epoch seconds; runs with the real clock, and jumps when told to."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@contextmanager
def provider(
    *script: Lent | bytes | int | None, environ: dict[str, str] | None = None
) -> Iterator[tuple[Endpoint, ContainerCredentials, Clock]]:
    clock = Clock()
    with Endpoint(script or (Lent(),)) as endpoint:
        given = TOKEN if environ is None else environ
        yield (
            endpoint,
            ContainerCredentials("127.0.0.1", endpoint.port, "/credentials", given, wall_clock=clock),
            clock,
        )


def soon() -> float:
    return time.monotonic() + 20.0


@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2399, 12, 31)))
def test_times_are_read_as_datetime_reads_them(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert epoch(f"{moment.isoformat()}Z") == moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    assert epoch(f"{moment.isoformat()}.250Z") == moment.replace(tzinfo=datetime.timezone.utc).timestamp() + 0.25


@pytest.mark.parametrize("text", ["", "soon", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T00:00:00+01:00"])
def test_what_is_no_time_in_utc_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        epoch(text)


def test_the_environment_may_have_no_session_token() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": ""}
    found = EnvironmentCredentials(environ).get(soon())
    assert (found.access_key, found.secret_key, found.token, found.expires) == ("AKID", "secret", None, None)


def test_they_are_fetched_once_at_the_first_need() -> None:
    with provider() as (endpoint, credentials, _):
        assert endpoint.fetched == 0
        assert credentials.get(soon()).access_key == ACCESS_KEY
        credentials.get(soon())
    assert endpoint.fetched == 1


def test_they_are_renewed_ahead_of_their_end() -> None:
    with provider(Lent("first"), Lent("second")) as (_, credentials, clock):
        assert credentials.get(soon()).access_key == "first"
        clock.ahead_s = 3600.0 - RENEW_S - 5.0
        assert credentials.get(soon()).access_key == "first"
        clock.ahead_s = 3600.0 - RENEW_S + 5.0
        assert credentials.get(soon()).access_key == "second"


def test_short_lived_ones_are_not_fetched_for_every_call() -> None:
    with provider(Lent(lifetime_s=60.0)) as (endpoint, credentials, _):
        for _ in range(5):
            credentials.get(soon())
    assert endpoint.fetched == 1


@pytest.mark.parametrize("failing", [500, b"noise", None], ids=["refused", "garbage", "silent"])
def test_while_the_old_ones_are_good_renewing_may_fail(failing: bytes | int | None) -> None:
    with provider(Lent("first"), failing) as (endpoint, credentials, clock):
        credentials.get(soon())
        clock.ahead_s = 3600.0 - RENEW_S + 5.0
        for _ in range(3):
            assert credentials.get(time.monotonic() + 0.8).access_key == "first"
        assert endpoint.fetched == 2
        clock.ahead_s += RETRY_S + 1.0
        credentials.get(time.monotonic() + 0.8)
        assert endpoint.fetched == 3
        clock.ahead_s += RENEW_S
        with pytest.raises(PutError):
            credentials.get(time.monotonic() + 0.2)


@pytest.mark.parametrize(
    ("entry", "kind", "code"),
    [
        (403, REFUSED, "HTTP403"),
        (404, REFUSED, "HTTP404"),
        (429, SERVER, "HTTP429"),
        (500, SERVER, "HTTP500"),
        (b"noise", SERVER, "BadAnswer"),
        (b"[]", SERVER, "BadAnswer"),
        (b'{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c"}', SERVER, "BadAnswer"),
        (None, CONNECT, "ETIMEDOUT"),
    ],
)
def test_each_failure_has_its_kind_and_a_remedy(entry: bytes | int | None, kind: str, code: str) -> None:
    with provider(entry) as (_, credentials, _clock), pytest.raises(PutError) as caught:
        credentials.get(time.monotonic() + (0.2 if entry is None else 20.0))
    assert (caught.value.kind, caught.value.code, caught.value.ambiguous) == (kind, code, False)
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in caught.value.remedy


def test_the_token_may_be_in_a_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("stale\n")
    with provider(environ={"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path)}) as (_, credentials, _clock):
        with pytest.raises(PutError, match="HTTP401"):
            credentials.get(soon())
        path.write_text(f"{Endpoint.AUTHORIZATION}\n")
        assert credentials.get(soon()).access_key == ACCESS_KEY
        path.unlink()
        credentials.forget()
        with pytest.raises(PutError, match="TokenFile"):
            credentials.get(soon())


@contextmanager
def restored(name: str, *script: Lent) -> Iterator[tuple[Endpoint, Firehose, dict[str, str]]]:
    """A function with SnapStart: no keys in the environment, an endpoint instead."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(Endpoint(script or (Lent(),)))
        fake = stack.enter_context(Firehose())
        environ = {variable: value for variable, value in environ_for(fake).items() if "KEY" not in variable}
        del environ["AWS_SESSION_TOKEN"]
        environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://localhost:{endpoint.port}/credentials"
        yield endpoint, fake, environ | TOKEN


@pytest.mark.parametrize("name", ["direct", "boto3"])
def test_with_snapstart_nothing_is_fetched_before_the_first_put_and_everything_anew_after_the_restore(
    name: str,
) -> None:
    with restored(name) as (endpoint, fake, environ), client_for(environ, name) as client:
        client.warm_up()
        assert (endpoint.fetched, fake.connections) == (0, 0)
        put(client, b"before\n")
        client.forget()
        put(client, b"after\n")
        assert endpoint.fetched == 2
        assert fake.records() == [b"before\n", b"after\n"]


def test_credentials_that_firehose_refuses_are_fetched_again_at_once() -> None:
    with restored("direct", Lent("REVOKED"), Lent()) as (endpoint, fake, environ):
        with client_for(environ, "direct") as client:
            assert put(client, b"line\n") == [None]
    assert endpoint.fetched == 2
    assert [call.outcome for call in fake.calls] == ["UnrecognizedClientException", "ok"]
