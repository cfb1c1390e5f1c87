"""One kept-alive HTTP/1.1 connection on which every operation ends by a deadline.

Guarantees
----------
* `exchange` returns or raises by its deadline, however slowly the other side dribbles; resolving the name alone is up
  to the C library.
* A request is sent a second time only if a *kept* connection ended without one byte of answer: at once, on a fresh one.
  Most dead connections are found before anything is sent (by age, or by `poll`), or while sending, when the other
  side cannot have the whole request. Only where the whole request was out is that an unclear answer, and
  `Broken.ambiguous` stays set.
* A connection on which anything unexpected happened is never used again.

It uses the C module `_socket`: see `tls.py`. One thread at a time; `abort` may come from any.
"""

from __future__ import annotations

try:
    import _socket
except ImportError:  # a Python that we do not know
    import socket as _socket  # type: ignore[no-redef]
from functools import partial
from select import POLLIN, poll
from time import monotonic

from ..process.own_fd import identity, raised
from ..process.signal_lock import SignalLock
from .failures import CONNECT, RESET, SERVER, STALE, TIMEOUT
from .tls import bundles, is_tls, is_untrusted, make_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .tls import PrivateContext, PublicContext, Wrapped

#: A connection idle for longer is not used again, because the environment may have been frozen meanwhile: the other
#: side's goodbye is then not here yet, and nothing tells that it is dead. The AWS SDK for Java distrusts a connection
#: after the same time (`DEFAULT_VALIDATE_AFTER_INACTIVITY_IN_MILLIS`). The price is a handshake every 5 s at most.
IDLE_S = 5.0

#: Bounds of an answer (choices): 500 entries, each an id of 224 characters or an error, are below 200,000 bytes.
_MAX_HEAD = 65_536
_MAX_BODY = 4_194_304

#: Up to here head and body go out in one piece; beyond, copying costs more than the second call (a choice).
_ONE_PIECE = 65_536
_RECEIVE = 16_384  # a TLS record's content at most (RFC 8446, 5.1): there is never more at once


class Answer:
    """What a request gets; `headers` have their names in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Broken(Exception):
    """No answer: `kind` as in `firehose`, `code` the name of the errno or ``DNS``, ``TLS``, ``ABORTED``, ``EOF``,
    ``HTTP``.

    `ambiguous`: the whole request was handed to the network at least once.
    """

    def __init__(self, kind: str, code: str, detail: str = "", *, ambiguous: bool = False) -> None:
        super().__init__(kind, code, detail)
        self.kind = kind
        self.code = code
        self.detail = detail
        self.ambiguous = ambiguous


class Socket(_socket.SocketType):
    """The C class cannot be referred to weakly, and `_ssl` does that."""

    __slots__ = ("__weakref__",)


class Connection:
    """To one host and port; connects when it must. With `tls`, certificates are verified (`tls.bundles`)."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: bool,
        environ: Mapping[str, str],
        idle_s: float = IDLE_S,
        make_context: Callable[[str], PrivateContext | PublicContext] = make_context,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.host = host
        self.port = port
        self._bundles = bundles(host, environ) if tls else []
        self._make_context = make_context
        self._context: PrivateContext | PublicContext | None = None
        self._idle_s = idle_s
        self._clock = clock
        self._identity: tuple[int, int] | None = None  # of the socket
        self._guard = SignalLock()  # between `abort` and closing: a closed descriptor's number may be another file's
        self._sock: _socket.socket | None = None
        self._wrapped: Wrapped | None = None
        self._poll = poll()
        self._used_at = 0.0
        self.aborted = False

    # ---- life ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Load what TLS needs. Raises OSError if the certificates cannot be read."""
        if self._bundles and self._context is None:
            self._context = self._make_context(self._bundles[0])

    def close(self) -> None:
        """Drop the connection, without a word on it."""
        self._guard.hold(self._drop)

    def _drop(self) -> None:
        sock, self._sock, self._wrapped = self._sock, None, None
        if sock is not None:
            self._poll = poll()
            if identity(sock.fileno()) == self._identity:
                sock.close()
            else:
                sock.detach()  # the function has closed it, and what has its number now is the function's

    def forget(self) -> None:
        """`close` in a forked child or a restored snapshot, where another thread may have held the lock for ever."""
        self._guard = SignalLock()
        self.close()

    def abort(self) -> None:
        """Any thread: what is in flight fails at once. Lasts until `aborted` is set to False."""
        self.aborted = True
        self._guard.hold(self._shut_down)

    def _shut_down(self) -> None:
        if self._sock is not None and identity(self._sock.fileno()) == self._identity:
            try:
                self._sock.shutdown(_socket.SHUT_RDWR)
            except OSError:  # not connected yet, or no longer
                pass

    # ---- one request and its answer ------------------------------------------------------------------------------

    def exchange(self, head: bytes, body: bytes, deadline: float) -> Answer:
        """Send a request, return its answer; `deadline` is in seconds of the clock. Raises `Broken`."""
        lost = False  # an unclear answer came before
        if self._is_usable():
            try:
                return self._attempt(head, body, deadline, kept=True)
            except Broken as broken:
                if broken.kind != STALE:
                    raise
                lost = broken.ambiguous
        try:
            self._connect(deadline)
            return self._attempt(head, body, deadline, kept=False)
        except Broken as broken:
            broken.ambiguous = broken.ambiguous or lost
            raise

    def _is_usable(self) -> bool:
        """Whether there is a kept connection that is young and silent; drops it if not.

        Whatever there is to read between two requests is the other side's goodbye.
        """
        if self._sock is None:
            return False
        if identity(self._sock.fileno()) != self._identity:
            self.close()
            return False
        pending = self._wrapped is not None and self._wrapped.pending()
        if self._clock() - self._used_at > self._idle_s or pending or self._poll.poll(0):
            self.close()
            return False
        return True

    def _attempt(self, head: bytes, body: bytes, deadline: float, *, kept: bool) -> Answer:
        sent = False
        reader = Reader(self, deadline)
        try:
            if len(body) <= _ONE_PIECE:
                self._send(head + body, deadline)
            else:
                self._send(head, deadline)
                self._send(body, deadline)
            sent = True
            answer, keep = read_answer(reader)
        except BaseException as error:  # whatever it is, half an exchange leaves no connection to keep
            self.close()
            if not isinstance(error, (OSError, EOFError, ValueError)):
                raise
            raise self._broken(error, sent=sent, silent=kept and not reader.received) from error
        if keep and not reader.left:
            self._used_at = self._clock()
        else:
            self.close()
        return answer

    def _broken(self, error: Exception, *, sent: bool, silent: bool) -> Broken:
        if self.aborted:
            return Broken(TIMEOUT, "ABORTED", ambiguous=sent)
        if isinstance(error, TimeoutError):
            return Broken(TIMEOUT, "ETIMEDOUT", ambiguous=sent)
        if isinstance(error, ValueError):
            return Broken(SERVER, "HTTP", str(error), ambiguous=True)
        code = "EOF" if isinstance(error, EOFError) else name_of(error)
        return Broken(STALE if silent else RESET, code, str(error), ambiguous=sent)

    # ---- connecting ----------------------------------------------------------------------------------------------

    def _connect(self, deadline: float) -> None:
        """Connect, by all addresses in turn, and with the next bundle of certificates if the first leads nowhere."""
        try:
            self._left(deadline)
            self._connect_any(deadline)
            self._start_tls(deadline)
        except OSError as error:
            self.close()
            code = "ABORTED" if self.aborted else name_of(error)
            raise Broken(CONNECT, code, str(error)) from error
        assert self._sock is not None
        self._poll.register(self._sock.fileno(), POLLIN)

    def _connect_any(self, deadline: float) -> None:
        # As bytes: a `str` would load the codec "idna", 5 ms.
        addresses = _socket.getaddrinfo(self.host.encode(), self.port, 0, _socket.SOCK_STREAM)
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            left = self._left(deadline) / (len(addresses) - number)
            sock = Socket(family, kind, protocol)
            sock = Socket(family, kind, protocol, raised(sock.detach()))
            self._identity = identity(sock.fileno())
            self._sock = sock
            try:
                sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
                sock.settimeout(left)
                sock.connect(address)
                self._left(deadline)  # an `abort` looks like success here
                return
            except OSError:
                self.close()
                if number == len(addresses) - 1:
                    raise

    def _start_tls(self, deadline: float) -> None:
        while self._bundles:
            sock = self._sock
            assert sock is not None
            sock.settimeout(self._left(deadline))
            try:
                self.prepare()
                assert self._context is not None
                wrapped = self._context.wrap(sock, self.host)
                self._guard.hold(partial(self._keep, wrapped))
                self._left(deadline)
                return
            except OSError as error:
                if not is_untrusted(error) or len(self._bundles) == 1:
                    raise
                self._bundles = self._bundles[1:]
                self._context = None
                self.close()
                self._connect_any(deadline)

    def _keep(self, wrapped: Wrapped) -> None:
        self._wrapped, self._sock = wrapped, wrapped.sock

    # ---- bytes ---------------------------------------------------------------------------------------------------

    def _left(self, deadline: float) -> float:
        """Seconds until the deadline; raises TimeoutError if there are none, or after `abort`."""
        left = deadline - self._clock()
        if left <= 0 or self.aborted:
            raise TimeoutError("the deadline has passed")
        return left

    def _ready(self, deadline: float) -> _socket.socket:
        sock = self._sock
        assert sock is not None
        sock.settimeout(self._left(deadline))
        return sock

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            sock = self._ready(deadline)
            view = view[(self._wrapped.send if self._wrapped else sock.send)(view) :]

    def receive(self, deadline: float) -> bytes:
        """Some bytes; raises EOFError at the end, OSError."""
        sock = self._ready(deadline)
        data = (self._wrapped.receive if self._wrapped else sock.recv)(_RECEIVE)
        if not data:
            raise EOFError("the other side closed the connection")
        return data


class Reader:
    """The bytes of one answer. `received`: whether there were any; `left`: those that are beyond what was asked for."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self.left = b""
        self.received = False

    def _more(self) -> None:
        self.left += self._connection.receive(self._deadline)
        self.received = True

    def until(self, end: bytes) -> bytes:
        """The bytes before `end`, which is consumed."""
        while (found := self.left.find(end)) < 0:
            if len(self.left) > _MAX_HEAD:
                raise ValueError("an endless header")
            self._more()
        data, self.left = self.left[:found], self.left[found + len(end) :]
        return data

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        if not 0 <= size <= _MAX_BODY:
            raise ValueError(f"an answer of {size} bytes")
        while len(self.left) < size:
            self._more()
        data, self.left = self.left[:size], self.left[size:]
        return data

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        while len(self.left) <= _MAX_BODY:
            try:
                self._more()
            except EOFError:
                data, self.left = self.left, b""
                return data
        raise ValueError("an endless answer")


def read_answer(reader: Reader) -> tuple[Answer, bool]:
    """Parse one answer (RFC 9112), and say whether the connection may be kept. Raises ValueError if it is not HTTP."""
    version, status, headers = "", 100, dict[str, str]()
    while 100 <= status < 200:  # interim answers
        first, *lines = reader.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise ValueError(f"not HTTP: {first[:80]!r}")
        status = int(rest[:3])
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
    keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in (204, 304):
        body = b""
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(reader)
    elif "content-length" in headers:
        body = reader.exactly(int(headers["content-length"]))
    else:
        body, keep = reader.rest(), False
    return Answer(status, headers, body), keep


def _chunks(reader: Reader) -> bytes:
    parts: list[bytes] = []
    total = 0
    while size := int(reader.until(b"\r\n").partition(b";")[0], 16):
        total += size
        if not 0 < size <= total <= _MAX_BODY:
            raise ValueError(f"an answer of {total} bytes")
        parts.append(reader.exactly(size))
        if reader.exactly(2) != b"\r\n":
            raise ValueError("a chunk without an end")
    while reader.until(b"\r\n"):  # trailers
        pass
    return b"".join(parts)


def name_of(error: Exception) -> str:
    """``DNS``, ``TLS``, or the name of the errno."""
    from errno import errorcode

    if isinstance(error, _socket.gaierror):
        return "DNS"
    if isinstance(error, TimeoutError):
        return "ETIMEDOUT"
    if isinstance(error, OSError) and is_tls(error):
        return "TLS"
    return errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
