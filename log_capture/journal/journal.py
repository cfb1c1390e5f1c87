"""The queue between the function's threads and the sender: a bounded ring in private memory, mirrored in a file.

Guarantees
----------
* Memory is the truth for this process: whatever happens to the file, nothing that was appended is lost while the
  process lives.
* What was appended survives any death of the process, because it was in the file (``journal_file.py``) before `append`
  returned; the next process reads it (``dead_journal.py``). An entry's mark reaches the file after its data, so a torn
  one has none and ends the recovery there. (Data needs no checksum for that.)
* Appending is one copy in memory and one ``pwrite``, under one lock. The newline that ends a `print` is neither: it
  reaches the file with the next entry, for the last line of a file ends without it just as well. Not a mapped file:
  whoever truncates that, a function that tidies up `/tmp`, ends the process by SIGBUS at the next store.
* The same bytes always give the same chunks, in the same order; so lines get the same ``seq`` again after a crash.
* Re-entrance is safe: a finalizer or a signal handler that writes while its own thread is inside `append` is put
  aside and appended right after. A handler that raises inside `append` neither keeps the lock nor loses the entry.

The layout of the memory and of the file is drawn in `ring.py`.
"""

from __future__ import annotations

from _thread import RLock, get_ident
from os import urandom
from time import time_ns

from ..process.guard import is_ours
from .ring import (
    CONTEXT,
    CUT,
    DROPPED,
    DROPS,
    DROPS_AT,
    ENDED_AT,
    ENTRY_BYTES,
    HEADER_BYTES,
    LENGTH_AT,
    SLOT_AT,
    SPOOLS,
    SPOOLS_AT,
    STDERR,
    WRAP,
    Commit,
    carried_place,
    pack_entry,
    pack_header,
    pack_length,
    pack_slot,
    scan,
    unpack_length,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .ring import Buffer, Chunk

    class Mirror(Protocol):
        """What survives the process. None of these raises."""

        def write(self, data: bytes, at: int) -> bool:
            """Store `data` at that many bytes; False if not all of it could be."""

        def intact(self) -> bool:
            """Whether the next process would find what was written."""

        def renew(self) -> bool:
            """Begin with an empty file; False if there is none."""


_NEVER = 1 << 62
_NEWLINE = ord("\n")
#: Room kept free so that the entry which says how much was dropped always fits (a choice).
_RESERVE = 64
#: A write into one page cannot be torn; into several it can: the kernel looks for a SIGKILL between them
#: (mm/filemap.c, `generic_perform_write`).
_PAGE = 4096
#: Look whether the file is still there at most this often while the function writes (a choice: what is written within
#: so short a time after a wipe, and before a crash, is lost with it; looking costs as much as two entries).
_LOOK_EVERY_NS = 10_000_000


class Journal:
    """A ring over `buffer`. Any thread may append; one thread (the sender) reads and commits.

    `nudge()` is called (under the lock, so it must be quick and must not write) once when `watermark` bytes wait to be
    read, and again only after the next `read`.
    """

    # Slots, because an instance with so many attributes has none of the interpreter's quick ways to them.
    __slots__ = (
        "_acquire",
        "_buffer",
        "_busy",
        "_capacity",
        "_carried",
        "_carried_at",
        "_cut_threads",
        "_dropped",
        "_generation",
        "_head",
        "_is_owned",
        "_late_context",
        "_late_cut",
        "_look_at_ns",
        "_look_every_ns",
        "_loose",
        "_mirror",
        "_nudge",
        "_open_at",
        "_open_kind",
        "_open_thread",
        "_origin",
        "_read",
        "_reentrant",
        "_release",
        "_stale",
        "_straight",
        "_tail",
        "_unsaved",
        "_wake_at",
        "_watermark",
        "_write",
        "dropped_lines",
        "environment",
        "urgent",
    )

    def __init__(
        self,
        buffer: Buffer,
        *,
        environment: str,
        mirror: Mirror | None = None,
        nudge: Callable[[], None] | None = None,
        watermark: int = _NEVER,
    ) -> None:
        self._is_owned: Callable[[], bool]
        self._look_every_ns = _LOOK_EVERY_NS
        self._nudge = nudge
        self._watermark = watermark
        self.dropped_lines = 0  # in all
        self.renew(buffer, environment=environment, mirror=mirror)

    def look_always(self) -> None:
        """From now on, before each append: in a forked child, which may close everything and open other files."""
        self._look_every_ns = self._look_at_ns = 0

    def mute(self) -> None:
        """Keep nothing of what is appended from now on. In a forked child that becomes another program."""
        lock = RLock()
        self._acquire, self._release = lock.acquire, lock.release
        self._is_owned = lock._is_owned  # type: ignore[attr-defined]
        self._busy = True

    def renew(self, buffer: Buffer, *, environment: str, mirror: Mirror | None = None) -> None:
        """Begin anew in other memory, without touching the old: for a forked child, or after a snapshot's restore.

        Whoever holds `append` goes on with it. Only while no other thread of this process appends.
        """
        self.environment = environment
        self._buffer = buffer
        self._capacity = len(buffer) - HEADER_BYTES
        lock = RLock()
        self._acquire, self._release = lock.acquire, lock.release
        self._is_owned = lock._is_owned  # type: ignore[attr-defined]
        self._busy = False
        self._reentrant: list[tuple[int, bytes, int, int]] = []  # kind, data, time in ns, thread
        self._head = self._tail = self._read = 0  # logical positions: written, committed, handed to the reader
        self._wake_at = self._watermark
        self._origin = 0  # position - origin = place in the buffer
        self._straight = 0  # an entry that ends before this place needs no wrap, wake-up or drop
        self._open_kind = self._open_thread = -1  # of the newest entry, while it is an unfinished line
        self._open_at = 0
        self._loose: tuple[int, int, bool] | None = None  # the newest such line that was read: and whether cut since
        self._generation = 0
        self._carried = b""
        self._carried_at = HEADER_BYTES + self._capacity
        self._cut_threads: set[tuple[int, int]] = set()
        self._dropped = [0, 0]  # lines and bytes that found no room since the last DROPPED entry
        self._late_cut = False  # these found no room either, and must come before anything else
        self._late_context: bytes | None = None
        self.urgent = False  # something that a flush must deliver was appended since the last `read`
        self._mirror = mirror
        self._write = mirror.write if mirror is not None else _nowhere
        self._stale = False  # the file lacks something, and has to be written again
        self._unsaved = -1  # the place from which on the file lacks what is in memory, up to the newest entry's end
        self._look_at_ns = 0
        self._put(pack_header(self._capacity, environment), 0)
        self.commit(Commit(0, 0, 0, b""))

    # ---- the function's threads ----------------------------------------------------------------------------------

    def append(self, kind: int, data: bytes) -> bool:
        """Append one entry, which is not empty if it is a stream's; False if there was no room (counted, and reported
        by a DROPPED entry where it is missing).

        Any thread, and signal handlers. The rest of a line that this thread has just begun is added to its beginning.
        """
        # This runs for each write of the function's: it is long so that the usual case makes no further call. The lock
        # is taken by hand (half the cost of `with`) and inside `try`, for a signal handler may raise at any call.
        before, ending, thread = -1, False, 0
        try:
            thread = get_ident()
            self._acquire()
            if self._busy:  # so it was this very thread, inside `append`: its lock let us in again
                self._reentrant.append((kind, data, time_ns(), thread))
                before = _NEVER
                self._release()
                return True
            self._busy = stored = True
            before = head = self._head
            if kind == self._open_kind and thread == self._open_thread:
                if data == b"\n":
                    ending = True
                    self._end_line()
                    self._busy = False
                    self._release()
                    return True
                begun = self._extend(data)
            else:
                begun = False
            if not begun:
                if self._loose is not None and self._ends_loose(kind, data, thread):
                    self._busy = False
                    self._release()
                    return True
                now = time_ns()
                if now >= self._look_at_ns:
                    self._look(now)
                length = len(data)
                at = head - self._origin
                end = at + ENTRY_BYTES + length
                if end <= self._straight:
                    entry = pack_entry(now, thread, kind, length, ~head) + data
                    self._buffer[at:end] = entry
                    self._head = end + self._origin
                    if kind < CONTEXT:
                        self.urgent = True
                    if kind <= STDERR and data[-1] != _NEWLINE:
                        self._open_at, self._open_thread, self._open_kind = at, thread, kind
                    else:
                        if kind == CUT:
                            self._cut_loose()
                        self._open_kind = -1
                    if self._unsaved < 0 and (at ^ (end - 1)) < _PAGE:
                        self._unsaved = at
                        if self._write(entry, at):
                            self._unsaved = -1
                        else:
                            self._stale = True
                    else:
                        self._save(at, at + ENTRY_BYTES, end)
                else:
                    stored = self._store(kind, data, now, thread)
            if self._reentrant:
                self._store_reentrant()
            self._busy = False
            self._release()
            return stored
        except BaseException as error:  # the function's signal handlers may raise anything: it goes on without our lock
            held = self._let_go()
            if is_ours(error):
                raise
            if before < 0 or (held and self._head == before and not (ending and self._open_kind < 0)):
                self.append_as(kind, data, thread or get_ident())  # it was not stored yet
            raise

    def _let_go(self) -> bool:
        """After an exception: the lock is free, whether it had been taken already or not. True if it had been."""
        held = False
        while self._is_owned():
            self._busy, held = False, True
            self._release()
        return held

    def append_as(self, kind: int, data: bytes, thread: int) -> bool:
        """Append what another process wrote; `thread` tells whose lines they are. Any thread."""
        before = -1
        try:
            self._acquire()
            if self._busy:
                self._reentrant.append((kind, data, time_ns(), thread))
                before = _NEVER
                self._release()
                return True
            self._busy = True
            before = self._head
            now = time_ns()
            if now >= self._look_at_ns:
                self._look(now)
            stored = self._store(kind, data, now, thread)
            if self._reentrant:
                self._store_reentrant()
            self._busy = False
            self._release()
            return stored
        except BaseException as error:
            held = self._let_go()
            if not is_ours(error) and (before < 0 or (held and self._head == before)):
                self.append_as(kind, data, thread)  # it was not stored yet
            raise

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

    def _end_line(self) -> None:
        """A newline follows the newest entry."""
        ended = self._open_at + ENDED_AT
        self._buffer[ended] = 1
        self._open_kind = -1
        if self._unsaved < 0:
            if self._head - self._origin - ended < _PAGE:
                self._unsaved = ended  # to be written with the next entry
            elif not self._write(b"\1", ended):
                self._stale = True

    def _cut_loose(self) -> None:
        """The end of an invocation comes between a line and its newline, where another thread prints just now."""
        if self._open_kind >= 0:
            self._loose = (self._open_kind, self._open_thread, True)
        elif self._loose is not None:
            self._loose = (*self._loose[:2], True)

    def _ends_loose(self, kind: int, data: bytes, thread: int) -> bool:
        """Whether this is but the newline of a line that was taken as it is."""
        assert self._loose is not None
        loose_kind, loose_thread, was_cut = self._loose
        if (kind, thread) != (loose_kind, loose_thread):
            return False
        self._loose = None
        return was_cut and data == b"\n"

    def _extend(self, data: bytes) -> bool:
        """Add to the newest entry, an unfinished line; False if there is no room right behind it."""
        at = self._head - self._origin
        end = at + len(data)
        if end > self._straight:
            return False
        opened = self._open_at + LENGTH_AT
        (length,) = unpack_length(self._buffer, opened)
        self._buffer[at:end] = data
        self._buffer[opened : opened + 4] = pack_length(length + len(data))
        self._head = end + self._origin
        if data[-1] == _NEWLINE:
            self._open_kind = -1
        # The length reaches the file last, as the mark does.
        if self._unsaved < 0 and (opened ^ (end - 1)) >= _PAGE:
            if not (self._write(data, at) and self._write(pack_length(length + len(data)), opened)):
                self._stale = True
        else:
            self._save(opened, at, end)
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
        if self._behind or not self._enter(kind, data, written_ns, thread, _RESERVE):
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

    def _enter(self, kind: int, data: bytes, written_ns: int, thread: int, reserve: int) -> bool:
        """Put one entry into the ring, at the front again if the end is too near; False if it does not fit."""
        length = len(data)
        size = ENTRY_BYTES + length
        capacity = self._capacity
        head = self._head
        place = head % capacity
        start = head if place + size <= capacity else head + capacity - place
        if start + size - self._tail > capacity - reserve:
            return False
        if start != head:
            if capacity - place >= ENTRY_BYTES:
                wrap = HEADER_BYTES + place
                self._buffer[wrap : wrap + ENTRY_BYTES] = pack_entry(written_ns, 0, 0, WRAP, ~head)
                self._save(wrap, wrap + ENTRY_BYTES, wrap + ENTRY_BYTES)
            elif self._unsaved >= 0:
                self._save(HEADER_BYTES + place, HEADER_BYTES + place, HEADER_BYTES + place)
        at = HEADER_BYTES + start % capacity
        self._buffer[at : at + size] = pack_entry(written_ns, thread, kind, length, ~start) + data
        self._head = start + size
        self._open_at, self._open_thread = at, thread
        self._open_kind = kind if kind <= STDERR and data[-1:] != b"\n" else -1
        self._save(at, at + ENTRY_BYTES, at + size)
        return True

    def _measure(self) -> None:
        """Find how far entries can be appended without a further thought."""
        if self._behind or self._cut_threads:
            self._straight = 0
        else:
            lap = self._head - self._head % self._capacity
            self._origin = lap - HEADER_BYTES
            straight = min(lap + self._capacity, self._tail + self._capacity - _RESERVE, self._wake_at)
            self._straight = straight - self._origin

    # ---- the file, under the lock --------------------------------------------------------------------------------

    def _save(self, begin: int, data: int, end: int) -> None:
        """Write what is in memory from `begin` to `end`, two places, after what was left unsaved in front of it.

        What stands before `data` makes what follows it valid.
        """
        if self._stale:
            return
        begin = self._unsaved if self._unsaved >= 0 else begin
        self._unsaved = begin
        buffer = self._buffer
        if (begin ^ (end - 1)) < _PAGE:
            saved = self._write(bytes(buffer[begin:end]), begin)
        else:
            saved = data == end or self._write(bytes(buffer[data:end]), data)
            saved = saved and self._write(bytes(buffer[begin:data]), begin)
        if saved:
            self._unsaved = -1
        else:
            self._stale = True

    def _put(self, data: bytes, at: int) -> None:
        """Store something in the header."""
        self._buffer[at : at + len(data)] = data
        if not self._write(data, at):
            self._stale = True

    def look_after(self) -> None:
        """Have a file again if it is gone, damaged, or lacks something. Any thread; makes a few system calls."""
        try:
            self._acquire()
            if not self._busy:
                self._busy = True
                self._look(time_ns())
                mirror = self._mirror
                if mirror is not None and self._stale and (mirror.intact() or mirror.renew()):
                    self._save_everything()
                self._busy = False
            self._release()
        except BaseException:
            self._let_go()
            raise

    def _look(self, now_ns: int) -> None:
        """If what was written is gone, begin with another file."""
        self._look_at_ns = now_ns + self._look_every_ns
        mirror = self._mirror
        if mirror is None:
            self._look_at_ns = _NEVER
        elif not self._stale and not mirror.intact():
            self._stale = True
            if mirror.renew():
                self._save_everything()

    def _save_everything(self) -> None:
        """Write all that is not committed, the header first."""
        buffer, capacity = self._buffer, self._capacity
        saved = self._write(bytes(buffer[:HEADER_BYTES]), 0)
        saved = saved and self._write(self._carried, self._carried_at)
        start, head = self._tail, self._head
        while saved and start < head:
            place = start % capacity
            end = min(place + head - start, capacity)
            saved = self._write(bytes(buffer[HEADER_BYTES + place : HEADER_BYTES + end]), HEADER_BYTES + place)
            start += end - place
        self._stale = not saved
        self._unsaved = -1

    def note_copied(self, stdout: int, stderr: int) -> None:
        """How many bytes of native code's output (`fd_tail.py`) have been appended. Any thread, one at a time."""
        self._put(SPOOLS.pack(stdout, stderr, 0, 0), SPOOLS_AT)

    # ---- drops, under the lock -----------------------------------------------------------------------------------

    @property
    def _behind(self) -> bool:
        """Whether something found no room that must come before anything else."""
        return bool(self._dropped[1]) or self._late_cut or self._late_context is not None

    def _catch_up(self) -> None:
        """If there is room again: the note on what was dropped, the end of an invocation, the ids of the next."""
        if self._dropped[1]:
            self._note_drops()
        if self._late_cut and self._enter(CUT, b"", time_ns(), 0, 0):
            self._late_cut = False
        late = self._late_context
        if late is not None and not self._dropped[1] and self._enter(CONTEXT, late, time_ns(), 0, _RESERVE):
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
        else:
            self._count_drop(1, len(data))
        self._measure()

    def _count_drop(self, lines: int, size: int) -> None:
        self._dropped[0] += lines
        self._dropped[1] += size
        self.dropped_lines += lines
        self._put(DROPS.pack(*self._dropped), DROPS_AT)  # a crash must not lose the count either

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
        if self._enter(DROPPED, DROPS.pack(lines, size), time_ns(), 0, 0):
            self._dropped = [0, 0]
            self._put(DROPS.pack(0, 0), DROPS_AT)
            self.urgent = True

    # ---- the sender's thread -------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        """Whether everything ever appended is committed. Any thread; exact only while no one appends."""
        return self._head == self._tail and not self._carried and not self._dropped[1] and not self._reentrant

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

    @property
    def capacity(self) -> int:
        """Bytes of the ring."""
        return self._capacity

    def note(self, kind: int, data: bytes) -> bool:
        """Append something of ours in the room that lines leave for it; False if there is none, or not yet."""
        try:
            self._acquire()
            self._busy = True
            stored = not self._behind and self._enter(kind, data, time_ns(), 0, 0)
            self._measure()
            self._busy = False
            self._release()
            return stored
        except BaseException:
            self._let_go()
            raise

    def read(self, limit: int) -> list[Chunk]:
        """The next chunks, about `limit` bytes of them; they stay in the ring until `commit` passes them."""
        try:
            self._acquire()
            self._busy = True
            self._store_reentrant()
            if self._behind:
                self._catch_up()
            start, head = self._read, self._head
            if self._open_kind >= 0:
                self._loose = (self._open_kind, self._open_thread, False)
                self._open_kind = -1  # what is handed out is not extended any more
            if head - start <= limit:
                self.urgent = False
            self._busy = False
            self._release()
        except BaseException:
            self._let_go()
            raise
        chunks, position = scan(self._buffer, self._capacity, start, head, limit, check=False)
        if not chunks and position < head:  # all that it saw is where the ring begins anew
            chunks, position = scan(self._buffer, self._capacity, position, head, limit, check=False)
        try:
            self._acquire()
            self._busy = True
            self._read = position
            self._wake_at = position + self._watermark
            self._measure()
            self._busy = False
            self._release()
        except BaseException:
            self._let_go()
            raise
        return chunks

    def commit(self, commit: Commit) -> int:
        """Free everything before `commit.position`, so that a crash from here on does not bring it back.

        Returns the position where the rest begins: further on than asked if that starts the ring at the front again.
        """
        try:
            self._acquire()
            self._busy = True
            position = commit.position
            if position == self._head == self._read and position % self._capacity:
                self._head = self._read = position = position - position % self._capacity + self._capacity
                self._open_kind = -1
                self._wake_at = position + self._watermark
            self._tail = position
            self._measure()
            self._look(time_ns())
            self._generation += 1
            self._carry(commit.carried)
            if position == self._head:  # the slot is all that the file has to have
                self._stale, self._unsaved = False, -1
            self._put(pack_slot(self._generation, position, commit, self._carried_at), SLOT_AT[self._generation & 1])
            self._busy = False
            self._release()
            return position
        except BaseException:
            self._let_go()
            raise

    def _carry(self, carried: bytes) -> None:
        """Store the beginnings of lines that are not in the ring any more."""
        if carried:
            self._carried_at = carried_place(self._capacity, self._carried_at, len(self._carried), carried)
            if not self._write(carried, self._carried_at):
                self._stale = True
        self._carried = carried

    def close(self) -> None:
        """Let go of the memory; nothing may be appended afterwards."""
        if not isinstance(self._buffer, bytearray):
            self._buffer.close()


def _nowhere(data: bytes, at: int) -> bool:
    """Where no file mirrors the memory."""
    return True


def new_environment() -> str:
    """A random id of one runtime process: 12 hexadecimal digits."""
    return urandom(6).hex()
