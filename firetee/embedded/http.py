"""A small HTTP/1.1 server on this machine, which can misbehave on purpose: the embedded services and the tests' fakes.

One thread accepts and each connection has its own. `stop` ends them all; nothing is left behind.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

#: A larger request is a mistake (a choice): 4 MiB of records in base64 are below 6 MiB, and so is what Lambda takes.
_MOST_BYTES = 64 * 1024 * 1024

T = TypeVar("T", int, bytes)


class Request(NamedTuple):
    method: str
    path: str  # as sent, with the query
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Closed(Exception):
    """The connection is over."""


class MalformedError(Exception):
    """What came is not the HTTP/1.1 that is served here."""


class Connection:
    """One client's connection, on its own thread."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.number = number  # from 1, in the order of their coming
        self._sock = sock
        self._buffer = b""

    def read_request(self, idle_s: float | None) -> Request:
        """The next request; raises `Closed` when the client is gone or silent for `idle_s`."""
        self._sock.settimeout(idle_s)
        head = self._read_until(b"\r\n\r\n")
        self._sock.settimeout(None)
        first, *rest = head.decode("latin-1").split("\r\n")
        method, _, rest_of_it = first.partition(" ")
        path, _, version = rest_of_it.rpartition(" ")
        _demand(version == "HTTP/1.1", f"not HTTP/1.1: {first}")
        pairs = [line.partition(":") for line in rest]
        _demand(all(colon and name == name.strip() for name, colon, _ in pairs), f"malformed headers: {rest}")
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        _demand(len(headers) == len(pairs), f"a header came twice: {rest}")
        _demand(bool(headers.get("host")), "HTTP/1.1 demands the Host header (RFC 9112, 3.2)")
        length = headers.get("content-length", "0")
        _demand(length.isdecimal() and int(length) <= _MOST_BYTES, f"a body of {length} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, path, headers, self._read(int(length)))

    def reply(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, chunked: bool = False
    ) -> None:
        """Answer, in one packet if it is short."""
        fields = {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
            parts = [body[: len(body) // 2], body[len(body) // 2 :]]
            body = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in parts if part)
            body += b"0\r\nTrailer: x\r\n\r\n"
        else:
            fields["Content-Length"] = str(len(body))
        head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(head.encode("latin-1") + b"\r\n" + body)

    def send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise Closed from error

    def reset(self) -> None:
        """End the connection with a RST, not a FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed

    def close(self) -> None:
        """End the connection; what the client sends from now on is met with a RST."""
        raise Closed

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _read(self, size: int) -> bytes:
        """Straight to where it stays: what this server takes, the client that is measured waits for."""
        data = bytearray(size)
        have = min(size, len(self._buffer))
        data[:have], self._buffer = self._buffer[:have], self._buffer[have:]
        with memoryview(data) as view:
            while have < size:
                have += self._received(partial(self._sock.recv_into, view[have:]))
        return bytes(data)

    def _receive(self) -> None:
        self._buffer += self._received(partial(self._sock.recv, 1 << 16))

    def _received(self, receive: Callable[[], T]) -> T:
        """What `receive` returns, unless the connection is over."""
        try:
            received = receive()
        except OSError as error:  # a time-out is one too
            raise Closed from error
        if not received:
            raise Closed
        return received


class Server:
    """Listens on 127.0.0.1 while it is entered; a subclass says in `handle` what each request gets.

    `idle_s`: how long a connection may be silent between requests. With `tls` the context of the server's side.
    Without `accepting` connections are made, by the kernel, and then nobody is there.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        idle_s: float | None = None,
        accepting: bool = True,
    ) -> None:
        self._tls = tls
        self._idle_s = idle_s
        self._ended = threading.Event()
        self.stopped = False
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._open: set[socket.socket] = set()
        self.connections = 0  # accepted so far
        self.changed = threading.Condition()  # notified after each request
        self.malformed: list[MalformedError] = []
        self.problems: list[BaseException] = []  # what `handle` raised; `stop` raises the first
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self._accepting = threading.Thread(target=self._accept if accepting else lambda: None, name="http-accept")

    def __enter__(self) -> Any:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer one request, or misbehave; on the connection's thread."""
        raise NotImplementedError

    def stop(self) -> None:
        """Break every connection and end every thread. Raises what `handle` raised, which is a mistake of ours."""
        self.stopped = True
        self._ended.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        except OSError:
            pass
        self._accepting.join()
        self._listener.close()
        self.drop_connections()
        while self._threads:
            for thread in list(self._threads):
                thread.join()
        if self.problems:
            raise self.problems[0]

    def drop_connections(self) -> None:
        """Close every open connection, as a server does that was idle for too long, or restarts."""
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def wait_until(self, condition: Any, timeout_s: float = 10.0) -> None:
        """Wait until `condition()` is true, looking after each request; raises TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(condition, timeout_s):
                raise TimeoutError("there was no such request")

    def pause(self, seconds: float | None) -> None:
        """For `handle`: wait so long, or until `stop`."""
        self._ended.wait(seconds)

    def _accept(self) -> None:
        while not self.stopped:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                thread = threading.Thread(
                    target=self._serve, args=(sock, self.connections), name=f"http-connection-{self.connections}"
                )
                self._open.add(sock)
                self._threads.add(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        plain = sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock.settimeout(5.0)
                sock = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(sock)
            self._serve_requests(Connection(sock, number))
        except (Closed, OSError):
            pass
        except Exception as error:  # noqa: BLE001  a mistake in `handle`: whoever stops the server shall see it
            self.problems.append(error)
        finally:
            with self._lock:
                self._open -= {sock, plain}
                sock.close()
                plain.close()
                self._threads.discard(threading.current_thread())
            with self.changed:
                self.changed.notify_all()

    def _serve_requests(self, connection: Connection) -> None:
        while not self.stopped:
            try:
                request = connection.read_request(self._idle_s)
            except MalformedError as error:
                self.malformed.append(error)
                connection.reply(400, str(error).encode(), {"Content-Type": "text/plain", "Connection": "close"})
                return
            try:
                self.handle(request, connection)
            finally:
                with self.changed:
                    self.changed.notify_all()
            if request.headers.get("connection", "").lower() == "close":
                return


def _demand(fulfilled: bool, otherwise: str) -> None:
    if not fulfilled:
        raise MalformedError(otherwise)


def json_body(value: object) -> bytes:
    return json.dumps(value).encode()


def now() -> float:
    return time.time()
