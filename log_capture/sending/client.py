"""The seam to the service that takes batches: what the sender asks of a client. Data Firehose's are in `firehose/`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .failures import PutError


class Client:
    """Sends one batch to one stream. One per stream; the sender's thread alone calls it, `abort` excepted.

    `light`: `warm_up` takes a few milliseconds and needs no package beyond Python's own C modules.
    """

    light = True

    def warm_up(self) -> None:
        """Load libraries and certificates, without network and without credentials. Idempotent; never raises.

        What fails here fails again, and is reported, at the first `put`.
        """
        raise NotImplementedError

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        """Send 1 to 500 records, none empty; per record None if it was taken, else its error code, in the same order.

        `stream` is a name or an ARN. Raises `PutError`. Returns or raises by `deadline` (`time.monotonic()` seconds),
        give or take a few milliseconds, whatever the network does; only resolving a name is up to the C library's own
        time-outs.
        """
        raise NotImplementedError

    def refusal(self, code: str, stream: str) -> PutError:
        """What `code`, given by `put` for one record, means: only that record was not taken. Pure."""
        raise NotImplementedError

    def close(self) -> None:
        """Drop the connection. Idempotent; the next `put` makes a new one."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop connection and credentials that another process (fork), or this one before a snapshot, made.

        Says nothing on the connection: the other side may be talking to somebody else by now.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """Any thread: a `put` in flight fails at once, with the kind TIMEOUT, or CONNECT if nothing was sent."""
        raise NotImplementedError
