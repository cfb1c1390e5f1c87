"""A journal that another process left behind: read, and committed as it is delivered."""

from __future__ import annotations

from time import time_ns

from .ring import (
    CUT,
    DROPPED,
    DROPS,
    DROPS_AT,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    SPOOLS,
    SPOOLS_AT,
    Commit,
    newest_commit,
    scan,
    write_slot,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .ring import Buffer, Chunk


class DeadJournal:
    """What another process left behind in `buffer`; read by the sender's thread only.

    Raises `ValueError` with the reason if the buffer is not a journal. Has the reading half of `Journal`'s interface.
    """

    urgent = True

    def __init__(self, buffer: Buffer) -> None:
        if len(buffer) <= HEADER_BYTES:
            raise ValueError("it is too short")
        magic, capacity, environment = HEADER.unpack_from(buffer, 0)
        if magic != MAGIC or capacity != len(buffer) - HEADER_BYTES:
            raise ValueError("its header is not a journal's")
        self.environment: str = environment.rstrip(b"\0").decode("ascii", "replace")
        self._buffer = buffer
        self._capacity: int = capacity
        self._generation, self.start = newest_commit(buffer)
        self._read = self._tail = self.start.position
        self._drops: tuple[int, int] = DROPS.unpack_from(buffer, DROPS_AT)
        self._newest_us = 0  # when the newest entry was written
        self._ended = False
        *copied, self._end, self._echoed = SPOOLS.unpack_from(buffer, SPOOLS_AT)
        self.copied = copied[0], copied[1]
        self._more: Callable[[int], tuple[int, int, bytes] | None] | None = None

    @property
    def echoed(self) -> bool:
        """Whether what is `read_on` reached the original descriptors, too."""
        return bool(self._echoed)

    def read_on(self, more: Callable[[int], tuple[int, int, bytes] | None]) -> None:
        """Let `more(offset)` follow the last entry: kind, time in us and data at that many bytes, None at its end.

        It must say the same to another process after another crash: positions go on in it.
        """
        self._more = more
        self._note_spools(echoed=1)

    def _note_spools(self, *, end: int = 0, echoed: int = 0) -> None:
        self._end, self._echoed = end or self._end, echoed or self._echoed
        SPOOLS.pack_into(self._buffer, SPOOLS_AT, *self.copied, self._end, self._echoed)

    @property
    def empty(self) -> bool:
        """Whether all of it has been read and committed."""
        return self._ended and self._tail == self._read

    @property
    def backlog(self) -> int:
        """At most this many bytes are left; 0 once everything is committed."""
        return 0 if self.empty else self._capacity

    def read(self, limit: int) -> list[Chunk]:
        """The next chunks, up to the first entry that is not whole; then what had been dropped, then nothing."""
        end = self._end or self._tail + self._capacity
        chunks: list[Chunk] = []
        if self._read < end:
            chunks, self._read = scan(self._buffer, self._capacity, self._read, end, limit, check=True)
        if not chunks and self._more is not None:
            if not self._end:
                self._note_spools(end=self._read)
            more = self._more(self._read - self._end)
            if more is not None:
                kind, time_us, data = more
                self._read += len(data)
                return [(self._read, kind, 0, time_us, data)]
        if chunks:
            self._newest_us = chunks[-1][3]
        elif not self._ended:
            self._ended = True
            time_us = self._newest_us or time_ns() // 1000  # the same again after another crash, if there is a choice
            if self._drops[1]:
                chunks = [(self._read, DROPPED, 0, time_us, DROPS.pack(*self._drops))]
            chunks.append((self._read, CUT, 0, time_us, b""))
        return chunks

    def commit(self, commit: Commit) -> int:
        """Remember progress, so that a second crash does not send again what was delivered."""
        self._tail = commit.position
        self._generation += 1
        write_slot(self._buffer, self._generation, commit.position, commit)
        if self.empty:
            DROPS.pack_into(self._buffer, DROPS_AT, 0, 0)  # told, and not to be told again after another crash
        return commit.position

    def close(self) -> None:
        """Let go of the memory."""
        if not isinstance(self._buffer, bytearray):
            self._buffer.close()
