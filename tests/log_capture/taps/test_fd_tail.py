"""The files behind fds 1 and 2, in a process of the test's own; and what is left of them after its death."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from log_capture.journal.dead_journal import DeadJournal
from log_capture.journal.journal import Journal
from log_capture.journal.ring import CONTEXT, CUT, HEADER_BYTES, STDERR, STDOUT, Commit
from log_capture.taps.fd_tail import LeftSpools

ROOT = Path(__file__).resolve().parents[3]

SET_UP = """
import os, sys
sys.path.insert(0, {root!r})
from wrapt import FunctionWrapper
from log_capture.taps.fd_tail import FdTail
recorded, progress, failures = [], [], []
tail = FdTail(
    {stem!r},
    record=lambda *entry: recorded.append(entry),
    progress=lambda *copied: progress.append(copied),
    failed=failures.append,
    function_wrapper=FunctionWrapper,
)
tail.install(sys)
"""


def run(stem: object, source: str, *options: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run `source` in a process whose fds 1 and 2 lead to spools; its own are pipes, as on Lambda."""
    code = SET_UP.format(root=str(ROOT), stem=None if stem is None else str(stem)) + textwrap.dedent(source)
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 30, **more}
    return subprocess.run([sys.executable, *options, "-c", code], check=False, **settings)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("in_memory", [False, True])
def test_what_is_written_natively_is_copied_and_recorded_with_how_far_that_came(
    tmp_path: Path, in_memory: bool
) -> None:
    done = run(
        None if in_memory else tmp_path / "stem",
        r"""
        os.write(1, b"out\xff")
        os.write(2, b"err\n")
        tail.copy()
        assert recorded == [(0, b"out\xff", 0), (1, b"err\n", 0)], recorded
        assert progress == [(0, 0), (4, 0), (4, 4)], progress
        assert not failures, failures
        tail.leave()
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\xff", b"err\n")
    assert list(tmp_path.iterdir()) == []


def test_an_unbuffered_stdout_stays_unbuffered_and_in_order(tmp_path: Path) -> None:
    done = run(
        tmp_path / "stem",
        """
        assert type(sys.stdout.buffer).__name__ == "FileIO" and sys.stdout.write_through
        for number in range(3):
            tail.before_write()
            sys.stdout.write(f"python {number}\\n")
            os.write(1, b"native\\n")
        tail.leave()
        """,
        "-u",
    )
    assert done.stdout == b"".join(b"python %d\nnative\n" % number for number in range(3))


def test_stdout_and_stderr_that_are_one_file_stay_in_their_order(tmp_path: Path) -> None:
    source = """
        for number in b"12345":
            os.write(1, b"out\\n")
            os.write(2, b"err\\n")
        tail.leave()
    """
    assert run(tmp_path / "stem", source, stderr=subprocess.STDOUT).stdout == b"out\nerr\n" * 5


def test_a_spool_that_was_truncated_is_read_from_its_beginning(tmp_path: Path) -> None:
    done = run(
        tmp_path / "stem",
        """
        os.write(1, b"a long first line\\n")
        tail.copy()
        with open("/dev/fd/1", "w") as again:
            again.write("short\\n")
        tail.leave()
        """,
    )
    assert done.stdout == b"a long first line\nshort\n"


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [("oops\n", "oops\n"), ("oops\n", "oops, and more\n"), ("a long line\n", "short\n"), ("", "x\n")],
)
def test_what_replaces_the_output_so_far_is_seen_however_long_it_is(
    tmp_path: Path, in_memory: bool, before: str, after: str
) -> None:
    """As a shell's `echo oops > /dev/stderr` does."""
    done = run(
        None if in_memory else tmp_path / "stem",
        f"""
        for line in ({before!r}, {after!r}, {after!r}, {after!r}):
            with open("/dev/fd/1", "w") as again:
                again.write(line)
            tail.before_write()
        tail.leave()
        assert not failures, failures
        """,
    )
    assert done.stdout.decode() == before + 3 * after


def test_what_a_shell_writes_over_its_output_is_seen_each_time(tmp_path: Path) -> None:
    done = run(
        tmp_path / "stem",
        """
        for _ in range(3):
            assert os.system("echo oops > /dev/stdout") == 0
        assert [data for _, data, _ in recorded] == 3 * [b"oops\\n"], recorded
        tail.leave()
        """,
    )
    assert done.stdout == 3 * b"oops\n"


def test_what_follows_a_redirection_and_its_end_stays_in_its_order(tmp_path: Path) -> None:
    done = run(
        tmp_path / "stem",
        f"""
        kept = os.dup(1)
        own = os.open({str(tmp_path / "own")!r}, os.O_WRONLY | os.O_CREAT)
        os.dup2(own, 1)
        tail.before_write()
        print("for the file", flush=True)
        os.dup2(kept, 1)
        os.write(1, b"native\\n")
        tail.before_write()
        print("python", flush=True)
        tail.leave()
        """,
    )
    assert done.stdout == b"native\npython\n"
    assert (tmp_path / "own").read_bytes() == b"for the file\n"


def test_on_a_disk_that_is_almost_full_the_spools_are_in_memory(tmp_path: Path) -> None:
    done = run(
        tmp_path / "stem",
        """
        import posix
        kept = os.dup(1)
        os.write(1, b"first\\n")
        asked = []
        def almost_full(fd):
            asked.append(fd)
            return posix.statvfs_result((4096, 4096, 1000, 100, 100, 1000, 100, 100, 0, 255))
        posix.fstatvfs = almost_full
        tail.copy()
        assert asked
        assert all(os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:firetee") for fd in (1, 2))
        os.write(1, b"second\\n")
        os.write(kept, b"by a copy of what it was\\n")
        os.write(2, b"third\\n")
        tail.copy()
        found = sorted(data for _, data, _ in recorded[1:])
        assert found == [b"by a copy of what it was\\n", b"second\\n", b"third\\n"], found
        os.dup2(kept, 1)
        os.write(1, b"fourth\\n")
        tail.before_write()
        print("fifth", flush=True)
        assert not failures, failures
        tail.leave()
        """,
    )
    assert (done.returncode, done.stderr) == (0, b"third\n")
    assert sorted(done.stdout.splitlines()[1:3]) == [b"by a copy of what it was", b"second"]
    assert done.stdout.splitlines()[3:] == [b"fourth", b"fifth"]
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_to_begin_with_nothing_is_put_on_the_disk(tmp_path: Path) -> None:
    done = run(
        tmp_path / "stem",
        """
        import posix
        posix.fstatvfs = lambda fd: posix.statvfs_result((4096, 4096, 1000, 100, 100, 1000, 100, 100, 0, 255))
        tail.begin_anew(tail._stem)
        assert all(os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:firetee") for fd in (1, 2))
        os.write(1, b"first\\n")
        tail.leave()
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"first\n", b"")
    assert list(tmp_path.iterdir()) == []


class TestAfterADeath:
    """A journal of two entries, and spools of which a part had been copied."""

    OUT, ERR = b"copied\nfirst\nsecond\n", b"unended"

    @pytest.fixture
    def memory(self, tmp_path: Path) -> bytearray:
        memory = bytearray(HEADER_BYTES + 65536)
        journal = Journal(memory, environment="dead")
        journal.append(CONTEXT, b"")
        journal.append(STDOUT, b"copied\n")
        journal.note_copied(7, 0)
        for fd, data in ((1, self.OUT), (2, self.ERR)):
            path = tmp_path / f"stem.fd{fd}"
            path.write_bytes(data)
            path.chmod(0o600)
        return memory

    def test_what_was_not_copied_follows_the_journals_entries(self, tmp_path: Path, memory: bytearray) -> None:
        journal = DeadJournal(memory)
        spools = LeftSpools(str(tmp_path / "stem"), journal.copied)
        journal.read_on(spools.read)
        chunks = []
        while block := journal.read(1 << 20):
            chunks += block
        spools.discard()
        assert [(kind, data) for _, kind, _, _, data in chunks if kind <= STDERR] == [
            (STDOUT, b"copied\n"),
            (STDOUT, b"first\nsecond\n"),
            (STDERR, b"unended"),
        ]
        assert list(tmp_path.iterdir()) == []

    def test_a_second_death_half_way_costs_and_repeats_nothing(self, tmp_path: Path, memory: bytearray) -> None:
        stem = str(tmp_path / "stem")
        first = DeadJournal(memory)
        spools = LeftSpools(stem, first.copied)
        first.read_on(spools.read)
        first.read(1 << 20)
        ((_, kind, *_),) = first.read(1 << 20)  # between what Python and what native code wrote
        ((position, *_, data),) = first.read(1 << 20)
        first.commit(Commit(position, 3, 3, b""))
        spools.close()
        second = DeadJournal(memory)
        assert second.echoed
        spools = LeftSpools(stem, second.copied)
        second.read_on(spools.read)
        left = [(kind, data) for _, kind, _, _, data in second.read(1 << 20) if kind <= STDERR]
        spools.close()
        assert kind == CUT
        assert data == b"first\nsecond\n"
        assert left == [(STDERR, b"unended")]

    def test_it_is_written_to_where_it_would_have_gone(self, tmp_path: Path, memory: bytearray) -> None:
        read, write = os.pipe()
        spools = LeftSpools(str(tmp_path / "stem"), DeadJournal(memory).copied)
        spools.echo({1: write, 2: write})
        spools.close()
        os.close(write)
        with open(read, "rb") as pipe:
            assert pipe.read() == b"first\nsecond\nunended"

    def test_spools_that_others_could_have_changed_are_left_alone(self, tmp_path: Path, memory: bytearray) -> None:
        (tmp_path / "stem.fd1").chmod(0o666)
        (tmp_path / "stem.fd2").unlink()
        (tmp_path / "stem.fd2").symlink_to(tmp_path / "stem.fd1")
        assert not LeftSpools(str(tmp_path / "stem"), DeadJournal(memory).copied)
