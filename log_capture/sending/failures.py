"""What can go wrong with a batch, whatever it is sent to."""

from __future__ import annotations

from ..net.failures import CONNECT, RESET, SERVER, STALE, TIMEOUT

__all__ = ("CONNECT", "INVALID", "REFUSED", "RESET", "SERVER", "STALE", "THROTTLED", "TIMEOUT", "PutError")

THROTTLED = "throttled"  # asked to slow down: nothing was taken
REFUSED = "refused"  # for good, until someone grants, creates or changes something
INVALID = "invalid"  # this batch can never be taken; another one can


class PutError(Exception):
    """A whole batch failed.

    `kind` is one of the constants above, `code` the service's code or the name of the `errno`. `message` says in a
    clause what happened, `remedy` in another what to grant, create or change; both without a full stop. `ambiguous`:
    the service may have taken the records all the same, so sending them again may repeat them.
    """

    def __init__(self, kind: str, code: str, message: str, remedy: str, *, ambiguous: bool = False) -> None:
        super().__init__(kind, code, message, remedy)
        self.kind = kind
        self.code = code
        self.message = message
        self.remedy = remedy
        self.ambiguous = ambiguous

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"
