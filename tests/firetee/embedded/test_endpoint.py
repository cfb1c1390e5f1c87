"""The endpoint of `firetee local --serve` answers AWS's own SDK as Lambda does."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from firetee.embedded.endpoint import Endpoint
from firetee.emulator import Response


class Function:
    """Stands for an environment: answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Mapping[str, str]]] = []
        self.answer = Response(200, b'{"done": true}', 0.01)
        self.wrote = b"hello\n"

    def __call__(self, payload: bytes, headers: Mapping[str, str]) -> tuple[Response, bytes]:
        self.asked.append((payload, headers))
        return self.answer, self.wrote


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def endpoint(function: Function) -> Iterator[Endpoint]:
    with Endpoint("orders", function) as running:
        yield running


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[Any]:
    session = boto3.session.Session(aws_access_key_id="key", aws_secret_access_key="secret", region_name="eu-west-1")
    made = session.client("lambda", endpoint_url=endpoint.url, config=Config(retries={"total_max_attempts": 1}))
    yield made
    made.close()


def test_an_invocation_has_its_event_answer_version_and_log(client: Any, function: Function) -> None:
    answer = client.invoke(FunctionName="orders", Payload=b'{"order": 17}', LogType="Tail")
    assert function.asked == [(b'{"order": 17}', {})]
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.load(answer["Payload"]) == {"done": True}
    assert base64.b64decode(answer["LogResult"]) == b"hello\n"
    assert "FunctionError" not in answer


@pytest.mark.parametrize(
    "name",
    ["orders", "orders:live", "123456789012:function:orders", "arn:aws:lambda:eu-west-1:123456789012:function:orders"],
)
def test_a_function_is_named_as_anywhere_else(client: Any, function: Function, name: str) -> None:
    client.invoke(FunctionName=name)
    assert function.asked == [(b"{}", {})]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"errorType": "ValueError", "errorMessage": "x", "requestId": "1", "stackTrace": []}', "ValueError"),
        (b"Task timed out after 1.00 seconds", "Sandbox.Timedout"),
        (
            b'{"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 1 Error: signal: killed"}',
            "Runtime.ExitError",
        ),
    ],
    ids=["error", "timeout", "crash"],
)
def test_a_failure_is_told_as_lambda_tells_it(client: Any, function: Function, body: bytes, kind: str) -> None:
    function.answer = Response(502 if b"Exit" in body else 200, body, 0.01)
    answer = client.invoke(FunctionName="orders")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.load(answer["Payload"])["errorType"] == kind


def test_an_event_is_accepted_at_once_and_run_before_the_end(
    client: Any, function: Function, endpoint: Endpoint
) -> None:
    answer = client.invoke(FunctionName="orders", InvocationType="Event", Payload=b"1")
    assert answer["StatusCode"] == 202
    assert client.invoke(FunctionName="orders", InvocationType="DryRun")["StatusCode"] == 204
    endpoint.stop()
    assert function.asked == [(b"1", {})]


def test_a_client_context_goes_along(client: Any, function: Function) -> None:
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    client.invoke(FunctionName="orders", ClientContext=context)
    assert function.asked == [(b"{}", {"x-amz-client-context": context})]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"FunctionName": "others"}, "ResourceNotFoundException"),
        ({"FunctionName": "orders", "Payload": b"{"}, "InvalidRequestContentException"),
        ({"FunctionName": "orders", "Payload": b" " * 6_291_457}, "RequestTooLargeException"),
    ],
)
def test_what_lambda_refuses_is_refused(client: Any, function: Function, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        client.invoke(**arguments)
    assert refused.value.response["Error"]["Code"] == code
    assert function.asked == []


def test_any_other_path_is_not_found(endpoint: Endpoint) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().status == 404
    connection.close()
