"""The common part of the fakes: the package's small server, which here takes no malformed request."""

from __future__ import annotations

from firetee.embedded import http
from firetee.embedded.http import Closed, Connection, Request, json_body, now

__all__ = ["Closed", "Connection", "Request", "Server", "json_body", "now"]


class Server(http.Server):
    """Raises in `stop` what a request did that HTTP does not allow."""

    def stop(self) -> None:
        super().stop()
        if self.malformed:
            raise self.malformed[0]
