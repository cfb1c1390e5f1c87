"""Stands for the platform around a runtime process: the Extensions API, and the runtime client's two modules."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any


class ExtensionsApi:
    """Answers the registration with `answer`, and never the request for the next event."""

    def __init__(self, answer: bytes) -> None:
        self.requests: list[bytes] = []
        self.waiting = threading.Event()  # the request for the next event has come
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        kept = []
        while True:
            connection, _ = self._listener.accept()
            request = connection.recv(65536)
            if not request:  # `close` woke us
                connection.close()
                break
            self.requests.append(request)
            if request.startswith(b"POST"):
                connection.sendall(self._answer)
                connection.close()
            else:
                kept.append(connection)
                self.waiting.set()
        for connection in kept:
            connection.close()

    def close(self) -> None:
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()


@contextmanager
def extensions_api(answer: bytes) -> Iterator[ExtensionsApi]:
    api = ExtensionsApi(answer)
    try:
        yield api
    finally:
        api.close()


class Invocation(SimpleNamespace):
    """What `wait_next_invocation` returns."""

    def __init__(self, request_id: str, deadline_ms: int, **more: Any) -> None:
        super().__init__(invoke_id=request_id, x_amzn_trace_id="Root=1-2-3", deadline_time_in_ms=deadline_ms, **more)


def client_module(class_name: str = "BaseLambdaRuntimeClient") -> ModuleType:
    """`awslambdaric.lambda_runtime_client`, whose methods return their name and what they were given."""
    module = ModuleType("awslambdaric.lambda_runtime_client")

    def method(name: str) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            return name, args, kwargs

        return call

    names = ("wait_next_invocation", "post_invocation_result", "post_invocation_error", "post_init_error")
    setattr(module, class_name, type(class_name, (), {name: method(name) for name in names}))
    return module
