"""The bytes of a journal: header, commit slots and entries, and how they are read. Pure.

Layout
------
::

    0        8         16              32            64                4096               8128       8192
    +--------+---------+---------------+------+------+-----------------+------------------+----------+ - - - - - - - +
    | magic  | capacity| env. 12 | crc | drops| 0    | commit slot 0   | commit slot 1    | spools   |   ring        |
    +--------+---------+---------------+------+------+-----------------+------------------+----------+ - - - - - - - +

    commit slot   generation u64 | position u64 | settled u64 | seq u64 | acked u64 | place u64 of what is carried
                  | its length u32 | its crc u32 | context length u16 | crc u32 | context (UTF-8)
                  The two are written in turn; the valid one with the higher generation counts.
    carried       behind the ring: lines that had begun before `position` and not ended, see `pack_carried`
    entry         time u64 (ns since the epoch) | thread u64 | kind u8 | ended u8 | 0 u16 | length u32 | mark i64
                  | data (length bytes)
                  The mark is the position, inverted, and reaches a file after the data. So neither a torn entry nor
                  what an earlier lap left behind passes for new. `ended` is 1 if a newline follows the data: the
                  newline that `print` writes by itself costs one byte's store. A length of 0xFFFFFFFF means: go on
                  at the front of the ring; so does a rest too short for an entry.

The same layout is used in memory, where what is carried has no place of its own, and in the file that mirrors it.
Positions are logical: they only ever grow, and ``position % capacity`` is the place in the ring. When everything is
committed the next entry starts at the front again, so a function that writes little touches few pages.
"""

from __future__ import annotations

import struct
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from mmap import mmap
    from typing import Protocol

    #: (position after the entry, kind, thread, time in us, data); the kind is greater by ENDED if a newline follows the
    #: data that is not in it.
    Chunk = tuple[int, int, int, int, bytes]
    Buffer = mmap | bytearray

    class Bytes(Protocol):
        """What can be read and written by slices; what is read behind its end is missing."""

        def __len__(self) -> int: ...
        def __getitem__(self, place: slice, /) -> bytes | bytearray: ...
        def __setitem__(self, place: slice, data: bytes, /) -> None: ...

    #: Kind, thread, position and time in us of the beginning of a line, the ids in force there, and the text so far.
    Carried = tuple[int, int, int, int, bytes, bytes]

#: Kinds of entries. The first two are pieces of a stream and may end anywhere in a line; the others are whole. Those
#: from CONTEXT on ride along with others: they are nothing that an invocation's flush must deliver.
STDOUT, STDERR, FRAME, LOG, EXTENSION, DROPPED, CONTEXT, EVENT, CUT = range(9)

MAGIC = b"firetee3"
HEADER_BYTES = 8192
HEADER = struct.Struct("<8sQ12sI")
DROPS_AT = 32
DROPS = struct.Struct("<QQ")
SLOT = struct.Struct("<QQQQQQIIHI")
SLOT_AT = (64, 64 + 4032)
MAX_CONTEXT_BYTES = 4032 - SLOT.size
CARRIED = struct.Struct("<QQQQII")
SPOOLS_AT = 64 + 2 * 4032
SPOOLS = struct.Struct("<QQQQ")  # copied of stdout's and stderr's, the end of a dead journal's entries, 1: all echoed

ENTRY = struct.Struct("@QQIIq")
ENDED_AT = 17
ENDED = 1 << 8  # what that byte adds to the kind before it, read as one number
LENGTH_AT = 20
LENGTH = struct.Struct("@I")
pack_length = LENGTH.pack
unpack_length = LENGTH.unpack_from
ENTRY_BYTES = ENTRY.size
pack_entry = ENTRY.pack
WRAP = 0xFFFFFFFF


def pack_header(capacity: int, environment: str) -> bytes:
    """How a journal begins. `environment`: 12 ASCII characters."""
    fields = MAGIC, capacity, environment.encode()
    return HEADER.pack(*fields, crc32(HEADER.pack(*fields, 0)))


def unpack_header(header: bytes | bytearray) -> tuple[int, str]:
    """Capacity and environment; `ValueError` if it is not a journal's."""
    magic, capacity, environment, crc = HEADER.unpack(header)
    if magic != MAGIC or crc != crc32(HEADER.pack(magic, capacity, environment, 0)):
        raise ValueError("its header is not a journal's")
    return capacity, environment.decode("ascii", "replace")


class Commit:
    """Where a reader starts: everything before `position` is done with, and `context` is in force there.

    So is every line that ended before `settled`: it is further on than `position` where some thread's line had begun
    and not ended. `seq` is the number of the first line that ends after `settled`; lines numbered below `acked` were
    delivered all the same. `carried` are the lines that had begun before `position` and not ended, as `pack_carried`
    writes them.
    """

    __slots__ = ("acked", "carried", "context", "position", "seq", "settled")

    def __init__(
        self,
        position: int,
        seq: int,
        acked: int,
        context: bytes,
        settled: int | None = None,
        carried: bytes = b"",
    ) -> None:
        self.position = position
        self.seq = seq
        self.acked = acked
        self.context = context
        self.settled = position if settled is None else settled
        self.carried = carried


def pack_slot(generation: int, position: int, commit: Commit, carried_at: int) -> bytes:
    """A commit, of which `position` is the place; what it carries is stored at `carried_at`."""
    context = commit.context[:MAX_CONTEXT_BYTES]
    fields = (
        *(generation, position, max(position, commit.settled), commit.seq, commit.acked, carried_at),
        *(len(commit.carried), crc32(commit.carried), len(context)),
    )
    return SLOT.pack(*fields, crc32(context, crc32(SLOT.pack(*fields, 0)))) + context


def whole(buffer: Bytes, at: int, size: int) -> bytes:
    """That many bytes, zeros behind its end: a file is no longer than what was written."""
    return bytes(buffer[at : at + size]).ljust(size, b"\0")


def newest_commit(buffer: Bytes) -> tuple[int, Commit]:
    """The generation and content of the newest whole commit slot; `ValueError` if there is none."""
    newest, found = -1, None
    for at in SLOT_AT:
        *fields, crc = SLOT.unpack(whole(buffer, at, SLOT.size))
        generation, position, settled, seq, acked, carried_at, carried_length, carried_crc, length = fields
        context = bytes(buffer[at + SLOT.size : at + SLOT.size + min(length, MAX_CONTEXT_BYTES)])
        if crc != crc32(context, crc32(SLOT.pack(*fields, 0))) or generation <= newest:
            continue
        carried = bytes(buffer[carried_at : carried_at + carried_length])
        if crc32(carried) == carried_crc:
            newest, found = generation, Commit(position, seq, acked, context, settled, carried)
    if found is None:
        raise ValueError("both of its commit slots are damaged")
    return newest, found


def carried_place(capacity: int, last_at: int, last_length: int, carried: bytes) -> int:
    """Where to store what a commit carries without touching what the last one does: at the front if it fits there."""
    first = HEADER_BYTES + capacity
    return first if last_at >= first + len(carried) else last_at + last_length


def pack_carried(lines: Iterable[Carried]) -> bytes:
    """Each as its numbers, two lengths, the ids and the text."""
    return b"".join(
        CARRIED.pack(kind, thread, position, time_us, len(context), len(text)) + context + text
        for kind, thread, position, time_us, context, text in lines
    )


def unpack_carried(data: bytes) -> list[Carried]:
    """What `pack_carried` wrote."""
    lines: list[Carried] = []
    at = 0
    while at < len(data):
        kind, thread, position, time_us, context_length, length = CARRIED.unpack_from(data, at)
        at += CARRIED.size
        context = data[at : at + context_length]
        at += context_length
        lines.append((kind, thread, position, time_us, context, data[at : at + length]))
        at += length
    return lines


def scan(buffer: Bytes, capacity: int, position: int, end: int, limit: int, *, check: bool) -> tuple[list[Chunk], int]:
    """Chunks from `position` on, up to `end` or about `limit` bytes, and the position behind them.

    With `check`, stops at the first entry without its mark (never written, torn, or of an earlier lap).
    """
    chunks: list[Chunk] = []
    unpack, size = ENTRY.unpack_from, ENTRY_BYTES
    stop = min(end, position + limit)
    while position < stop:
        place = position % capacity
        room = capacity - place
        # One copy out of the buffer, up to the end of the ring at most, and places in it that are only added up: half
        # the cost of a slice of a mapped file and a division per entry. The last entry may go on behind this block.
        start = HEADER_BYTES + place
        block = bytes(buffer[start : start + min(room, end - position, stop - position + size)])
        have = len(block)
        last = min(stop - position, have - size + 1)
        at = 0
        while at < last:
            time_ns, thread, kind, length, mark = unpack(block, at)
            if check and mark != ~(position + at):
                return chunks, position + at
            data_at = at + size
            at = data_at + length
            if at <= have:
                data = block[data_at:at]
            elif length == WRAP:
                at = room
                break
            elif at <= room and position + at <= end:
                data = bytes(buffer[start + data_at : start + at])
            else:  # only in a damaged file: an entry never crosses the end of the ring
                return chunks, position + data_at - size
            chunks.append((position + at, kind, thread, time_ns // 1000, data))
        if position + at < stop:
            if room - at >= size:  # only in a damaged file
                return chunks, position + at
            at = room
        position += at
    return chunks, position
