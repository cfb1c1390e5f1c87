"""Registration as an internal extension: what earns the process a SIGTERM, and time, before it is killed.

Extensions API, https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html. Internal extensions are
refused SHUTDOWN, so nothing is subscribed to. Every registered extension must ask for its next event once, or init
never ends; without subscriptions no answer ever comes, so the request is sent and its connection kept, and no thread
waits for it.
"""

from __future__ import annotations

import _socket

#: Any name that is not a file in /opt/extensions: that is how internal extensions are told from external ones.
NAME = "firetee"

#: The API answers within a millisecond on the loopback; a choice.
_TIMEOUT_S = 1.0


class RegistrationError(Exception):
    """The runtime API refused the registration, or did not answer."""


def register(runtime_api: str) -> _socket.socket:
    """Register at `host:port`; returns the connection on which the next event is awaited, to be kept for good.

    Raises `RegistrationError` or `OSError`.
    """
    connection = _connect(runtime_api)
    try:
        connection.settimeout(_TIMEOUT_S)
        connection.sendall(
            (
                f"POST /2020-01-01/extension/register HTTP/1.1\r\nHost: {runtime_api}\r\n"
                f"Lambda-Extension-Name: {NAME}\r\n"
                'Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"events":[]}'
            ).encode()
        )
        status, headers = _read_head(connection)
        identifier = headers.get("lambda-extension-identifier")
        if status != 200 or not identifier:
            raise RegistrationError(f"the Extensions API answered {status}")
    finally:
        connection.close()
    connection = _connect(runtime_api)
    connection.sendall(
        (
            f"GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: {runtime_api}\r\n"
            f"Lambda-Extension-Identifier: {identifier}\r\n\r\n"
        ).encode()
    )
    return connection


def _connect(runtime_api: str) -> _socket.socket:
    host, _, port = runtime_api.partition(":")
    # As bytes: text would be encoded by `encodings.idna`, which takes 2 ms to import.
    found = _socket.getaddrinfo(host.encode(), int(port or 80), 0, _socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    connection = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
    try:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(address)
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_head(connection: _socket.socket) -> tuple[int, dict[str, str]]:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(4096)
        if not data:
            raise RegistrationError("the Extensions API closed the connection")
        head += data
    first, *rest = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = dict(line.split(":", 1) for line in rest if ":" in line)
    return int(first.split()[1]), {name.strip().lower(): value.strip() for name, value in headers.items()}
