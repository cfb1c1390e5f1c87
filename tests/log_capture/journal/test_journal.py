"""The journal: bounded, ordered, and all there after a death at any byte."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.journal.dead_journal import DeadJournal
from log_capture.journal.journal import Journal
from log_capture.journal.journal_file import left_behind
from log_capture.journal.ring import CONTEXT, CUT, DROPPED, ENDED, EVENT, FRAME, HEADER_BYTES, STDERR, STDOUT, Commit
from tests.fakes.disk import Disk

if TYPE_CHECKING:
    from log_capture.journal.ring import Chunk

ENVIRONMENT = "0123456789ab"


def make(capacity: int = 4096, **options: object) -> tuple[Journal, Disk]:
    disk = Disk()
    memory = bytearray(HEADER_BYTES + capacity)
    return Journal(memory, environment=ENVIRONMENT, mirror=disk, **options), disk  # type: ignore[arg-type]


def content(chunks: list[Chunk]) -> list[tuple[int, bytes]]:
    """Kind and data of each, with the newline that follows it."""
    return [(kind - ENDED, data + b"\n") if kind >= ENDED else (kind, data) for _, kind, _, _, data in chunks]


def drain(journal: Journal | DeadJournal) -> list[tuple[int, bytes]]:
    """Everything, committed as it is read."""
    found = []
    while chunks := journal.read(1 << 20):
        found += content(chunks)
        journal.commit(Commit(chunks[-1][0], 0, 0, b""))
    return found


def fill(journal: Journal) -> int:
    """Append whole lines of 100 bytes, then of 10, until not even those fit; returns how many were kept."""
    kept = 0
    for size in (100, 10):
        while journal.append(STDOUT, b"k" * (size - 1) + b"\n"):
            kept += 1
    return kept


def recover(disk: Disk) -> list[tuple[int, bytes]]:
    """What the next process finds. The newline of a last line is not in the file until something follows."""
    return [chunk for chunk in drain(DeadJournal(bytearray(disk.image))) if chunk[0] != CUT]


def as_lines(entries: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Without the newline at the very end, which makes no difference to the lines."""
    return [*entries[:-1], (entries[-1][0], entries[-1][1].removesuffix(b"\n"))] if entries else []


def test_what_is_appended_is_read_in_order_with_kind_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _ = make()
    monkeypatch.setattr("log_capture.journal.journal.time_ns", iter([11_000, 12_001, 13_999]).__next__)
    journal.append(STDOUT, b"one\n")
    journal.append(STDERR, b"two\n")
    journal.append(EVENT, b"three")
    assert [(kind, time, data) for _, kind, _, time, data in journal.read(1 << 20)] == [
        (STDOUT, 11, b"one\n"),
        (STDERR, 12, b"two\n"),
        (EVENT, 13, b"three"),
    ]


def test_the_rest_of_a_line_is_added_to_its_beginning() -> None:
    """What `print("a", "b")` writes in four pieces is one entry."""
    journal, disk = make()
    for piece in (b"a", b" ", b"b", b"\n", b"c\n"):
        journal.append(STDOUT, piece)
    assert recover(disk) == [(STDOUT, b"a b\n"), (STDOUT, b"c\n")]
    assert drain(journal) == [(STDOUT, b"a b\n"), (STDOUT, b"c\n")]


def test_the_newline_of_a_print_costs_no_write_of_its_own() -> None:
    journal, disk = make()
    before = len(disk.writes)
    for _ in range(10):
        journal.append(STDOUT, b"printed")
        journal.append(STDOUT, b"\n")
    assert len(disk.writes) == before + 10
    assert as_lines(recover(disk)) == as_lines([(STDOUT, b"printed\n")] * 10)


def test_pieces_of_two_threads_stay_apart() -> None:
    journal, _ = make()
    journal.append(STDOUT, b"main ")
    other = threading.Thread(target=journal.append, args=(STDOUT, b"other\n"))
    other.start()
    other.join()
    journal.append(STDOUT, b"thread\n")
    chunks = journal.read(1 << 20)
    assert [data for *_, data in chunks] == [b"main ", b"other\n", b"thread\n"]
    assert chunks[0][2] == chunks[2][2] != chunks[1][2]


def test_a_piece_already_read_is_not_extended() -> None:
    journal, _ = make()
    journal.append(STDOUT, b"be")
    assert drain(journal) == [(STDOUT, b"be")]
    journal.append(STDOUT, b"gun\n")
    assert drain(journal) == [(STDOUT, b"gun\n")]


@pytest.mark.parametrize("read", [False, True], ids=["waiting", "sent already"])
def test_a_newline_that_comes_after_the_cut_of_its_line_is_no_line_of_its_own(read: bool) -> None:
    journal, _ = make()
    journal.append(STDOUT, b"almost")
    found = drain(journal) if read else []
    journal.append(CUT, b"")
    journal.append(STDOUT, b"\n")
    journal.append(STDOUT, b"\n")
    assert found + drain(journal) == [(STDOUT, b"almost"), (CUT, b""), (STDOUT, b"\n")]


def test_a_line_that_goes_on_after_a_cut_keeps_its_newline() -> None:
    journal, _ = make()
    journal.append(STDOUT, b"almost")
    journal.append(CUT, b"")
    journal.append(STDOUT, b"more")
    journal.append(STDOUT, b"\n")
    assert drain(journal) == [(STDOUT, b"almost"), (CUT, b""), (STDOUT, b"more\n")]


def test_an_empty_journal_starts_at_the_front_again() -> None:
    """So that a function that writes little touches few pages."""
    journal, disk = make(capacity=64 * 1024)
    for _ in range(100):
        journal.append(STDOUT, b"x" * 500 + b"\n")
        drain(journal)
    assert len(disk.image) <= HEADER_BYTES + 4096


def test_a_full_journal_drops_the_new_line_and_says_so_where_it_is_missing() -> None:
    journal, _ = make(capacity=1024)
    kept = fill(journal)
    before = journal.dropped_lines
    assert not journal.append(FRAME, b"frame, too long for the room that is left")
    assert journal.dropped_lines == before + 1
    first = journal.read(300)
    journal.commit(Commit(first[-1][0], 0, 0, b""))
    journal.append(STDOUT, b"later\n")
    rest = drain(journal)
    notes = [data for kind, data in rest if kind == DROPPED]
    assert [kind for kind, _ in rest].count(STDOUT) == kept - len(first) + 1
    assert rest[-2:] == [(DROPPED, notes[-1]), (STDOUT, b"later\n")]
    assert sum(int.from_bytes(note[:8], "little") for note in notes) == journal.dropped_lines
    assert sum(int.from_bytes(note[8:], "little") for note in notes) == 100 + 10 + 41


def test_the_end_of_a_line_whose_beginning_was_dropped_is_dropped_too() -> None:
    journal, _ = make(capacity=1024)
    fill(journal)
    journal.append(STDERR, b"the beginning of a line for which there is no room ")
    drain(journal)
    journal.append(STDERR, b"and its end\nwhole\n")
    assert [data for kind, data in drain(journal) if kind == STDERR] == [b"whole\n"]


def test_drops_survive_a_crash() -> None:
    journal, disk = make(capacity=1024)
    fill(journal)
    notes = [data for kind, data in recover(disk) if kind == DROPPED]
    assert sum(int.from_bytes(note[8:], "little") for note in notes) == 110


def test_a_reader_is_nudged_once_when_the_watermark_is_passed() -> None:
    nudges: list[int] = []
    journal, _ = make(capacity=65536, nudge=lambda: nudges.append(1), watermark=1000)
    for _ in range(50):
        journal.append(STDOUT, b"x" * 99 + b"\n")
    assert len(nudges) == 1
    drain(journal)
    for _ in range(50):
        journal.append(STDOUT, b"x" * 99 + b"\n")
    assert len(nudges) == 2


def test_writing_from_a_finalizer_inside_append_neither_hangs_nor_loses_the_line() -> None:
    """The garbage collector may run a `__del__` that prints in the middle of `append`."""
    journal, _ = make()

    class Sly(bytes):
        def __getitem__(self, item: object) -> bytes:  # type: ignore[override]
            journal.append(STDERR, b"from inside\n")
            return b"\n"

    journal.append(STDOUT, Sly(b"outer\n"))
    assert drain(journal) == [(STDOUT, b"outer\n"), (STDERR, b"from inside\n")]


def test_what_was_acknowledged_does_not_come_back() -> None:
    journal, disk = make()
    for number in range(5):
        journal.append(STDOUT, b"%d\n" % number)
    chunks = journal.read(1 << 20)
    journal.commit(Commit(chunks[2][0], 3, 3, b"context"))
    dead = DeadJournal(bytearray(disk.image))
    assert (dead.environment, dead.start.seq, dead.start.acked, dead.start.context) == (ENVIRONMENT, 3, 3, b"context")
    assert recover(disk) == [(STDOUT, b"3\n"), (STDOUT, b"4\n")]


@pytest.mark.parametrize("damage", [0, 9, 64], ids=["magic", "capacity", "one commit slot"])
def test_damage_to_the_header_is_an_error_or_is_survived(damage: int) -> None:
    journal, disk = make()
    journal.append(STDOUT, b"line\n")
    disk.image[damage] ^= 0xFF
    if damage < 64:
        with pytest.raises(ValueError, match="header"):
            DeadJournal(disk.image)
    else:
        assert recover(disk) == [(STDOUT, b"line\n")]


@given(st.binary(max_size=3 * HEADER_BYTES))
def test_any_file_is_either_refused_or_read_to_an_end(content: bytes) -> None:
    try:
        dead = DeadJournal(bytearray(content))
    except ValueError:
        return
    drain(dead)


# ---- the file --------------------------------------------------------------------------------------------------------


def write_some(journal: Journal, name: str, count: int = 3) -> list[tuple[int, bytes]]:
    lines = [(STDOUT, f"{name} {number}\n".encode()) for number in range(count)]
    for kind, data in lines:
        assert journal.append(kind, data)
    return lines


def test_what_is_not_sent_yet_is_in_a_new_file_as_soon_as_the_old_one_is_found_to_be_gone() -> None:
    journal, disk = make(capacity=4096)
    write_some(journal, "sent")
    drain(journal)
    kept = write_some(journal, "kept")
    disk.gone = True
    journal.look_after()
    assert disk.renewed == 1
    assert recover(disk) == kept
    kept += write_some(journal, "after")
    assert recover(disk) == kept
    assert drain(journal) == kept


def test_the_file_is_looked_at_while_the_function_writes_and_not_for_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000_000]
    monkeypatch.setattr("log_capture.journal.journal.time_ns", lambda: now[0])
    journal, disk = make(capacity=1 << 20)
    lines = write_some(journal, "before", 100)
    assert disk.looks == 1
    disk.gone = True
    now[0] += 10_000_000
    lines += write_some(journal, "after", 100)
    assert disk.looks == 2
    assert recover(disk) == lines


def test_a_full_disk_costs_what_does_not_fit_its_crash_safety_and_nothing_else() -> None:
    journal, disk = make(capacity=1 << 16)
    saved = write_some(journal, "saved")
    disk.room = len(disk.image) + 10
    unsaved = write_some(journal, "unsaved", 100)
    assert recover(disk) == saved
    tried = len(disk.writes)
    unsaved += write_some(journal, "more", 100)
    assert len(disk.writes) == tried, "it is not tried again for each line"
    disk.room = 1 << 40
    journal.look_after()
    assert recover(disk) == saved + unsaved
    assert disk.renewed == 0
    assert drain(journal) == saved + unsaved


def test_a_full_disk_is_forgotten_once_everything_was_taken() -> None:
    journal, disk = make(capacity=1 << 16)
    write_some(journal, "saved")
    disk.room = len(disk.image) + 10
    write_some(journal, "unsaved", 100)
    drain(journal)
    disk.room = 1 << 40
    later = write_some(journal, "later")
    assert recover(disk) == later


def test_without_any_file_everything_is_kept_in_memory() -> None:
    journal, disk = make(capacity=1 << 16)
    lines = write_some(journal, "before")
    disk.gone, disk.can_renew = True, False
    journal.look_after()
    lines += write_some(journal, "after")
    assert drain(journal) == lines


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40))
def test_a_file_that_is_made_again_holds_what_lies_across_the_end_of_the_ring_too(sizes: list[int]) -> None:
    journal, disk = make(capacity=4096)
    kept: list[tuple[int, bytes]] = []
    for size in sizes:
        while not journal.has_room(size + 1):
            (end, *_), *_ = journal.read(1)
            kept.pop(0)
            journal.commit(Commit(end, 0, 0, b""))
        journal.append(FRAME, b"x" * size)
        kept.append((FRAME, b"x" * size))
    disk.gone = True
    journal.look_after()
    assert recover(disk) == kept


def test_the_beginnings_of_lines_that_a_commit_carries_are_found_by_the_next_process() -> None:
    journal, disk = make(capacity=4096)
    carried = b""
    for number in range(20):
        journal.append(STDOUT, b"%d\n" % number)
        (end, *_), *_ = journal.read(1)
        carried = b"what has begun " * number
        journal.commit(Commit(end, number, number, b"ids", carried=carried))
        assert DeadJournal(bytearray(disk.image)).start.carried == carried
        assert journal.empty == (not carried)
    disk.gone = True
    journal.look_after()
    assert DeadJournal(bytearray(disk.image)).start.carried == carried
    assert len(disk.image) < HEADER_BYTES + 4096 + 4 * len(carried), "it does not grow"


# ---- against a model -------------------------------------------------------------------------------------------------

line = st.binary(min_size=1, max_size=300).map(lambda data: data.replace(b"\n", b" "))
operation = st.one_of(
    st.tuples(st.just("append"), st.sampled_from((STDOUT, STDERR, FRAME, CONTEXT, EVENT)), line, st.booleans()),
    st.tuples(st.just("append"), st.sampled_from((STDOUT, STDERR)), st.just(b""), st.just(True)),  # as `print` does
    st.tuples(st.just("read"), st.integers(1, 3000)),
    st.tuples(st.just("commit"), st.floats(0, 1)),
)


@dataclass
class Model:
    """What the journal holds: entries in order, how many were read, how many committed."""

    entries: list[tuple[int, bytes]] = field(default_factory=list)
    read: list[tuple[int, int]] = field(default_factory=list)  # (position, entries up to it), not committed
    committed: int = 0
    read_upto: int = 0
    open: bool = False

    def append(self, kind: int, data: bytes) -> None:
        if self.open and self.entries[-1][0] == kind:
            self.entries[-1] = (kind, self.entries[-1][1] + data)
        else:
            self.entries.append((kind, data))
        self.open = kind <= STDERR and not self.entries[-1][1].endswith(b"\n")


@given(st.lists(operation, max_size=60))
def test_appends_reads_commits_wrap_arounds_and_crashes_agree_with_a_list(
    operations: list[tuple[object, ...]],
) -> None:
    """A crash between any two operations loses nothing that was kept, and brings back nothing that was committed."""
    journal, disk = make(capacity=2048)
    model = Model()
    for name, *arguments in operations:
        if name == "append":
            kind, text, ended = arguments
            assert isinstance(kind, int)
            assert isinstance(text, bytes)
            entry = text + b"\n" if ended or kind > STDERR else text
            if not journal.append(kind, entry):
                break  # full: drops have tests of their own
            model.append(kind, entry)
        elif name == "read":
            assert isinstance(arguments[0], int)
            chunks = journal.read(arguments[0])
            expected = model.entries[model.read_upto : model.read_upto + len(chunks)]
            assert content(chunks) == expected
            for chunk in chunks:
                model.read_upto += 1
                model.read.append((chunk[0], model.read_upto))
            model.open = False
        elif model.read:
            assert isinstance(arguments[0], float)
            index = int(arguments[0] * (len(model.read) - 1))
            position, model.committed = model.read[index]
            del model.read[: index + 1]
            journal.commit(Commit(position, model.committed, model.committed, b""))
        assert as_lines(recover(disk)) == as_lines(model.entries[model.committed :])
        assert DeadJournal(bytearray(disk.image)).start.seq == model.committed


long_line = st.integers(1, 9000).map(lambda size: b"0123456789"[: size % 10] + b"x" * size)


@given(st.lists(long_line, max_size=6), long_line, st.integers(0, 6), st.booleans())
def test_a_death_in_any_page_of_an_append_loses_at_most_that_line(
    lines: list[bytes], last: bytes, pages: int, print_it: bool
) -> None:
    """The kernel looks for a SIGKILL between two pages of a write, and so a write can end there."""
    journal, disk = make(capacity=1 << 17)
    end = [b"\n"] if print_it else []
    for text in lines:
        for piece in (text, *end):
            journal.append(STDOUT if print_it else FRAME, piece)
    disk.pages_left = pages
    journal.append(STDOUT if print_it else FRAME, last)
    found = [data.removesuffix(b"\n") for _, data in recover(disk)]
    assert found == [*lines, last] if disk.pages_left else found in (lines, [*lines, last])


@given(st.lists(long_line, min_size=1, max_size=4), st.integers(0, 4))
def test_a_death_while_a_line_is_extended_keeps_what_was_there_before(pieces: list[bytes], pages: int) -> None:
    journal, disk = make(capacity=1 << 17)
    journal.append(STDOUT, b"<")
    for piece in pieces[:-1]:
        journal.append(STDOUT, piece)
    disk.pages_left = pages
    journal.append(STDOUT, pieces[-1])
    before = b"<" + b"".join(pieces[:-1])
    assert recover(disk) in ([(STDOUT, before)], [(STDOUT, before + pieces[-1])])


KILLED_WRITER = """
import sys
from log_capture.journal.journal import Journal
from log_capture.journal.ring import FRAME
from log_capture.journal.journal_file import JournalFile
file = JournalFile(sys.argv[1])
journal = Journal(bytearray(1 << 20), environment="0123456789ab", mirror=file)
number = 0
while journal.append(FRAME, b"%d " % number * 20):
    number += 1
    if number == int(sys.argv[2]):
        print(flush=True)
print("full", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("after", [1, 20, 300, 1500, 4000])
def test_a_sigkill_in_the_middle_of_writing_loses_no_line_that_was_written(after: int, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(tmp_path), str(after)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"\n"  # that many are written, and it goes on
        writer.kill()
    (left,) = left_behind(str(tmp_path), pytest.fail)
    found = [data for kind, data in drain(left.journal) if kind == FRAME]
    left.discard()
    assert len(found) >= after
    assert found == [b"%d " % number * 20 for number in range(len(found))]


def test_what_tells_whose_lines_follow_is_nothing_that_a_flush_must_deliver() -> None:
    """Else each invocation that writes nothing would cost a request."""
    journal, _ = make(1 << 16)
    drain(journal)
    journal.append(CONTEXT, b"")
    journal.append(CUT, b"")
    assert not journal.urgent
    journal.append(STDOUT, b"a\n")
    assert journal.urgent
