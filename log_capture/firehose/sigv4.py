"""AWS Signature Version 4 for a POST to ``/`` without a query. Pure: the time is handed in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, checked against botocore's
signer.
"""

from __future__ import annotations

import sys
from time import gmtime, strftime

from ..process.importing import import_beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .credentials import Credentials

    Digest = tuple[Callable[[bytes], str], Callable[[bytes, bytes], bytes]]


def load_digest() -> Digest:
    """SHA-256 in hex, and HMAC-SHA-256: OpenSSL's, without the import of hashlib and hmac where that can be had."""
    try:
        openssl = import_beside("_hashlib")
        hmac_digest, openssl_sha256 = openssl.hmac_digest, openssl.openssl_sha256

        def sha256(data: bytes) -> str:
            digest: str = openssl_sha256(data, usedforsecurity=True).hexdigest()
            return digest

        def hmac_sha256(key: bytes, data: bytes) -> bytes:
            digest: bytes = hmac_digest(key, data, "sha256")
            return digest

        hmac_sha256(b"a key", sha256(b"").encode())  # fails here, not later, where the private interface is another
    except (ImportError, TypeError, ValueError, AttributeError):
        known = frozenset(sys.modules)
        import hashlib
        import hmac

        for name in {"hashlib", "hmac"} - known:  # a function may have modules of these names
            sys.modules.pop(name, None)

        def sha256(data: bytes) -> str:
            return hashlib.sha256(data).hexdigest()

        def hmac_sha256(key: bytes, data: bytes) -> bytes:
            return hmac.new(key, data, hashlib.sha256).digest()

    return sha256, hmac_sha256


class Signer:
    """Signs for one region and service; keeps the signing key, which is good for a day and a secret key."""

    def __init__(self, region: str, service: str, digest: Digest | None = None) -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._parts = (region.encode(), service.encode(), b"aws4_request")
        self._sha256, self._hmac = digest or load_digest()
        self._key = b""
        self._key_of = ("", "")  # day, secret key

    def sign(self, headers: Mapping[str, str], body: bytes, credentials: Credentials, at: float) -> dict[str, str]:
        """What must be sent besides `headers`: authorization, date and, with session credentials, the token.

        `headers` are all signed: names in lower case, `host` among them, values without spaces at an end or in a row.
        `at` is in epoch seconds; Firehose accepts five minutes to either side.
        """
        stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(at))
        day = stamp[:8]
        added = {"x-amz-date": stamp}
        if credentials.token:
            added["x-amz-security-token"] = credentials.token
        signed = sorted((*headers.items(), *added.items()))
        names = ";".join([name for name, _ in signed])
        lines = "".join([f"{name}:{value}\n" for name, value in signed])
        canonical = f"POST\n/\n\n{lines}\n{names}\n{self._sha256(body)}"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{day}/{self._scope}\n{self._sha256(canonical.encode())}"
        signature = self._hmac(self._signing_key(day, credentials.secret_key), text.encode()).hex()
        added["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{day}/{self._scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return added

    def _signing_key(self, day: str, secret_key: str) -> bytes:
        if self._key_of != (day, secret_key):
            key = b"AWS4" + secret_key.encode()
            for part in (day.encode(), *self._parts):
                key = self._hmac(key, part)
            self._key, self._key_of = key, (day, secret_key)
        return self._key
