"""Lambda's Invoke for one function, as the AWS CLI and SDKs call it: `--endpoint-url http://127.0.0.1:9001`.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import json
import queue
import re
import threading
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from firetee.embedded.http import Connection, Request, Server, json_body
from firetee.emulator import Response

#: An event may be so large (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
MAX_PAYLOAD = 6 * 1024 * 1024
MAX_EVENT_PAYLOAD = 1024 * 1024
_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
#: `name`, `name:qualifier`, `account:function:name`, or a whole ARN.
_NAME = re.compile(r"(?:arn:aws[\w-]*:lambda:[\w-]+:)?(?:\d{12}:function:)?([\w-]+)(?::[\w$-]+)?")
#: What the emulator takes along.
_PASSED_ON = ("x-amz-client-context", "x-amzn-trace-id")
#: The emulator calls every function by this name.
_ANY = "function"

Invoke = Callable[[bytes, Mapping[str, str]], tuple[Response, bytes]]


class Endpoint(Server):
    """Listens on 127.0.0.1 while it is entered. `invoke` gets an event and headers of Invoke's, and gives the response
    and what the function wrote; it is called for one event at a time, in the order of their coming.
    """

    def __init__(self, name: str, invoke: Invoke, port: int = 0) -> None:
        super().__init__(port=port)
        self.url = f"http://127.0.0.1:{self.port}"
        self._name = name
        self._invoke = invoke
        self._one = threading.Lock()
        self._events: queue.SimpleQueue[tuple[bytes, Mapping[str, str]] | None] = queue.SimpleQueue()
        self._later = threading.Thread(target=self._run_events, name="endpoint-events")

    def __enter__(self) -> Endpoint:
        self._later.start()
        super().__enter__()
        return self

    def stop(self) -> None:
        self._events.put(None)
        self._later.join()
        super().stop()

    def handle(self, request: Request, connection: Connection) -> None:
        path = _PATH.fullmatch(unquote(urlsplit(request.path).path))
        if path is None or request.method != "POST":
            _refuse(connection, 404, "UnknownOperationException", "only Invoke is served here")
            return
        found = _NAME.fullmatch(path[1])
        if found is None or found[1] not in (self._name, _ANY):
            message = f"Function not found: {path[1]}; the one that is served is {self._name}"
            _refuse(connection, 404, "ResourceNotFoundException", message)
            return
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        payload = request.body or b"{}"
        if len(payload) > (MAX_EVENT_PAYLOAD if kind == "Event" else MAX_PAYLOAD):
            _refuse(connection, 413, "RequestTooLargeException", f"{len(payload)} bytes are too large for {kind}")
            return
        try:
            json.loads(payload)
        except ValueError as error:
            _refuse(
                connection, 400, "InvalidRequestContentException", f"Could not parse request body into json: {error}"
            )
            return
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        version = (parse_qs(urlsplit(request.path).query).get("Qualifier") or ["$LATEST"])[0]
        if kind == "DryRun":
            connection.reply(204, b"")
        elif kind == "Event":
            self._events.put((payload, headers))
            connection.reply(202, b"")
        elif kind == "RequestResponse":
            with self._one:
                response, wrote = self._invoke(payload, headers)
            told = {"Content-Type": "application/json", "X-Amz-Executed-Version": version}
            if response.error is not None:
                told["X-Amz-Function-Error"] = "Unhandled"
            if request.headers.get("x-amz-log-type") == "Tail":
                told["X-Amz-Log-Result"] = base64.b64encode(wrote[-4096:]).decode()
            connection.reply(200, _body(response), told)
        else:
            _refuse(connection, 400, "InvalidParameterValueException", f"no invocation type {kind}")

    def _run_events(self) -> None:
        while (event := self._events.get()) is not None:
            with self._one:
                self._invoke(*event)


def _body(response: Response) -> bytes:
    """What Lambda answers; of a timeout the emulator tells with a bare text."""
    if response.error != "timeout":
        return response.body
    return json_body({"errorType": "Sandbox.Timedout", "errorMessage": f"Error: {response.body.decode()}"})


def _refuse(connection: Connection, status: int, code: str, message: str) -> None:
    body = json_body({"Type": "User", "Message": message, "message": message})
    connection.reply(status, body, {"Content-Type": "application/json", "x-amzn-ErrorType": code})
