"""The light client: requests signed here, over one kept connection, on nothing but Python's own C modules."""

from __future__ import annotations

from time import time

from ..net.http import Broken
from ..release import PRODUCT
from ..sending.client import Client
from ..sending.failures import PutError
from .errors import of_network, of_record
from .protocol import TARGET, decode_answer, encode_request
from .sigv4 import Signer, load_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..net.http import Connection
    from .credentials import ContainerCredentials, EnvironmentCredentials
    from .sigv4 import Digest

#: Answers after which credentials that can be fetched again are, at once: nothing was taken.
_OUTDATED = ("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId")


class DirectClient(Client):
    """See `Client`. `host` is the name in the request, with the port where it is not the scheme's own."""

    light = True

    def __init__(
        self,
        connection: Connection,
        credentials: EnvironmentCredentials | ContainerCredentials,
        *,
        host: str,
        region: str,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._connection = connection
        self._credentials = credentials
        self._region = region
        self._wall_clock = wall_clock
        self._signer: Signer | None = None
        self._digest: Digest | None = None
        self._signed = {"content-type": "application/x-amz-json-1.1", "host": host, "x-amz-target": TARGET}
        self._head = (
            f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {self._signed['content-type']}\r\n"
            f"X-Amz-Target: {TARGET}\r\nUser-Agent: {PRODUCT}\r\n"
        )

    def warm_up(self) -> None:
        """See `Client.warm_up`: 5 ms, most of it OpenSSL."""
        if self._digest is None:
            self._digest = load_digest()
        try:
            self._connection.prepare()
        except OSError:
            pass  # the first `put` fails with it, and says so

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        """See `Client.put`."""
        self._connection.aborted = False
        self._credentials.rearm()
        body = encode_request(stream, records)
        try:
            return self._put(stream, body, len(records), deadline)
        except PutError as error:
            if error.code not in _OUTDATED or not self._credentials.renewable:
                raise
        self._credentials.forget()
        return self._put(stream, body, len(records), deadline)

    def _put(self, stream: str, body: bytes, count: int, deadline: float) -> list[str | None]:
        head = self._signed_head(body, deadline)
        try:
            answer = self._connection.exchange(head, body, deadline)
        except Broken as broken:
            raise of_network(
                broken.kind, broken.code, broken.detail, self._signed["host"], ambiguous=broken.ambiguous
            ) from broken
        return decode_answer(answer.status, answer.body, count, stream=stream, region=self._region)

    def _signed_head(self, body: bytes, deadline: float) -> bytes:
        credentials = self._credentials.get(deadline)
        if self._signer is None:
            self._signer = Signer(self._region, "firehose", self._digest)
        added = self._signer.sign(self._signed, body, credentials, self._wall_clock())
        lines = "".join([f"{name}: {value}\r\n" for name, value in added.items()])
        return f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")

    def refusal(self, code: str, stream: str) -> PutError:
        return of_record(code, stream)

    def close(self) -> None:
        """See `Client.close`."""
        self._connection.close()

    def forget(self) -> None:
        """See `Client.forget`."""
        self._connection.forget()
        self._credentials.forget()

    def abort(self) -> None:
        """See `Client.abort`."""
        self._connection.abort()
        self._credentials.abort()
