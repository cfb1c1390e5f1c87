"""A journal's file: private, found again by the next process, and never anybody else's."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from log_capture.journal import Journal
from log_capture.journal_file import JournalFile, left_behind
from log_capture.ring import HEADER_BYTES, STDOUT, Commit

CAPACITY = 1 << 16


def write_journal(folder: Path, *lines: bytes) -> Path:
    """A journal as a process that died just now left it."""
    file = JournalFile(str(folder), CAPACITY)
    assert file.path is not None
    journal = Journal(file.buffer, environment="0123456789ab", grow=file.grow)
    for line in lines:
        journal.append(STDOUT, line)
    path = Path(file.path)
    journal.close()
    file.abandon()
    return path


def look(folder: Path) -> tuple[list[list[bytes]], list[str]]:
    """What is found, journal by journal, and what is said about the rest."""
    said: list[str] = []
    found = []
    for left in left_behind(str(folder), said.append):
        found.append([data for _, kind, _, _, data in left.journal.read(1 << 20) if kind == STDOUT])
        left.abandon()
    return found, said


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As if the disk had no more room than this: files cannot grow beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---- making one ------------------------------------------------------------------------------------------------------


def test_a_journal_is_a_file_that_only_its_user_can_open_with_a_name_that_nobody_can_guess(tmp_path: Path) -> None:
    files = [JournalFile(str(tmp_path), CAPACITY) for _ in range(2)]
    paths = [Path(file.path or "") for file in files]
    assert {path.parent for path in paths} == {tmp_path}
    assert len({path.name for path in paths}) == 2
    for path in paths:
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_size == HEADER_BYTES + CAPACITY
        assert len(path.name) >= len("firetee-.journal") + 16
    for file in files:
        file.discard()
    assert list(tmp_path.iterdir()) == []


def test_the_mode_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = JournalFile(str(tmp_path), CAPACITY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(file.path or "").st_mode) == 0o600
    file.discard()


def test_a_link_planted_under_the_journal_s_name_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if its random name could be guessed."""
    monkeypatch.setattr(os, "urandom", bytes)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".firetee-{'00' * 8}").symlink_to(victim)
    file = JournalFile(str(tmp_path), CAPACITY)
    assert file.path is None
    assert file.problem is not None
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("directory", ["missing", "file", "file/below"])
def test_without_a_usable_folder_the_same_code_runs_on_memory_and_says_so_once(directory: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = JournalFile(str(tmp_path / directory), CAPACITY)
    assert file.path is None
    assert file.problem is not None
    assert file.problem.startswith(f"no journal in '{tmp_path / directory}'")
    assert "FIRETEE_JOURNAL_DIR" in file.problem
    assert file.grow(HEADER_BYTES + CAPACITY)
    journal = Journal(file.buffer, environment="0123456789ab", grow=file.grow)
    assert journal.append(STDOUT, b"line\n")
    assert [data for *_, data in journal.read(1 << 20)] == [b"line\n"]
    file.discard()


def test_a_folder_in_which_nothing_may_be_made_is_not_usable() -> None:
    """`/proc` refuses new files to root as well."""
    file = JournalFile("/proc", CAPACITY)
    assert file.path is None
    assert file.problem is not None


def test_a_full_disk_at_the_start_means_memory_and_leaves_no_file(tmp_path: Path) -> None:
    with largest_file(4096):
        file = JournalFile(str(tmp_path), CAPACITY)
    assert file.path is None
    assert file.problem is not None
    assert list(tmp_path.iterdir()) == []
    file.buffer[:4] = b"fine"


def test_a_disk_that_fills_up_makes_the_journal_smaller_instead_of_killing_the_process(tmp_path: Path) -> None:
    """Blocks are allocated before they are written through the mapping, where a full disk would be a SIGBUS."""
    size = HEADER_BYTES + CAPACITY
    file = JournalFile(str(tmp_path), CAPACITY)
    with largest_file(size):
        assert file.grow(size)
        assert not file.grow(size + 1)
    file.discard()


def test_room_on_the_disk_is_taken_step_by_step(tmp_path: Path) -> None:
    file = JournalFile(str(tmp_path), 64 << 20)
    first = os.stat(file.path or "").st_blocks * 512
    assert first < 2 << 20
    assert file.grow(HEADER_BYTES + (4 << 20))
    assert os.stat(file.path or "").st_blocks * 512 >= 4 << 20
    file.discard()


def test_an_abandoned_file_stays_and_a_discarded_one_goes(tmp_path: Path) -> None:
    kept, gone = JournalFile(str(tmp_path), CAPACITY), JournalFile(str(tmp_path), CAPACITY)
    path = kept.path
    kept.abandon()
    gone.discard()
    assert [str(each) for each in tmp_path.iterdir()] == [path]


# ---- finding those of the dead ---------------------------------------------------------------------------------------


def test_what_a_dead_process_left_is_found_and_removed_once_it_is_delivered(tmp_path: Path) -> None:
    write_journal(tmp_path, b"one\n", b"two\n")
    (left,) = left_behind(str(tmp_path), pytest.fail)
    assert left.journal.environment == "0123456789ab"
    assert [data for *_, data in left.journal.read(1 << 20)] == [b"one\n", b"two\n"]
    left.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_delivered_is_left_to_a_later_process(tmp_path: Path) -> None:
    write_journal(tmp_path, b"line\n")
    assert look(tmp_path) == ([[b"line\n"]], [])
    assert look(tmp_path) == ([[b"line\n"]], [])


def test_progress_in_a_dead_journal_is_remembered_in_its_file(tmp_path: Path) -> None:
    write_journal(tmp_path, b"one\n", b"two\n")
    (left,) = left_behind(str(tmp_path), pytest.fail)
    first = left.journal.read(1 << 20)[0]
    left.journal.commit(Commit(first[0], 1, 1, b""))
    left.abandon()
    assert look(tmp_path) == ([[b"two\n"]], [])


def test_the_journal_of_a_living_process_is_left_alone_until_it_dies(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from log_capture.journal import Journal\n"
        "from log_capture.ring import STDOUT\n"
        "from log_capture.journal_file import JournalFile\n"
        "file = JournalFile(sys.argv[1], 65536)\n"
        "journal = Journal(file.buffer, environment='0123456789ab', grow=file.grow)\n"
        "journal.append(STDOUT, b'alive\\n')\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert look(tmp_path) == ([], [])
        process.kill()
    assert look(tmp_path) == ([[b"alive\n"]], [])


def test_two_processes_do_not_take_the_same_journal(tmp_path: Path) -> None:
    write_journal(tmp_path, b"line\n")
    (left,) = left_behind(str(tmp_path), pytest.fail)
    assert look(tmp_path) == ([], [])
    left.discard()


def test_a_folder_that_is_not_there_has_no_journals(tmp_path: Path) -> None:
    assert look(tmp_path / "missing") == ([], [])


@pytest.mark.parametrize("name", ["other.journal", "firetee-.txt", ".firetee-0000", "firetee-x.journal.damaged"])
def test_other_files_are_not_even_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    assert look(tmp_path) == ([], [])
    assert (tmp_path / name).read_bytes() == b"whatever"


# ---- files that somebody prepared ------------------------------------------------------------------------------------


def assert_foreign(folder: Path, path: Path) -> None:
    """It is neither read nor moved, and one line says so; what is behind it in the folder is found all the same."""
    before = sorted(folder.iterdir())
    found, said = look(folder)
    assert found == []
    (line,) = said
    assert line.startswith(f"the file {path} is not used: ")
    assert sorted(folder.iterdir()) == before


def test_a_file_of_another_user_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_journal(tmp_path, b"lies\n")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert_foreign(tmp_path, path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o666, 0o610])
def test_a_file_that_others_can_open_is_not_trusted(mode: int, tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"lies\n")
    path.chmod(mode)
    assert_foreign(tmp_path, path)


def test_a_file_with_a_second_name_is_not_trusted(tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"lies\n")
    os.link(path, tmp_path / "second name")
    assert_foreign(tmp_path, path)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = write_journal(elsewhere, b"lies\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "firetee-1.journal"
    path.symlink_to(target)
    assert_foreign(folder, path)


def test_a_pipe_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    path = tmp_path / "firetee-1.journal"
    os.mkfifo(path, 0o600)
    assert_foreign(tmp_path, path)


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "firetee-1.journal"
    path.mkdir(0o700)
    assert_foreign(tmp_path, path)


# ---- damaged files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\0" * (HEADER_BYTES + CAPACITY), b"x" * (HEADER_BYTES + CAPACITY)],
    ids=["empty", "too short", "zeros", "rubbish"],
)
def test_what_is_no_journal_is_set_aside_with_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "firetee-1.journal"
    path.write_bytes(content)
    path.chmod(0o600)
    found, said = look(tmp_path)
    assert found == []
    (line,) = said
    assert line.startswith(f"the journal {path} cannot be read (")
    assert [each.name for each in tmp_path.iterdir()] == ["firetee-1.journal.damaged"]
    assert (tmp_path / "firetee-1.journal.damaged").read_bytes() == content
    assert look(tmp_path) == ([], []), "it is not tried, or told, again"


def test_a_truncated_journal_is_set_aside_with_one_line(tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"line\n")
    os.truncate(path, HEADER_BYTES + CAPACITY // 2)
    found, said = look(tmp_path)
    assert (found, len(said)) == ([], 1)
    assert not path.exists()


def test_a_bad_file_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    for name in ("firetee-0.journal", "firetee-z.journal"):
        (tmp_path / name).touch(0o600)
    write_journal(tmp_path, b"good\n")
    found, said = look(tmp_path)
    assert found == [[b"good\n"]]
    assert len(said) == 2
