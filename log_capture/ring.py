"""The bytes of a journal: header, commit slots and entries, and how they are read. Pure.

Layout
------
::

    0        8         16              32            64                2112               4160       4096 + capacity
    +--------+---------+---------------+------+------+-----------------+------------------+ - - - - - - - -+
    | magic  | capacity| environment   | drops| 0    | commit slot 0   | commit slot 1    |   ring         |
    +--------+---------+---------------+------+------+-----------------+------------------+ - - - - - - - -+

    commit slot   generation u64 | position u64 | settled u64 | seq u64 | acked u64 | context length u16 | crc u32
                  | context (UTF-8)
                  The two are written in turn; the valid one with the higher generation counts.
    entry         time u64 (ns since the epoch) | thread u64 | kind u8 | ended u8 | 0 u16 | length u32 | mark i64
                  | data (length bytes)
                  The mark is written last, after the data: the position, inverted. So neither a torn entry nor what an
                  earlier lap left behind passes for new. `ended` is 1 if a newline follows the data: the
                  newline that `print` writes by itself costs one byte's store. A length of 0xFFFFFFFF means: go on
                  at the front of the ring; so does a rest too short for an entry.

Positions are logical: they only ever grow, and ``position % capacity`` is the place in the ring. When everything is
committed the next entry starts at the front again, so a function that writes little touches few pages.
"""

from __future__ import annotations

import struct
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

    #: (position after the entry, kind, thread, time in us, data); the kind is greater by ENDED if a newline follows the
    #: data that is not in it.
    Chunk = tuple[int, int, int, int, bytes]
    Buffer = mmap | bytearray

#: Kinds of entries. The first two are pieces of a stream and may end anywhere in a line; the others are whole. Those
#: from CONTEXT on ride along with others: they are nothing that an invocation's flush must deliver.
STDOUT, STDERR, FRAME, LOG, EXTENSION, DROPPED, CONTEXT, EVENT, CUT = range(9)

MAGIC = b"firetee2"
HEADER_BYTES = 8192
HEADER = struct.Struct("<8sQ16s")
DROPS_AT = 32
DROPS = struct.Struct("<QQ")
SLOT = struct.Struct("<QQQQQHI")
SLOT_AT = (64, 64 + 4032)
MAX_CONTEXT_BYTES = 4032 - SLOT.size
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
pack_entry = ENTRY.pack_into
WRAP = 0xFFFFFFFF


class Commit:
    """Where a reader starts: everything before `position` is done with, and `context` is in force there.

    So is every line that ended before `settled`: it is further on than `position` where some thread's line had begun
    and not ended. `seq` is the number of the first line that ends after `settled`; lines numbered below `acked` were
    delivered all the same.
    """

    __slots__ = ("acked", "context", "position", "seq", "settled")

    def __init__(self, position: int, seq: int, acked: int, context: bytes, settled: int | None = None) -> None:
        self.position = position
        self.seq = seq
        self.acked = acked
        self.context = context
        self.settled = position if settled is None else settled


def write_slot(buffer: Buffer, generation: int, position: int, commit: Commit) -> None:
    """Store a commit, of which `position` is the place, in the slot that is not the newest."""
    context = commit.context[:MAX_CONTEXT_BYTES]
    fields = (generation, position, max(position, commit.settled), commit.seq, commit.acked, len(context))
    crc = crc32(context, crc32(SLOT.pack(*fields, 0)))
    at = SLOT_AT[generation & 1]
    buffer[at : at + SLOT.size + len(context)] = SLOT.pack(*fields, crc) + context


def newest_commit(buffer: Buffer) -> tuple[int, Commit]:
    """The generation and content of the newest whole commit slot; `ValueError` if there is none."""
    newest, found = -1, None
    for at in SLOT_AT:
        generation, position, settled, seq, acked, length, crc = SLOT.unpack_from(buffer, at)
        context = bytes(buffer[at + SLOT.size : at + SLOT.size + min(length, MAX_CONTEXT_BYTES)])
        expected = crc32(context, crc32(SLOT.pack(generation, position, settled, seq, acked, length, 0)))
        if crc == expected and generation > newest:
            newest, found = generation, Commit(position, seq, acked, context, settled)
    if found is None:
        raise ValueError("both of its commit slots are damaged")
    return newest, found


def scan(buffer: Buffer, capacity: int, position: int, end: int, limit: int, *, check: bool) -> tuple[list[Chunk], int]:
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
