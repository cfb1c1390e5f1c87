"""What both clients promise, against the strict fake: over HTTP and over TLS, when all is well and when nothing is."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_capture.envelope.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_RECORD_BYTES
from log_capture.sending.client import Client
from log_capture.sending.failures import CONNECT, INVALID, REFUSED, RESET, SERVER, THROTTLED, TIMEOUT, PutError
from tests.fakes.firehose import (
    EXPIRED_TOKEN,
    INVALID_ARGUMENT,
    NOT_FOUND,
    OK,
    SECRET_KEY,
    TOKEN,
    Firehose,
    Key,
    Step,
    access_denied,
)
from tests.fakes.tls import Authority
from tests.log_capture.clients import client_for, environ_for, failure, put

#: Enough for a busy machine to be late by, far below what a missed deadline would take.
LATE_S = 1.5

Start = Callable[..., tuple[Firehose, Client]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(params=["direct", "boto3"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(name: str, authority: Authority, tmp_path: Path) -> Iterator[Start]:
    """Starts a fake and the client under test: `start(*script, tls=False, **of_the_fake)`."""
    with ExitStack() as stack:

        def begin(*script: Step, tls: bool = False, **options: Any) -> tuple[Firehose, Client]:
            fake = Firehose(script=script, tls=authority.server() if tls else None, **options)
            stack.enter_context(fake)
            bundle = str(authority.write(tmp_path / "ca.pem"))
            return fake, stack.enter_context(client_for(environ_for(fake, AWS_CA_BUNDLE=bundle), name))

        yield begin


@pytest.mark.parametrize("tls", [False, True])
def test_records_arrive_as_they_are_and_in_order(start: Start, tls: bool) -> None:
    fake, client = start(tls=tls)
    records = [bytes(range(256)), "naïve ☃\n".encode(), b"\n", b"x" * 100_000]
    assert put(client, *records) == [None] * 4
    assert put(client, b"last\n") == [None]
    assert fake.records() == [*records, b"last\n"]


@pytest.mark.parametrize("tls", [False, True])
def test_one_connection_serves_call_after_call(start: Start, tls: bool) -> None:
    fake, client = start(tls=tls)
    for _ in range(5):
        put(client, b"line\n")
    assert fake.connections == 1


@pytest.mark.parametrize("tls", [False, True])
def test_the_largest_batches_pass(start: Start, tls: bool) -> None:
    fake, client = start(tls=tls)
    assert put(client, *[b"line\n"] * MAX_BATCH_RECORDS) == [None] * MAX_BATCH_RECORDS
    largest = [b"x" * MAX_RECORD_BYTES] * 3 + [b"y" * (MAX_BATCH_BYTES - 3 * MAX_RECORD_BYTES)]
    assert put(client, *largest) == [None] * 4
    assert fake.records()[MAX_BATCH_RECORDS:] == largest


def test_chunked_answers_are_understood(start: Start) -> None:
    fake, client = start(chunked=True)
    for _ in range(3):
        assert put(client, b"a\n", b"b\n") == [None, None]
    assert fake.connections == 1


def test_an_arn_serves_as_well_as_a_name(start: Start) -> None:
    fake, client = start()
    put(client, b"line\n", stream="arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs")
    assert fake.records() == [b"line\n"]


def test_each_refused_record_is_named_and_the_others_are_taken(start: Start) -> None:
    fake, client = start(Step("partial", [0, 3]))
    answer = put(client, b"0", b"1", b"2", b"3", b"4")
    assert answer == ["ServiceUnavailableException", None, None, "InternalFailure", None]
    assert fake.records() == [b"1", b"2", b"4"]


@pytest.mark.parametrize(
    ("step", "kind", "code", "ambiguous"),
    [
        (Step("throttle"), THROTTLED, "ServiceUnavailableException", False),
        (Step("error", (400, "ThrottlingException", "Rate exceeded")), THROTTLED, "ThrottlingException", False),
        (Step("server_error"), SERVER, "InternalFailure", False),
        (Step("bad_gateway"), SERVER, "HTTP502", True),
        (Step("garbage"), SERVER, "BadAnswer", True),
        (Step("garbage", b"[]"), SERVER, "BadAnswer", True),
        (Step("garbage", b'{"RequestResponses":[{}]}'), SERVER, "BadAnswer", True),
        (Step("short"), SERVER, "BadAnswer", True),
        (Step("reset_before"), RESET, "ECONNRESET", True),
        (Step("reset_after"), RESET, "ECONNRESET", True),
        (Step("eof_after"), RESET, None, True),
        (access_denied(), REFUSED, "AccessDeniedException", False),
        (NOT_FOUND, REFUSED, "ResourceNotFoundException", False),
        (EXPIRED_TOKEN, REFUSED, "ExpiredTokenException", False),
        (Step("error", (400, "InvalidSourceException", "")), REFUSED, "InvalidSourceException", False),
        (Step("error", (400, "SomethingNew", "Whatever.")), REFUSED, "SomethingNew", False),
        (INVALID_ARGUMENT, INVALID, "InvalidArgumentException", False),
        (Step("error", (413, "RequestEntityTooLargeException", "")), INVALID, "RequestEntityTooLargeException", False),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, Step) else None,
)
def test_each_failure_has_its_kind(start: Start, step: Step, kind: str, code: str | None, ambiguous: bool) -> None:
    _, client = start(step)
    error = failure(client)
    assert (error.kind, error.ambiguous) == (kind, ambiguous), error
    assert error.code == code or code is None
    assert error.message
    assert error.remedy
    assert "\n" not in str(error)


def test_half_an_answer_is_an_unclear_one(start: Start) -> None:
    _, client = start(Step("truncated"))
    error = failure(client)
    assert error.kind in (RESET, SERVER)
    assert error.ambiguous


@pytest.mark.parametrize(
    "step", [Step("throttle"), Step("reset_after"), Step("garbage"), Step("truncated"), access_denied()]
)
def test_after_each_failure_the_next_call_is_served(start: Start, step: Step) -> None:
    fake, client = start(step)
    failure(client, b"first\n")
    assert put(client, b"second\n") == [None]
    assert fake.records()[-1] == b"second\n"


@pytest.mark.parametrize("step", [Step("throttle"), Step("server_error"), Step("reset_before"), Step("hang")])
def test_a_call_is_one_attempt(start: Start, step: Step) -> None:
    fake, client = start(otherwise=step)
    client.warm_up()
    failure(client, within_s=1.0)
    assert len(fake.calls) == 1


def test_an_error_names_the_stream_its_region_and_what_to_do(start: Start) -> None:
    _, client = start(access_denied(), NOT_FOUND)
    assert "grant the function's role firehose:PutRecordBatch on the stream logs in eu-west-1" in failure(client).remedy
    assert "create the delivery stream logs in eu-west-1" in failure(client).remedy


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("step", [Step("hang"), Step("slow", 0.02)], ids=["silence", "dribble"])
def test_no_answer_holds_a_call_beyond_its_deadline(start: Start, step: Step, tls: bool) -> None:
    fake, client = start(OK, step, tls=tls)
    put(client, b"line\n")
    began = time.monotonic()
    error = failure(client, within_s=0.3)
    assert 0.2 < time.monotonic() - began < 0.3 + LATE_S
    assert (error.kind, error.ambiguous) == (TIMEOUT, True)
    assert len(fake.calls) == 2


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_never_takes_the_request_holds_no_call_beyond_its_deadline(start: Start, tls: bool) -> None:
    """The connection is accepted by the kernel, then nothing: neither a handshake nor an answer."""
    fake, client = start(tls=tls, accepting=False)
    client.warm_up()
    began = time.monotonic()
    error = failure(client, b"x" * MAX_RECORD_BYTES, b"x" * MAX_RECORD_BYTES, within_s=0.3)
    assert time.monotonic() - began < 0.3 + LATE_S
    assert error.kind == (CONNECT if tls else TIMEOUT)
    assert not (tls and error.ambiguous)
    assert not fake.calls


def test_a_deadline_that_has_passed_sends_nothing(start: Start) -> None:
    fake, client = start()
    error = failure(client, within_s=-1.0)
    assert (error.kind, error.ambiguous) == (CONNECT, False)
    put(client, b"line\n")
    assert not failure(client, within_s=-1.0).ambiguous
    assert len(fake.calls) == 1


def test_nobody_listening_is_told_at_once(start: Start) -> None:
    fake, client = start()
    fake.stop()
    error = failure(client)
    assert (error.kind, error.code, error.ambiguous) == (CONNECT, "ECONNREFUSED", False)
    assert "route" in error.remedy


def test_a_name_that_does_not_exist_is_told(name: str) -> None:
    environ = {**environ_for_nothing(), "AWS_ENDPOINT_URL_FIREHOSE": "http://nowhere.invalid"}
    with client_for(environ, name) as client:
        error = failure(client)
    assert (error.kind, error.code, error.ambiguous) == (CONNECT, "DNS", False)


def environ_for_nothing() -> dict[str, str]:
    with Firehose() as fake:
        return environ_for(fake)


def test_a_certificate_of_an_unknown_authority_is_not_accepted(start: Start, tmp_path: Path) -> None:
    fake, client = start(tls=True)
    Authority().write(tmp_path / "ca.pem")
    error = failure(client)
    assert (error.kind, error.code, error.ambiguous) == (CONNECT, "TLS", False)
    assert "AWS_CA_BUNDLE" in error.remedy
    assert not fake.calls


def test_a_certificate_for_another_name_is_not_accepted(name: str, authority: Authority, tmp_path: Path) -> None:
    bundle = str(authority.write(tmp_path / "ca.pem"))
    with Firehose(tls=authority.server("example.com")) as fake:
        with client_for(environ_for(fake, AWS_CA_BUNDLE=bundle), name) as client:
            error = failure(client)
    assert (error.kind, error.code) == (CONNECT, "TLS")


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_that_ended_in_between_is_replaced_before_anything_is_sent(start: Start, tls: bool) -> None:
    fake, client = start(Step("drop"), Step("close"), tls=tls)
    for number in range(3):
        assert put(client, b"%d" % number) == [None]
    fake.drop_connections()
    assert put(client, b"3") == [None]
    assert fake.records() == [b"0", b"1", b"2", b"3"]
    assert [call.connection for call in fake.calls] == [1, 2, 3, 4]


@pytest.mark.parametrize("tls", [False, True])
def test_a_kept_connection_that_breaks_is_retried_at_once_on_a_fresh_one(start: Start, tls: bool) -> None:
    """The unclear case: the request was out, so what the first attempt may have taken comes again."""
    fake, client = start(OK, Step("reset_before"), tls=tls)
    put(client, b"0")
    assert put(client, b"1") == [None]
    assert [call.outcome for call in fake.calls] == ["ok", "reset_before", "ok"]
    assert fake.records() == [b"0", b"1"]


def test_a_second_break_in_a_row_is_for_the_caller_to_decide(start: Start) -> None:
    fake, client = start(OK, Step("reset_after"), Step("reset_before"))
    put(client, b"0")
    error = failure(client, b"1")
    assert (error.kind, error.ambiguous) == (RESET, True)
    assert len(fake.calls) == 3


def test_abort_ends_a_call_from_another_thread(start: Start) -> None:
    fake, client = start(Step("hang"))

    def abort() -> None:
        fake.wait_until(lambda: fake.calls)
        client.abort()

    aborting = threading.Thread(target=abort)
    aborting.start()
    began = time.monotonic()
    error = failure(client)
    aborting.join()
    assert time.monotonic() - began < 5.0
    assert (error.kind, error.code, error.ambiguous) == (TIMEOUT, "ABORTED", True)
    assert put(client, b"next\n") == [None]


@pytest.mark.parametrize("tls", [False, True], ids=["answer", "handshake"])
def test_abort_ends_a_call_that_waits_for_a_server_that_says_nothing(start: Start, tls: bool) -> None:
    _, client = start(tls=tls, accepting=False)
    failed = threading.Event()

    def abort() -> None:
        while not failed.wait(0.02):  # the first ones may come before the call has begun
            client.abort()

    aborting = threading.Thread(target=abort)
    aborting.start()
    error = failure(client)
    failed.set()
    aborting.join()
    assert error.kind in (CONNECT, TIMEOUT)  # as far as it had come
    assert error.code == "ABORTED"


def test_abort_without_a_call_does_no_harm(start: Start) -> None:
    fake, client = start()
    client.abort()
    put(client, b"0")
    client.abort()
    assert put(client, b"1") == [None]
    assert fake.records() == [b"0", b"1"]


def test_warming_up_touches_no_network_and_can_be_repeated(start: Start) -> None:
    fake, client = start()
    client.warm_up()
    client.warm_up()
    assert fake.connections == 0
    put(client, b"line\n")


def test_close_and_forget_leave_a_client_that_works(start: Start) -> None:
    fake, client = start()
    client.close()
    client.forget()
    put(client, b"0")
    client.close()
    client.close()
    put(client, b"1")
    client.forget()
    put(client, b"2")
    assert fake.records() == [b"0", b"1", b"2"]
    assert fake.connections == 3


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"AKIDEXAMPLE": Key("another secret", TOKEN)}, "InvalidSignatureException"),
        ({"AKIDEXAMPLE": Key(SECRET_KEY, "another token")}, "UnrecognizedClientException"),
        ({}, "UnrecognizedClientException"),
        ({"AKIDEXAMPLE": Key(SECRET_KEY, TOKEN, 1.0)}, "ExpiredTokenException"),
    ],
    ids=["secret", "token", "unknown", "expired"],
)
def test_wrong_credentials_are_refused(start: Start, keys: dict[str, Key], code: str) -> None:
    _, client = start(keys=keys)
    error = failure(client)
    assert (error.kind, error.code) == (REFUSED, code)
    assert "AWS_SESSION_TOKEN" in error.remedy


def test_a_clock_that_is_wrong_is_refused(start: Start) -> None:
    _, client = start(skew_s=600)
    error = failure(client)
    assert (error.kind, error.code) == (REFUSED, "InvalidSignatureException")
    assert "clock" in error.remedy


def test_a_stream_in_another_region_is_refused(start: Start) -> None:
    _, client = start(region="us-east-1")
    assert failure(client).kind == REFUSED


def test_a_batch_beyond_the_limits_can_never_be_taken(start: Start) -> None:
    fake, client = start()
    assert failure(client, *[b"x"] * (MAX_BATCH_RECORDS + 1)).kind == INVALID
    assert failure(client, b"x" * (MAX_RECORD_BYTES + 1)).kind == INVALID
    assert fake.records() == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # the fake's threads
def test_a_forked_child_leaves_the_parent_s_connection_alone(start: Start) -> None:
    fake, client = start()
    put(client, b"parent\n")
    child = os.fork()
    if not child:
        try:
            client.forget()
            put(client, b"child\n")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    put(client, b"parent again\n")
    assert [call.connection for call in fake.calls] == [1, 2, 1]
    assert fake.records() == [b"parent\n", b"child\n", b"parent again\n"]


#: Steps after which it is clear what was taken, and steps after which it is not.
CLEAR = [OK, Step("drop"), Step("close"), Step("throttle"), Step("partial", [0, 2]), Step("server_error")]
UNCLEAR = [Step("reset_before"), Step("reset_after"), Step("eof_after"), Step("garbage"), Step("short")]


def test_nothing_is_lost_and_nothing_comes_twice_without_an_unclear_answer(start: Start) -> None:
    """With a caller that sends again what was not taken, and only that."""
    fake, client = start()

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(CLEAR + UNCLEAR), max_size=8))
    def check(script: list[Step]) -> None:
        client.close()
        fake.clear()
        fake.play(*script)
        puts, unclear = 0, 0
        for batch in range(3):
            left = [b"%d-%d" % (batch, number) for number in range(4)]
            while left:
                puts += 1
                try:
                    codes = put(client, *left)
                except PutError as error:
                    unclear += error.ambiguous
                else:
                    left = [record for record, code in zip(left, codes, strict=True) if code is not None]
        retried = len(fake.calls) - puts  # by the client itself, on a kept connection that broke
        times = Counter(fake.records())
        assert len(times) == 12
        assert max(times.values()) <= 1 + unclear + retried
        if not any(step in UNCLEAR for step in script):
            assert (unclear, retried, max(times.values())) == (0, 0, 1)

    check()
