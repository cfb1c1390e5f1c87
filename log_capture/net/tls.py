"""TLS to a server whose certificate and name are verified, without the import of `ssl`.

`import ssl` and `import socket` take 17 to 20 ms, the C module `_ssl` below them 5 (CPython 3.11, 2 cores); and a
function that patches `ssl` (gevent) finds it as if nobody had used it. `_ssl` is private: where it is not as
expected, the public module does the same.
"""

from __future__ import annotations

import os
import sys

from ..process.importing import import_beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping
    from typing import Any

#: The roots below every certificate of Amazon's public endpoints: https://www.amazontrust.com/repository/ lists them,
#: and the file says which bundle they were copied from, with fingerprints. Five instead of 140 load in 0.8 instead of
#: 17 ms.
AMAZON_ROOTS = os.path.join(os.path.dirname(__file__), "amazon-roots.pem")

#: Where systems keep the certificates they trust: Amazon Linux, Debian, Alpine.
_SYSTEM_BUNDLES = (
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
)
#: What the AWS SDK for Python trusts; found on `sys.path`, not imported.
_PACKAGED_BUNDLES = (("certifi", "cacert.pem"), ("botocore", "cacert.pem"))


class Wrapped:
    """A connected socket under TLS: the socket whose time-out counts, and its `send`, `receive` and `pending`."""

    __slots__ = ("pending", "receive", "send", "sock")

    def __init__(self, sock: socket, tls: Any, send: Callable[[Any], int], receive: Callable[[int], bytes]) -> None:
        self.sock = sock
        self.send = send
        self.receive = receive
        self.pending: Callable[[], int] = tls.pending


def bundles(host: str, environ: Mapping[str, str]) -> list[str]:
    """Files of certificates to trust for `host`, to be tried in turn: the next one only if verification fails.

    `AWS_CA_BUNDLE` alone where it is set. The five Amazon roots first for Amazon's own names.
    """
    chosen = environ.get("AWS_CA_BUNDLE")
    if chosen:
        return [chosen]
    everything = _find_bundle()
    return [AMAZON_ROOTS, everything] if host.endswith(".amazonaws.com") else [everything]


def _find_bundle() -> str:
    """A file with all public roots; the Amazon roots if the machine has none."""
    for path in _SYSTEM_BUNDLES:
        if os.path.exists(path):
            return path
    for folder in sys.path:
        for parts in _PACKAGED_BUNDLES:
            path = os.path.join(folder, *parts)
            if os.path.exists(path):
                return path
    return AMAZON_ROOTS


def is_untrusted(error: OSError) -> bool:
    """Whether a handshake failed because the certificate leads to no root that is trusted."""
    #: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT(_LOCALLY), X509_V_ERR_*SELF_SIGNED_CERT* (openssl/x509_vfy.h)
    return getattr(error, "verify_code", 0) in (2, 18, 19, 20)


def is_tls(error: OSError) -> bool:
    """Whether TLS, not the network below it, is what failed."""
    return type(error).__name__.startswith("SSL")


class PrivateContext:
    """On `_ssl`, `ssl`'s C module. Raises AttributeError, ImportError or TypeError where that is not as expected."""

    def __init__(self, cafile: str) -> None:
        _ssl = import_beside("_ssl")

        self._cafile = cafile
        # This protocol demands a certificate that is valid and carries the right name, from the start (_ssl.c,
        # context_new).
        self._context = context = _ssl._SSLContext(_ssl.PROTOCOL_TLS_CLIENT)
        if not context.check_hostname or context.verify_mode != _ssl.CERT_REQUIRED:
            raise AttributeError("_ssl does not verify certificates by itself")
        context.minimum_version = _ssl.PROTO_TLSv1_2
        context.load_verify_locations(cafile, None, None)

    def wrap(self, sock: socket, host: str) -> Wrapped:
        """Do the handshake within the time-out of `sock`, which stays open if it fails. Raises OSError."""
        try:
            wrap: Any = self._context._wrap_socket
            tls = wrap(sock, False, host)
            handshake = tls.do_handshake
        except (AttributeError, TypeError):  # another interface than the one we know
            return PublicContext(self._cafile).wrap(sock, host)
        handshake()
        return Wrapped(sock, tls, tls.write, tls.read)


class PublicContext:
    """The same on the public `ssl`."""

    def __init__(self, cafile: str) -> None:
        import ssl

        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_verify_locations(cafile)

    def wrap(self, sock: socket, host: str) -> Wrapped:
        """See `PrivateContext.wrap`; here the socket goes over to the one that is returned."""
        import socket as public

        timeout = sock.gettimeout()
        plain = public.socket(sock.family, sock.type, sock.proto, sock.detach())
        plain.settimeout(timeout)
        try:
            tls = self._context.wrap_socket(plain, server_hostname=host)
        except BaseException:  # it goes on, but the socket does not stay open
            plain.close()
            raise
        return Wrapped(tls, tls, tls.send, tls.recv)


def make_context(cafile: str) -> PrivateContext | PublicContext:
    """What trusts the roots in `cafile`. Raises OSError (also for a file without certificates)."""
    try:
        return PrivateContext(cafile)
    except (AttributeError, ImportError, TypeError):
        return PublicContext(cafile)
