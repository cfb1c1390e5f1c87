"""A runtime API that takes snapshots: Lambda's, as far as the runtime client and an internal extension use it.

The emulator hands the waiting invocation to `/restore/next` and then serves no `/next`, so what comes after a restore
cannot be seen there. Paths as in the guide ("Using the Lambda runtime API", "Extensions API") and in the client.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from .http import Connection, Request, Server

_RUNTIME = "/2018-06-01/runtime"


class RuntimeApi(Server):
    """One runtime process may talk to it. `invoke` waits for the answer; `restore` lets the process go on."""

    def __init__(self) -> None:
        super().__init__()
        self.registered: list[Mapping[str, str]] = []
        self.waits_for_restore = threading.Event()
        self.errors: list[tuple[str, Any]] = []  # the path's end, the posted error
        self._restored = threading.Event()
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._count = 0

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API is."""
        return f"127.0.0.1:{self.port}"

    def restore(self) -> None:
        """The snapshot was taken, and this is a copy of it."""
        self._restored.set()

    def invoke(self, event: object, timeout_s: float = 20.0) -> bytes:
        """The body of the response, or of the error."""
        self._count += 1
        self._events.put((f"request-{self._count}", json.dumps(event).encode()))
        return self._answers.get(timeout=timeout_s)

    def stop(self) -> None:
        self._restored.set()
        super().stop()

    def handle(self, request: Request, connection: Connection) -> None:
        path = request.path
        if path == "/2020-01-01/extension/register":
            self.registered.append(request.headers)
            connection.reply(200, b"{}", {"Lambda-Extension-Identifier": "an-extension"})
        elif path == "/2020-01-01/extension/event/next":
            self.pause(None)
        elif path == f"{_RUNTIME}/restore/next":
            self.waits_for_restore.set()
            self._restored.wait()
            connection.reply(200, b"")
        elif path == f"{_RUNTIME}/invocation/next":
            self._next(connection)
        elif path.endswith("/response"):
            connection.reply(202, b"")
            self._answers.put(request.body)
        else:
            self.errors.append((path.removeprefix(_RUNTIME), json.loads(request.body)))
            connection.reply(202, b"")
            self._answers.put(request.body)

    def _next(self, connection: Connection) -> None:
        while not self.stopped:
            try:
                request_id, body = self._events.get(timeout=0.05)
            except queue.Empty:
                continue
            connection.reply(
                200,
                body,
                {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 10_000),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:function",
                    "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
                },
            )
            return
