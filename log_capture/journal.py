"""The queue between the function's threads and the sender: a bounded ring in (usually file-backed) memory.

Guarantees
----------
* Appending is one copy into the mapping under one lock: no system call (but one ``posix_fallocate`` for each further
  MiB ever used), no allocation that grows with the backlog.
* What was appended survives any death of the process, because the mapping belongs to a file that the next process
  reads (``journal_file.py``). A death stops the process between two stores, so an entry whose mark is there is whole;
  a torn last one has none and ends the recovery there. (Data needs no checksum for that: it would cost a third more.)
* The same bytes always give the same chunks, in the same order; so lines get the same ``seq`` again after a crash.
* Re-entrance is safe: a finalizer or a signal handler that writes while its own thread is inside `append` is put
  aside and appended right after.

The layout of the memory is drawn in `ring.py`.
"""

from __future__ import annotations

import os
from _thread import RLock, get_ident
from time import time_ns

from .ring import (
    CONTEXT,
    CUT,
    DROPPED,
    DROPS,
    DROPS_AT,
    ENDED_AT,
    ENTRY_BYTES,
    HEADER,
    HEADER_BYTES,
    LENGTH_AT,
    MAGIC,
    SPOOLS,
    SPOOLS_AT,
    STDERR,
    WRAP,
    Commit,
    pack_entry,
    pack_length,
    scan,
    unpack_length,
    write_slot,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .ring import Buffer, Chunk

_NEVER = 1 << 62
_NEWLINE = ord("\n")
#: Room kept free so that the entry which says how much was dropped always fits (a choice).
_RESERVE = 64
#: How much of the file is allocated at a time (a choice: a few microseconds on ext4, little to waste).
GROW_BYTES = 1 << 20


class Journal:
    """A ring over `buffer`. Any thread may append; one thread (the sender) reads and commits.

    `grow(bytes)` makes sure that that much of the ring is really there and says whether it is; `nudge()` is called
    (under the lock, so it must be quick and must not write) once when `watermark` bytes wait to be read, and again
    only after the next `read`.
    """

    # Slots, because an instance with so many attributes has none of the interpreter's quick ways to them.
    __slots__ = (
        "_acquire",
        "_allocated",
        "_buffer",
        "_busy",
        "_capacity",
        "_cut_threads",
        "_dropped",
        "_generation",
        "_grow",
        "_head",
        "_is_owned",
        "_late_context",
        "_late_cut",
        "_nudge",
        "_open_at",
        "_open_kind",
        "_open_thread",
        "_origin",
        "_read",
        "_reentrant",
        "_release",
        "_straight",
        "_tail",
        "_wake_at",
        "_watermark",
        "dropped_lines",
        "environment",
        "urgent",
    )

    def __init__(
        self,
        buffer: Buffer,
        *,
        environment: str,
        grow: Callable[[int], bool] | None = None,
        nudge: Callable[[], None] | None = None,
        watermark: int = _NEVER,
    ) -> None:
        self._nudge = nudge
        self._watermark = watermark
        self.dropped_lines = 0  # in all
        self.renew(buffer, environment=environment, grow=grow)

    def renew(self, buffer: Buffer, *, environment: str, grow: Callable[[int], bool] | None = None) -> None:
        """Begin anew in other memory, without touching the old: for a forked child, or after a snapshot's restore.

        Whoever holds `append` goes on with it. Only while no other thread of this process appends.
        """
        self.environment = environment
        self._buffer = buffer
        self._capacity = len(buffer) - HEADER_BYTES
        self._allocated = 0 if grow else self._capacity
        self._grow = grow
        lock = RLock()
        self._acquire, self._release = lock.acquire, lock.release
        self._is_owned: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]
        self._busy = False
        self._reentrant: list[tuple[int, bytes, int, int]] = []  # kind, data, time in ns, thread
        self._head = self._tail = self._read = 0  # logical positions: written, committed, handed to the reader
        self._wake_at = self._watermark
        self._origin = 0  # position - origin = place in the buffer
        self._straight = 0  # an entry that ends before this place needs no wrap, growth, wake-up or drop
        self._open_kind = self._open_thread = -1  # of the newest entry, while it is an unfinished line
        self._open_at = 0
        self._generation = 0
        self._cut_threads: set[tuple[int, int]] = set()
        self._dropped = [0, 0]  # lines and bytes that found no room since the last DROPPED entry
        self._late_cut = False  # these found no room either, and must come before anything else
        self._late_context: bytes | None = None
        self.urgent = False  # something that a flush must deliver was appended since the last `read`
        HEADER.pack_into(buffer, 0, MAGIC, self._capacity, environment.encode())
        self.commit(Commit(0, 0, 0, b""))

    # ---- the function's threads ----------------------------------------------------------------------------------

    def append(self, kind: int, data: bytes) -> bool:
        """Append one entry, which is not empty if it is a stream's; False if there was no room (counted, and reported
        by a DROPPED entry where it is missing).

        Any thread, and signal handlers. The rest of a line that this thread has just begun is added to its beginning.
        """
        # This runs for each write of the function's: it is long so that the usual case makes no further call. The lock
        # is taken by hand (half the cost of `with`) and inside `try`, for a signal handler may raise at any call.
        thread = get_ident()
        try:
            self._acquire()
            if self._busy:  # so it was this very thread, inside `append`: its lock let us in again
                self._reentrant.append((kind, data, time_ns(), thread))
                self._release()
                return True
            self._busy = stored = True
            if kind == self._open_kind and thread == self._open_thread:
                if data == b"\n":
                    self._buffer[self._open_at + ENDED_AT] = 1
                    self._open_kind = -1
                    self._busy = False
                    self._release()
                    return True
                begun = self._extend(data)
            else:
                begun = False
            if not begun:
                head = self._head
                length = len(data)
                at = head - self._origin
                begin = at + ENTRY_BYTES
                end = begin + length
                if end <= self._straight:
                    self._buffer[begin:end] = data
                    pack_entry(self._buffer, at, time_ns(), thread, kind, length, ~head)
                    self._head = end + self._origin
                    if kind < CONTEXT:
                        self.urgent = True
                    if kind <= STDERR and data[-1] != _NEWLINE:
                        self._open_at, self._open_thread, self._open_kind = at, thread, kind
                    else:
                        self._open_kind = -1
                else:
                    stored = self._store(kind, data, time_ns(), thread)
            if self._reentrant:
                self._store_reentrant()
            self._busy = False
            self._release()
            return stored
        except BaseException:  # the function's signal handlers may raise anything: it goes on, without our lock
            self._let_go()
            raise

    def _let_go(self) -> None:
        """After an exception: the lock is free, whether it had been taken already or not."""
        while self._is_owned():
            self._busy = False
            self._release()

    def append_as(self, kind: int, data: bytes, thread: int) -> bool:
        """Append what another process wrote; `thread` tells whose lines they are. Any thread."""
        self._acquire()
        if self._busy:
            self._reentrant.append((kind, data, time_ns(), thread))
            self._release()
            return True
        self._busy = True
        try:
            return self._store(kind, data, time_ns(), thread)
        finally:
            if self._reentrant:
                self._store_reentrant()
            self._busy = False
            self._release()

    def nudge_at_next(self) -> None:
        """Have the next `append` call `nudge`. Any thread."""
        self._wake_at = 0
        self._measure()

    def has_room(self, size: int) -> bool:
        """Whether data of this size would be kept. Any thread; another thread may take the room meanwhile."""
        head, capacity = self._head, self._capacity
        size += ENTRY_BYTES
        left = capacity - head % capacity
        return head + (size if size <= left else left + size) - self._tail <= capacity - _RESERVE

    def _extend(self, data: bytes) -> bool:
        """Add to the newest entry, an unfinished line; False if there is no room right behind it."""
        at = self._head - self._origin
        end = at + len(data)
        if end > self._straight:
            return False
        opened = self._open_at + LENGTH_AT
        (length,) = unpack_length(self._buffer, opened)
        # The data first, then the length in one store: a kill in between leaves the old entry.
        self._buffer[at:end] = data
        self._buffer[opened : opened + 4] = pack_length(length + len(data))
        self._head = end + self._origin
        if data[-1] == _NEWLINE:
            self._open_kind = -1
        return True

    def _store_reentrant(self) -> None:
        while self._reentrant:
            kind, data, written_ns, thread = self._reentrant.pop(0)
            self._store(kind, data, written_ns, thread)

    def _store(self, kind: int, data: bytes, written_ns: int, thread: int) -> bool:
        """Append in every case, after the note on dropped lines if one is due."""
        if self._behind:
            self._catch_up()
        if self._cut_threads and kind <= STDERR:
            data = self._rest_of_dropped_line(kind, data, thread)
            if not data:
                return False
        if self._behind or not self._write(kind, data, written_ns, thread, _RESERVE):
            self._drop(kind, data, thread)
            return False
        if kind < CONTEXT:
            self.urgent = True
        if self._head >= self._wake_at:
            self._wake_at = _NEVER
            if self._nudge is not None:
                self._nudge()
        self._measure()
        return True

    def _write(self, kind: int, data: bytes, written_ns: int, thread: int, reserve: int) -> bool:
        """Put one entry into the ring, at the front again if the end is too near; False if it does not fit."""
        length = len(data)
        size = ENTRY_BYTES + length
        capacity = self._capacity
        head = self._head
        place = head % capacity
        start = head if place + size <= capacity else head + capacity - place
        if start + size - self._tail > capacity - reserve or not self._allocate(start % capacity + size):
            return False
        if start != head and capacity - place >= ENTRY_BYTES:
            pack_entry(self._buffer, HEADER_BYTES + place, written_ns, 0, 0, WRAP, ~head)
        at = HEADER_BYTES + start % capacity
        self._buffer[at + ENTRY_BYTES : at + size] = data
        pack_entry(self._buffer, at, written_ns, thread, kind, length, ~start)
        self._head = start + size
        self._open_at, self._open_thread = at, thread
        self._open_kind = kind if kind <= STDERR and data[-1:] != b"\n" else -1
        return True

    def _allocate(self, upto: int) -> bool:
        if upto > self._allocated:
            upto = min(self._capacity, -(-upto // GROW_BYTES) * GROW_BYTES)
            if self._grow is None or not self._grow(HEADER_BYTES + upto):
                return False
            self._allocated = upto
        return True

    def _measure(self) -> None:
        """Find how far entries can be appended without a further thought."""
        if self._behind or self._cut_threads:
            self._straight = 0
        else:
            lap = self._head - self._head % self._capacity
            self._origin = lap - HEADER_BYTES
            straight = min(lap + self._allocated, self._tail + self._capacity - _RESERVE, self._wake_at)
            self._straight = straight - self._origin

    def note_copied(self, stdout: int, stderr: int) -> None:
        """How many bytes of native code's output (`fd_tail.py`) have been appended. Any thread, one at a time."""
        SPOOLS.pack_into(self._buffer, SPOOLS_AT, stdout, stderr, 0, 0)

    # ---- drops, under the lock -----------------------------------------------------------------------------------

    @property
    def _behind(self) -> bool:
        """Whether something found no room that must come before anything else."""
        return bool(self._dropped[1]) or self._late_cut or self._late_context is not None

    def _catch_up(self) -> None:
        """If there is room again: the note on what was dropped, the end of an invocation, the ids of the next."""
        if self._dropped[1]:
            self._note_drops()
        if self._late_cut and self._write(CUT, b"", time_ns(), 0, 0):
            self._late_cut = False
        late = self._late_context
        if late is not None and not self._dropped[1] and self._write(CONTEXT, late, time_ns(), 0, _RESERVE):
            self._late_context = None

    def _drop(self, kind: int, data: bytes, thread: int) -> None:
        self._open_kind = -1
        if kind <= STDERR:
            self._count_drop(data.count(b"\n"), len(data))
            if not data.endswith(b"\n"):
                self._cut_threads.add((kind, thread))
        elif kind == CONTEXT:
            self._late_context = data
        elif kind == CUT:
            self._late_cut = True
        elif kind not in (CONTEXT, CUT):  # which are no records
            self._count_drop(1, len(data))
        self._measure()

    def _count_drop(self, lines: int, size: int) -> None:
        self._dropped[0] += lines
        self._dropped[1] += size
        self.dropped_lines += lines
        DROPS.pack_into(self._buffer, DROPS_AT, *self._dropped)  # a crash must not lose the count either

    def _rest_of_dropped_line(self, kind: int, data: bytes, thread: int) -> bytes:
        """What remains of `data` once the end of a line whose beginning was dropped is dropped as well."""
        if (kind, thread) not in self._cut_threads:
            return data
        end = data.find(b"\n") + 1
        self._count_drop(1 if end else 0, end or len(data))
        if end:
            self._cut_threads.discard((kind, thread))
            self._note_drops()
            return data[end:]
        return b""

    def _note_drops(self) -> None:
        lines, size = self._dropped
        if self._write(DROPPED, DROPS.pack(lines, size), time_ns(), 0, 0):
            self._dropped = [0, 0]
            DROPS.pack_into(self._buffer, DROPS_AT, 0, 0)
            self.urgent = True

    # ---- the sender's thread -------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        """Whether everything ever appended is committed. Any thread; exact only while no one appends."""
        return self._head == self._tail and not self._dropped[1] and not self._reentrant

    @property
    def end(self) -> int:
        """The position behind the newest entry. Any thread."""
        return self._head

    @property
    def owes(self) -> bool:
        """Whether the next `read` will add something that found no room, or no chance, yet. Any thread."""
        return self._behind or bool(self._reentrant)

    @property
    def backlog(self) -> int:
        """Bytes of the ring in use. Any thread."""
        return self._head - self._tail

    def read(self, limit: int) -> list[Chunk]:
        """The next chunks, about `limit` bytes of them; they stay in the ring until `commit` passes them."""
        self._acquire()
        try:
            self._busy = True
            self._store_reentrant()
            if self._behind:
                self._catch_up()
            start, head = self._read, self._head
            self._open_kind = -1  # what is handed out is not extended any more
            if head - start <= limit:
                self.urgent = False
        finally:
            self._busy = False
            self._release()
        chunks, position = scan(self._buffer, self._capacity, start, head, limit, check=False)
        self._acquire()
        try:
            self._busy = True
            self._read = position
            self._wake_at = position + self._watermark
            self._measure()
        finally:
            self._busy = False
            self._release()
        return chunks

    def commit(self, commit: Commit) -> int:
        """Free everything before `commit.position`, so that a crash from here on does not bring it back.

        Returns the position where the rest begins: further on than asked if that starts the ring at the front again.
        """
        self._acquire()
        try:
            self._busy = True
            position = commit.position
            if position == self._head == self._read and position % self._capacity:
                self._head = self._read = position = position - position % self._capacity + self._capacity
                self._open_kind = -1
                self._wake_at = position + self._watermark
            self._tail = position
            self._measure()
            self._generation += 1
            write_slot(self._buffer, self._generation, position, commit)
            return position
        finally:
            self._busy = False
            self._release()

    def close(self) -> None:
        """Let go of the memory; nothing may be appended afterwards."""
        if not isinstance(self._buffer, bytearray):
            self._buffer.close()


def new_environment() -> str:
    """A random id of one runtime process: 12 hexadecimal digits."""
    return os.urandom(6).hex()
