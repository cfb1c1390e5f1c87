"""Holds botocore's connections to a deadline, and ends them from any thread.

botocore has time-outs for single reads only, so a server that dribbles can hold a call for ever. The connections of our
clients are therefore of classes that leave a second descriptor of their socket here; when the deadline comes, a thread
that lives as long as the call shuts the socket down through it, and so does `abort`. Nothing is patched: the classes go
into our clients' own connection pools.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from functools import partial

from ..process.own_threads import leave_signals_to_others
from ..process.signal_lock import SignalLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket
    from typing import Any


class Gate:
    """What the client's connections pass: knows how far a call got, and can end it from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._guard = SignalLock()
        self._handles: dict[int, socket] = {}  # a second descriptor of each open connection's socket
        self._call = allocate_lock()
        self._deadline = 0.0
        self.attached = True  # the client's connections pass here
        self.aborted = False
        self.ended = False  # the deadline came
        self.used = False  # a connection was asked for
        self.connected = False  # and one was there
        self.fresh = False  # made for this call
        self.sent = False  # the whole request was handed to the network
        self.answered = False  # an answer began
        self.host = ""

    def open(self, deadline: float) -> None:
        """A call begins. The thread that watches over it ends with it; where none can be started, nothing does."""
        self.ended = self.used = self.connected = self.fresh = self.sent = self.answered = False
        self._deadline = deadline
        self._call = call = allocate_lock()
        call.acquire()
        try:
            start_new_thread(self._watch, (call, deadline))
        except RuntimeError:  # the interpreter is shutting down (CPython 3.12), or out of threads
            pass  # the time-outs of single reads still hold

    def shut(self) -> None:
        """The call is over."""
        self._call.release()

    def _watch(self, call: Any, deadline: float) -> None:
        leave_signals_to_others()
        if not call.acquire(True, max(0.0, deadline - self._clock())):
            self._guard.hold(partial(self._end, call))

    def _end(self, call: Any) -> None:
        if call is self._call and call.locked():
            self.ended = True
            self._break()

    def abort(self) -> None:
        """Any thread: end the call."""
        self.aborted = True
        self._guard.hold(self._break)

    def _break(self) -> None:
        from socket import SHUT_RDWR

        for handle in list(self._handles.values()):
            try:
                handle.shutdown(SHUT_RDWR)
            except OSError:  # gone already
                pass

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError if there are none."""
        left = self._deadline - self._clock()
        if left <= 0 or self.aborted:
            self.ended = True
            raise TimeoutError("the deadline has passed")
        return left

    def watch(self, key: int, sock: socket) -> None:
        """A connection is being made."""
        self._handles[key] = sock.dup()

    def unwatch(self, key: int) -> None:
        """It was closed."""
        self._guard.hold(partial(self._close, key))

    def _close(self, key: int) -> None:
        handle = self._handles.pop(key, None)
        if handle is not None:
            handle.close()

    def close(self) -> None:
        """All were closed."""
        for key in list(self._handles):
            self.unwatch(key)

    def forget(self) -> None:
        """Another thread may have held the lock for ever when this process was forked."""
        self._guard = SignalLock()


def pool_classes(gate: Gate) -> dict[str, Any]:
    """urllib3's pools by scheme, whose connections tell the gate what they do."""
    from botocore.awsrequest import (
        AWSHTTPConnection,
        AWSHTTPConnectionPool,
        AWSHTTPSConnection,
        AWSHTTPSConnectionPool,
    )
    from urllib3.exceptions import NewConnectionError

    class Watched:
        """Mixed into urllib3's connection classes; the sender's thread only."""

        host: str
        port: int
        sock: socket | None
        socket_options: Sequence[Any] | None
        _dns_host: str

        def _new_conn(self) -> socket:  # urllib3 2 and 1.26 make their connections here; see `attach`
            gate.used, gate.fresh, gate.host = True, True, self.host
            try:
                return _connect(self._dns_host, self.port, self.socket_options, gate, id(self))
            except OSError as error:
                raise NewConnectionError(self, f"no connection: {error}") from error  # type: ignore[arg-type]

        def connect(self) -> None:
            super().connect()  # type: ignore[misc]
            gate.connected = True

        def request(self, *args: Any, **kwargs: Any) -> None:
            gate.used, gate.sent, gate.answered, gate.host = True, False, False, self.host
            if self.sock is not None:
                gate.connected = True
                self.sock.settimeout(gate.left())
            super().request(*args, **kwargs)  # type: ignore[misc]

        def getresponse(self, *args: Any, **kwargs: Any) -> Any:
            gate.sent = True
            answer = super().getresponse(*args, **kwargs)  # type: ignore[misc]
            gate.answered = True
            return answer

        def close(self) -> None:
            super().close()  # type: ignore[misc]
            gate.unwatch(id(self))

    class Plain(Watched, AWSHTTPConnection):  # type: ignore[misc]  # botocore's stubs contradict themselves
        pass

    class Secure(Watched, AWSHTTPSConnection):  # type: ignore[misc]  # botocore's stubs contradict themselves
        pass

    class PlainPool(AWSHTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(AWSHTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def attach(gate: Gate, client: Any) -> None:
    """Have the connections of a botocore client pass the gate.

    Raises AttributeError, ImportError or TypeError where botocore or urllib3 are not as expected.
    """
    from urllib3.connection import HTTPConnection

    if not callable(HTTPConnection._new_conn):  # type: ignore[attr-defined, unused-ignore]
        raise TypeError("urllib3 makes its connections elsewhere")
    http = client._endpoint.http_session
    known, manager = http._pool_classes_by_scheme, http._manager
    # The manager holds this very dictionary, and so will those of proxies (botocore/httpsession.py, URLLib3Session).
    known.update(pool_classes(gate))
    manager.pool_classes_by_scheme = known


def _connect(host: str, port: int, options: Sequence[Any] | None, gate: Gate, key: int) -> socket:
    """By all addresses in turn, each with its share of the time left. Raises OSError."""
    import socket

    addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            gate.watch(key, sock)
            sock.settimeout(gate.left() / (len(addresses) - number))
            sock.connect(address)
            sock.settimeout(gate.left())  # an `abort` looks like success here
            return sock
        except OSError:
            sock.close()
            gate.unwatch(key)
            if number == len(addresses) - 1:
                raise
    raise OSError("the name has no address")
