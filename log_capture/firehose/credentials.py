"""The credentials that requests are signed with: from the environment, or from the container credentials endpoint.

Lambda sets the environment variables; with SnapStart it sets ``AWS_CONTAINER_CREDENTIALS_FULL_URI`` instead
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
"""

from __future__ import annotations

import json
from time import monotonic, time

from ..net.http import Broken, Connection
from ..sending.failures import CONNECT, REFUSED, SERVER, PutError
from .errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Renew so long before they expire: what is signed in time is served (a choice; botocore begins 15 minutes before).
RENEW_S = 600.0
#: When that fails while the old ones are good: time to the next try (a choice).
RETRY_S = 30.0
#: Part of the time left that renewing credentials which are still good may take.
_SHARE = 0.25

#: The only hosts that may be asked in the clear (the guide above, and botocore's ContainerMetadataFetcher).
PLAIN_HOSTS = ("localhost", "127.0.0.1", "169.254.170.2", "169.254.170.23")


class Credentials:
    """`token` is None for a user's own keys; `expires` is in epoch seconds, None for never.

    A class and no named tuple: that takes 0.1 ms to make.
    """

    __slots__ = ("access_key", "expires", "secret_key", "token")

    def __init__(self, access_key: str, secret_key: str, token: str | None, expires: float | None) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token
        self.expires = expires


class EnvironmentCredentials:
    """What the environment variables say; on Lambda they are good for the environment's life."""

    renewable = False

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._credentials = Credentials(
            environ["AWS_ACCESS_KEY_ID"],
            environ["AWS_SECRET_ACCESS_KEY"],
            environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN") or None,
            None,
        )

    def get(self, deadline: float) -> Credentials:
        """No network here: `deadline` is met."""
        return self._credentials

    def forget(self) -> None:
        """Nothing to fetch again."""

    def rearm(self) -> None:
        """Nothing to abort."""

    def abort(self) -> None:
        """Nothing to abort."""


class ContainerCredentials:
    """What the endpoint at `host`:`port` answers; fetched at the first `get`, renewed before it expires."""

    renewable = True

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        environ: Mapping[str, str],
        *,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._connection = Connection(host, port, tls=False, environ={})
        self._path = path
        self._environ = environ
        self._wall_clock = wall_clock
        self._credentials: Credentials | None = None
        self._renew_at = 0.0

    def get(self, deadline: float) -> Credentials:
        """Credentials that are good, fetched by `deadline` if there are none. Raises `PutError`.

        While the old ones are good, renewing may fail, and takes a share of the time left at most.
        """
        now = self._wall_clock()
        known = self._credentials
        if known is not None and now < self._renew_at:
            return known
        good = known is not None and (known.expires is None or now < known.expires)
        until = monotonic() + (deadline - monotonic()) * _SHARE if good else deadline
        try:
            fetched = self._fetch(until)
        except PutError:
            if known is None or not good:
                raise
            self._renew_at = now + RETRY_S
            return known
        self._credentials = fetched
        # Short-lived ones are renewed when half of their life is over.
        self._renew_at = (
            float("inf") if fetched.expires is None else max(fetched.expires - RENEW_S, (now + fetched.expires) / 2)
        )
        return fetched

    def forget(self) -> None:
        """Fetch anew next time: a restored snapshot's are stale."""
        self._credentials = None
        self._connection.forget()

    def rearm(self) -> None:
        """A new request begins: what was aborted was the one before."""
        self._connection.aborted = False

    def abort(self) -> None:
        """Any thread: a `get` in flight fails at once."""
        self._connection.abort()

    def _fetch(self, deadline: float) -> Credentials:
        connection = self._connection
        token = self._token()
        authorization = f"Authorization: {token}\r\n" if token else ""
        head = (
            f"GET {self._path} HTTP/1.1\r\nHost: {connection.host}:{connection.port}\r\nAccept: application/json\r\n"
            f"{authorization}Connection: close\r\n\r\n"
        )
        try:
            answer = connection.exchange(head.encode("latin-1"), b"", deadline)
        except Broken as broken:
            raise _failure(CONNECT, broken.code, broken.detail or "no answer") from broken
        finally:
            connection.close()
        if answer.status != 200:
            kind = SERVER if answer.status >= 500 or answer.status == 429 else REFUSED
            raise _failure(kind, f"HTTP{answer.status}", answer.body.decode("utf-8", "backslashreplace"))
        try:
            found = json.loads(answer.body)
            return Credentials(
                found["AccessKeyId"], found["SecretAccessKey"], found["Token"], epoch(found["Expiration"])
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _failure(SERVER, "BadAnswer", "its answer holds no credentials") from error

    def _token(self) -> str:
        """The file's content where there is one: it may change, so it is read each time."""
        path = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if not path:
            return self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        try:
            with open(path, encoding="latin-1") as file:
                return file.read().strip()
        except OSError as error:
            raise _failure(REFUSED, "TokenFile", str(error)) from error


def _failure(kind: str, code: str, detail: str) -> PutError:
    return PutError(
        kind,
        code,
        f"the credentials endpoint failed with {code}: {one_line(detail)}",
        "check AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN",
    )


def epoch(stamp: str) -> float:
    """Epoch seconds of ``2026-11-23T13:50:32Z``, a fraction of a second allowed. Raises ValueError."""
    day, _, rest = stamp.partition("T")
    year, month, date = map(int, day.split("-"))
    hour, minute, second = rest.removesuffix("Z").split(":")
    if not rest.endswith("Z") or not 1 <= month <= 12:
        raise ValueError(f"not a time in UTC: {stamp!r}")
    # Days since 1970, by the rule that a year begins in March (Hinnant, "days_from_civil").
    year -= month < 3
    in_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + date - 1
    days = 365 * year + year // 4 - year // 100 + year // 400 + in_year - 719468
    return days * 86400.0 + int(hour) * 3600 + int(minute) * 60 + float(second)
