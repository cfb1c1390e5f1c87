"""Registration as an internal extension: what earns the process a SIGTERM, and time, before it is killed.

Extensions API, https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html. Internal extensions are
refused SHUTDOWN, so nothing is subscribed to. Every registered extension must ask for its next event once, or init
never ends; without subscriptions no answer ever comes, so the request is sent and its connection kept, and no thread
waits for it.
"""

from __future__ import annotations

import re

from log_capture.process.own_fd import raised

try:
    import _socket
except ImportError:  # a Python that we do not know
    import socket as _socket  # type: ignore[no-redef]

#: Any name that is not a file in /opt/extensions: that is how internal extensions are told from external ones.
NAME = "firetee"

_IDENTIFIER = re.compile(rb"\r\nLambda-Extension-Identifier: *([!-~]+)", re.IGNORECASE)

#: The API answers within a millisecond on the loopback; a choice.
_TIMEOUT_S = 1.0


class RegistrationError(Exception):
    """The runtime API refused the registration, or did not answer."""


def register(runtime_api: str) -> _socket.socket:
    """Register at `host:port`; returns the connection on which the next event is awaited, to be kept for good.

    Raises `RegistrationError` or `OSError`.
    """
    # Whoever has registered and does not ask keeps the environment from starting: what could fail comes before.
    asking, waiting = _connect(runtime_api), _connect(runtime_api)
    try:
        asking.settimeout(_TIMEOUT_S)
        asking.sendall(
            (
                f"POST /2020-01-01/extension/register HTTP/1.1\r\nHost: {runtime_api}\r\n"
                f"Lambda-Extension-Name: {NAME}\r\n"
                'Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"events":[]}'
            ).encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = asking.recv(4096)
            if not data:
                raise RegistrationError("the Extensions API closed the connection")
            answer += data
        identifier = _IDENTIFIER.search(answer)
        if identifier is None:
            status = answer.partition(b"\r\n")[0].decode("latin-1")
            raise RegistrationError(f"the Extensions API answered {status}")
        waiting.sendall(
            b"GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: %b\r\nLambda-Extension-Identifier: %b\r\n\r\n"
            % (runtime_api.encode(), identifier[1])
        )
    except BaseException:  # re-raised; closed first so that nothing leaks
        waiting.close()
        raise
    finally:
        asking.close()
    return waiting


def _connect(runtime_api: str) -> _socket.socket:
    host, _, port = runtime_api.partition(":")
    # As bytes: text would be encoded by `encodings.idna`, which takes 2 ms to import.
    found = _socket.getaddrinfo(host.encode(), int(port or 80), 0, _socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    plain = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
    connection = _socket.socket(family, kind, protocol, raised(plain.detach()))
    try:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(address)
        connection.settimeout(None)
    except BaseException:  # re-raised; closed first so that nothing leaks
        connection.close()
        raise
    return connection
