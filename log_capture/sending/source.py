"""One journal on its way out: journal → lines → filters → render → pack, and the bookkeeping of what was taken.

A block of the journal is rendered at a time; its records wait here until Firehose has taken each of them, and only then
is the block freed. Used by the sender's thread alone.
"""

from __future__ import annotations

from itertools import accumulate

from ..envelope.lines import Assembler, dropped_record
from ..envelope.pack import batches
from ..journal.journal import Journal
from ..journal.ring import EVENT, Commit, pack_carried, unpack_carried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..envelope.holding import Holding
    from ..envelope.lines import Line
    from ..envelope.pack import Packer, Record
    from ..envelope.render import Renderer
    from ..journal.dead_journal import DeadJournal
    from .copies import Copies

#: How much of the journal is rendered at a time (a choice: with the envelope it fills one call of 4 MiB at most).
BLOCK_BYTES = 1 << 20
#: An unfinished line keeps so much of the ring from being freed, at most: then it is carried in the commit, which is
#: written again with each block (a choice: most such lines end at once).
KEPT_BYTES = 1 << 16
_EVERYTHING = 1 << 62  # larger than any position


class Source:
    """What is left to send of one journal.

    `discard()` is called once by the shipper when a finished source (a dead process's journal) is empty.
    """

    def __init__(
        self,
        journal: Journal | DeadJournal,
        renderer: Renderer,
        packer: Packer,
        *,
        start: Commit | None = None,
        discard: Callable[[], None] | None = None,
        kept_bytes: int = KEPT_BYTES,
        holding: Holding | None = None,
        copies: Copies | None = None,
    ) -> None:
        self.journal = journal
        self.discard = discard
        self._renderer = renderer
        self._packer = packer
        self._kept_bytes = kept_bytes
        self._holding = holding
        self._copies = copies
        if copies is not None:
            renderer.failures = []
        self._commit = start or Commit(0, 0, 0, b"")
        self._settled = self._commit.settled  # lines that ended before it were delivered by a process that is dead
        self._seq = self._commit.seq
        self._skip_below = self._commit.acked
        self._assembler = Assembler(
            self._commit.position,
            self._commit.context.decode(),
            unpack_carried(self._commit.carried),
            longest=journal.capacity // 2,
        )
        self._after = self._commit
        self._base = self._commit  # where the entries begin that the next outcome is about
        self._is_released_early = False  # the entry for that is written, and not yet read
        self._records: list[Record] = []
        self._numbers: list[int] = []  # of the first line in each of them
        self._aim, self._owed = _EVERYTHING, False
        self._urgent = False
        self.lines = 0  # sent so far
        self.bytes = 0

    @property
    def urgent(self) -> bool:
        """Whether something waits that an invocation's flush must deliver. Any thread."""
        return self._urgent or self.journal.urgent

    @property
    def empty(self) -> bool:
        """Whether everything written so far was taken. Any thread."""
        return not self._records and self.journal.empty

    def aim(self, *, everything: bool) -> None:
        """Have `batch` end with what was written until now, or else with everything, also what is written meanwhile.

        Who writes without pause would else be sent a few lines at a time, and a flush would have no end.
        """
        self._aim, self._owed = _EVERYTHING, False
        if isinstance(self.journal, Journal) and not everything:
            self._aim, self._owed = self.journal.end, self.journal.owes

    def batch(self) -> Sequence[Record]:
        """The records to send next, within the limits of one call; empty if nothing is left."""
        while not self._records:
            if self._assembler.position >= self._aim:
                if not self._owed:
                    return ()
                self._owed = False  # there is room for it now
            if not self._load():
                return ()
        return batches(self._records)[0]

    def widen(self) -> bool:
        """Render more, so that the next `batch` is the newest one with more behind it; False if it is the same."""
        known = len(self._records)
        while len(self._records) == known and self._load():
            pass
        return len(self.batch()) > known

    def settle(self, done: Sequence[bool]) -> None:
        """Note which of the records of the newest `batch` are done with (taken, or given up), in its order."""
        for (data, lines), is_done in zip(self._records, done, strict=False):
            if is_done:
                self.lines += lines
                self.bytes += len(data)
        left = [index for index, is_done in enumerate(done) if not is_done]
        self._records[: len(done)] = [self._records[index] for index in left]
        self._numbers[: len(done)] = [self._numbers[index] for index in left]
        if not self._records:
            self._finish()
        elif self._numbers[0] > self._commit.acked:  # what was taken behind a record that was not may come again
            commit = self._commit
            commit.acked = self._numbers[0]
            self.journal.commit(commit)

    def note_given_up(self, record: Record, code: str) -> None:
        """A record will never be taken: leave a note among the lines where it is missing."""
        data, lines = record
        if isinstance(self.journal, Journal):
            note = dropped_record(f"Firehose refused the record: {code}", lines, len(data))
            self.journal.append(EVENT, b"platform.logsDropped\0" + note.encode())
            self._aim = max(self._aim, self.journal.end)

    def _load(self) -> bool:
        """Render the next block; False if the journal has no more."""
        self._urgent = self._urgent or self.journal.urgent
        chunks = self.journal.read(BLOCK_BYTES)
        holding = self._holding
        if not chunks:
            return False
        assembler = self._assembler
        if assembler.position < self._settled:
            whole = sum(end <= self._settled for end, *_ in chunks)
            delivered = assembler.feed(chunks[:whole])
            if holding is not None:
                holding.sift(delivered, delivered=True)
            chunks = chunks[whole:]
        lines = assembler.feed(chunks)
        if holding is not None:
            lines = holding.sift(lines)
            if not isinstance(self.journal, Journal) and self.journal.at_end:  # its process died before an outcome
                lines += holding.released()
            lines += self._released_early(holding)
        rendered: list[bytes] = []
        first = self._seq
        seq = self._seq = self._renderer.render_many(lines, first, rendered)
        if self._copies is not None and self._renderer.failures:
            self._copies.add(self._renderer.failures)
            self._renderer.failures = []
        acked = max(seq, self._skip_below)
        oldest = assembler.oldest
        position, context = assembler.position, assembler.context.encode()
        if holding is not None and self._waits(holding):
            base = self._base
            self._after = Commit(base.position, seq, acked, base.context, position, base.carried)
        elif oldest is None:
            self._after = Commit(position, seq, acked, context)
        elif position - oldest.position <= self._kept_bytes and oldest.position >= self._commit.position:
            self._after = Commit(oldest.position, seq, acked, oldest.context.encode(), position)
        else:
            self._after = Commit(position, seq, acked, context, carried=pack_carried(assembler.unfinished))
        if holding is not None and not holding.waits:
            self._base = self._after
        skip = min(max(0, self._skip_below - first), len(rendered))  # delivered before the crash
        records = self._packer.pack(rendered[skip:])
        self._records += records
        self._numbers += list(accumulate((lines for _, lines in records), initial=first + skip))[:-1]
        if not self._records:
            self._finish()
        return True

    def _waits(self, holding: Holding) -> bool:
        """Whether what was read since the last outcome must stay in the journal."""
        outcome, self._assembler.outcome = self._assembler.outcome, None
        if outcome is not None:
            begin, end, context, unfinished = outcome
            early = holding.released_early  # which notes a level that is still to be known
            carried = pack_carried(unfinished)
            self._base = Commit(begin if early else end, 0, 0, context.encode(), carried=carried)
            self._is_released_early = False
        return holding.waits

    def _released_early(self, holding: Holding) -> list[Line]:
        """Have what waits released if the journal is half full: by a note in it, or at once if that has no room."""
        journal = self.journal
        if (
            not holding.waits
            or self._is_released_early
            or not isinstance(journal, Journal)
            or journal.backlog <= journal.capacity // 2
        ):
            return []
        if not journal.note(EVENT, holding.early()):
            return holding.release()
        self._is_released_early = True
        self._aim = max(self._aim, journal.end)
        return []

    def _finish(self) -> None:
        """The block is done with: free it in the journal."""
        commit = self._commit = self._after
        moved = self.journal.commit(commit)
        if moved != commit.position:
            commit.position = commit.settled = self._assembler.position = moved
        holding = self._holding
        waits = holding is not None and holding.waits
        self._urgent = self.journal.urgent or self._assembler.oldest is not None or waits
