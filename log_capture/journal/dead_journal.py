"""A journal that another process left behind: read, and committed as it is delivered."""

from __future__ import annotations

from time import time_ns

from .dead_file import DeadFile
from .ring import (
    CUT,
    DROPPED,
    DROPS,
    DROPS_AT,
    HEADER,
    HEADER_BYTES,
    SLOT_AT,
    SPOOLS,
    SPOOLS_AT,
    Commit,
    carried_place,
    newest_commit,
    pack_slot,
    scan,
    unpack_header,
    whole,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .ring import Bytes, Chunk


class DeadJournal:
    """What another process left behind in `buffer`; read by the sender's thread only.

    Raises `ValueError` with the reason if the buffer is not a journal. Has the reading half of `Journal`'s interface.
    """

    urgent = True

    def __init__(self, buffer: Bytes) -> None:
        if len(buffer) < HEADER.size:
            raise ValueError("it is too short")
        capacity, self.environment = unpack_header(buffer[: HEADER.size])
        self._buffer = buffer
        self._capacity: int = capacity
        self._generation, self.start = newest_commit(buffer)
        self._read = self._tail = self.start.position
        self._drops: tuple[int, int] = DROPS.unpack(whole(buffer, DROPS_AT, DROPS.size))
        self._newest_us = 0  # when the newest entry was written
        self._ended = self._cut = False
        *copied, self._end, self._echoed = SPOOLS.unpack(whole(buffer, SPOOLS_AT, SPOOLS.size))
        self.copied = copied[0], copied[1]
        self._more: Callable[[int], tuple[int, int, bytes] | None] | None = None
        # Behind everything that any process has carried: the newest commit counts until the next one is written.
        self._carried_at = max(len(buffer), HEADER_BYTES + capacity)
        self._carried_bytes = 0

    @property
    def capacity(self) -> int:
        """Bytes of the ring."""
        return self._capacity

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
        self._put(SPOOLS.pack(*self.copied, self._end, self._echoed), SPOOLS_AT)

    @property
    def empty(self) -> bool:
        """Whether all of it has been read and committed."""
        return self._ended and self._tail == self._read

    @property
    def at_end(self) -> bool:
        """Whether the last entry has been read, and the end of an unfinished line behind it."""
        return self._cut or self._ended

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
            if not self._cut and self._read == self._end:  # a last line, whose newline is not in the file, is in front
                self._cut = True
                return [(self._read, CUT, 0, self._newest_us or time_ns() // 1000, b"")]
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
            lost = self._buffer.lost if isinstance(self._buffer, DeadFile) else 0
            if lost:
                chunks.append(
                    (self._read, DROPPED, 0, time_us, DROPS.pack(0, lost) + b"the journal's file was truncated")
                )
            chunks.append((self._read, CUT, 0, time_us, b""))
        return chunks

    def commit(self, commit: Commit) -> int:
        """Remember progress, so that a second crash does not send again what was delivered."""
        self._tail = commit.position
        self._generation += 1
        if commit.carried:
            self._carried_at = carried_place(self._capacity, self._carried_at, self._carried_bytes, commit.carried)
            self._put(commit.carried, self._carried_at)
        self._carried_bytes = len(commit.carried)
        slot = pack_slot(self._generation, commit.position, commit, self._carried_at)
        self._put(slot, SLOT_AT[self._generation & 1])
        if self.empty:  # told, and not to be told again after another crash
            self._put(DROPS.pack(0, 0), DROPS_AT)
        return commit.position

    def _put(self, data: bytes, at: int) -> None:
        self._buffer[at : at + len(data)] = data
