"""A throw-away certificate authority, and a server's certificate for localhost that it signed."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Signs certificates for the fakes. `pem` is what a client must trust; `write` puts it into a file."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.pem = self._ca.cert_pem.bytes()

    def server(self, *names: str) -> ssl.SSLContext:
        """The context of a server called `names` (default: localhost, 127.0.0.1)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
        return context

    def write(self, path: Path) -> Path:
        path.write_bytes(self.pem)
        return path
