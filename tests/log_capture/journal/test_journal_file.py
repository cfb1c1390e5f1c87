"""A journal's file: private, found again by the next process, and never anybody else's."""

from __future__ import annotations

import glob
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from log_capture.journal.journal import Journal
from log_capture.journal.journal_file import JournalFile, left_behind
from log_capture.journal.ring import DROPPED, DROPS, HEADER_BYTES, STDOUT, Commit

CAPACITY = 1 << 16


def write_journal(folder: Path, *lines: bytes) -> Path:
    """A journal as a process that died just now left it."""
    file = JournalFile(str(folder))
    journal = make_journal(file)
    for line in lines:
        journal.append(STDOUT, line)
    path = path_of(file)
    file.abandon()
    return path


def make_journal(file: JournalFile) -> Journal:
    return Journal(bytearray(HEADER_BYTES + CAPACITY), environment="0123456789ab", mirror=file)


def path_of(file: JournalFile) -> Path:
    assert file.stem is not None
    return Path(file.stem)


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


def test_a_journal_is_alone_in_a_hidden_folder_that_only_its_user_can_open_with_a_name_that_nobody_can_guess(
    tmp_path: Path,
) -> None:
    files = [JournalFile(str(tmp_path)) for _ in range(2)]
    paths = [path_of(file) for file in files]
    assert len({path.parent for path in paths}) == 2
    for path in paths:
        assert list(path.parent.iterdir()) == [path]
        assert path.parent.parent == tmp_path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.parent.name.startswith(".firetee-")
        assert len(path.parent.name) == len(".firetee-") + 16
    assert glob.glob(f"{tmp_path}/*") == []
    for file in files:
        file.discard()
    assert list(tmp_path.iterdir()) == []


def test_the_modes_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = JournalFile(str(tmp_path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path_of(file).stat().st_mode) == 0o600
    assert stat.S_IMODE(path_of(file).parent.stat().st_mode) == 0o700
    file.discard()


def test_the_descriptor_has_a_number_that_functions_do_not_come_to(tmp_path: Path) -> None:
    lowest = os.dup(0)
    os.close(lowest)
    file = JournalFile(str(tmp_path))
    assert os.dup(0) == lowest
    os.close(lowest)
    os.fstat(1000)
    file.discard()


def test_a_process_that_may_open_few_files_has_a_journal_too(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        file = JournalFile(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert file.problem is None
    assert file.write(b"data", 0)
    file.discard()


@pytest.mark.parametrize("directory", ["missing", "file", "file/below"])
def test_without_a_usable_folder_lines_are_in_memory_and_the_user_is_told_why(directory: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = JournalFile(str(tmp_path / directory))
    assert file.stem is None
    assert file.problem is not None
    assert file.problem.startswith(f"no journal in '{tmp_path / directory}'")
    assert "FIRETEE_JOURNAL_DIR" in file.problem
    journal = make_journal(file)
    assert journal.append(STDOUT, b"line\n")
    assert [data for *_, data in journal.read(1 << 20)] == [b"line\n"]
    file.discard()


def test_a_folder_in_which_nothing_may_be_made_is_not_usable() -> None:
    """`/proc` refuses new files to root as well."""
    file = JournalFile("/proc")
    assert file.stem is None
    assert file.problem is not None


def test_a_disk_that_fills_up_is_named_and_costs_no_line(tmp_path: Path) -> None:
    file = JournalFile(str(tmp_path))
    journal = make_journal(file)
    lines = [b"%d\n" % number for number in range(500)]
    with largest_file(HEADER_BYTES + 1000):
        for line in lines:
            assert journal.append(STDOUT, line)
    assert file.problem is not None
    assert file.problem.startswith(f"the disk of '{tmp_path}' is full")
    assert [data for *_, data in journal.read(1 << 20)] == lines
    file.discard()


def test_an_abandoned_file_stays_and_a_discarded_one_goes(tmp_path: Path) -> None:
    kept, gone = JournalFile(str(tmp_path)), JournalFile(str(tmp_path))
    path = path_of(kept)
    kept.abandon()
    gone.discard()
    assert [each / "journal" for each in tmp_path.iterdir()] == [path]


# ---- what may happen to it -------------------------------------------------------------------------------------------


def overwrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(os.urandom(size))


HARM: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, 0),
    "removed": os.unlink,
    "removed with its folder": lambda path: shutil.rmtree(path.parent),
    "opened for writing": lambda path: path.open("w").close(),
    "overwritten": overwrite,
    "linked": lambda path: os.link(path, path.parent / "second name"),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_was_not_sent_is_in_another_file_whatever_happens_to_the_first(harm: str, tmp_path: Path) -> None:
    file = JournalFile(str(tmp_path))
    journal = make_journal(file)
    journal.append(STDOUT, b"before\n")
    HARM[harm](path_of(file))
    journal.append(STDOUT, b"between\n")
    journal.look_after()
    journal.append(STDOUT, b"after\n")
    path = path_of(file)
    file.abandon()
    for other in tmp_path.iterdir():
        if other != path.parent:
            shutil.rmtree(other)
    assert look(tmp_path) == ([[b"before\n", b"between\n", b"after\n"]], [])


def test_the_new_file_is_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """The function may be removing the old folder just now: it must not find it full again."""
    file = JournalFile(str(tmp_path))
    journal = make_journal(file)
    old = path_of(file)
    old.unlink()
    journal.look_after()
    old.parent.rmdir()
    assert path_of(file).exists()
    file.discard()


def test_a_descriptor_that_the_function_has_closed_and_opened_again_is_neither_written_nor_closed(
    tmp_path: Path,
) -> None:
    file = JournalFile(str(tmp_path))
    journal = make_journal(file)
    journal.append(STDOUT, b"before\n")
    mine = tmp_path / "mine"
    with mine.open("wb") as opened:
        os.dup2(opened.fileno(), 1000)
    journal.look_after()
    journal.append(STDOUT, b"after\n")
    os.write(1000, b"precious")
    os.close(1000)
    assert mine.read_bytes() == b"precious"
    assert [data for *_, data in journal.read(1 << 20)] == [b"before\n", b"after\n"]
    file.discard()


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
        "from log_capture.journal.journal import Journal\n"
        "from log_capture.journal.ring import STDOUT\n"
        "from log_capture.journal.journal_file import JournalFile\n"
        "file = JournalFile(sys.argv[1])\n"
        "journal = Journal(bytearray(65536), environment='0123456789ab', mirror=file)\n"
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


@pytest.mark.parametrize("name", ["journal", "firetee-x", "firetee", ".firetee-x.damaged"])
def test_other_folders_are_not_even_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "journal").write_bytes(b"whatever")
    assert look(tmp_path) == ([], [])
    assert (tmp_path / name / "journal").read_bytes() == b"whatever"


def test_an_empty_folder_is_what_a_process_left_that_was_killed_at_its_start(tmp_path: Path) -> None:
    (tmp_path / ".firetee-0").mkdir(0o700)
    assert look(tmp_path) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_shrinks_while_it_is_read_ends_there_and_says_how_much_is_lost(tmp_path: Path) -> None:
    path = write_journal(tmp_path, *(b"%d " % number * 500 + b"\n" for number in range(30)))
    (left,) = left_behind(str(tmp_path), pytest.fail)
    (chunk, *_) = left.journal.read(1)
    size = path.stat().st_size
    os.truncate(path, HEADER_BYTES + 5000)
    rest = []
    while chunks := left.journal.read(1 << 20):
        rest += chunks
    left.abandon()
    assert chunk[4] == b"0 " * 500 + b"\n"
    assert [data for _, kind, _, _, data in rest if kind == DROPPED] == [
        DROPS.pack(0, size - HEADER_BYTES - 5000) + b"the journal's file was truncated"
    ]


# ---- files that somebody prepared ------------------------------------------------------------------------------------


def assert_foreign(folder: Path, path: Path) -> None:
    """It is neither read nor moved, and one line says so; what is behind it in the folder is found all the same."""
    before = sorted(folder.iterdir())
    found, said = look(folder)
    assert found == []
    (line,) = said
    assert line.startswith(f"the folder {path.parent} is not used: ")
    assert sorted(folder.iterdir()) == before


def test_a_file_of_another_user_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_journal(tmp_path, b"lies\n")
    monkeypatch.setattr("log_capture.journal.journal_file.geteuid", lambda: path.stat().st_uid + 1)
    assert_foreign(tmp_path, path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o666, 0o610])
def test_a_file_that_others_can_open_is_not_trusted(mode: int, tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"lies\n")
    path.chmod(mode)
    assert_foreign(tmp_path, path)


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o720, 0o777])
def test_a_folder_that_others_can_enter_is_not_trusted(mode: int, tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"lies\n")
    path.parent.chmod(mode)
    assert_foreign(tmp_path, path)


def test_a_file_with_a_second_name_is_not_trusted(tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"lies\n")
    os.link(path, tmp_path / "second name")
    assert_foreign(tmp_path, path)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_symbolic_link_is_not_followed(what: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = write_journal(elsewhere, b"lies\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / ".firetee-1" / "journal"
    if what == "folder":
        path.parent.symlink_to(target.parent)
    else:
        path.parent.mkdir(0o700)
        path.symlink_to(target)
    assert_foreign(folder, path)


def test_a_pipe_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    path = tmp_path / ".firetee-1" / "journal"
    path.parent.mkdir(0o700)
    os.mkfifo(path, 0o600)
    assert_foreign(tmp_path, path)


def test_a_folder_in_its_place_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / ".firetee-1" / "journal"
    path.mkdir(0o700, parents=True)
    path.parent.chmod(0o700)
    assert_foreign(tmp_path, path)


def test_a_file_in_place_of_the_folder_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / ".firetee-1" / "journal"
    path.parent.touch(0o600)
    assert_foreign(tmp_path, path)


# ---- damaged files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\0" * (HEADER_BYTES + CAPACITY), b"x" * (HEADER_BYTES + CAPACITY)],
    ids=["empty", "too short", "zeros", "rubbish"],
)
def test_what_is_no_journal_is_set_aside_with_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / ".firetee-1" / "journal"
    path.parent.mkdir(0o700)
    path.write_bytes(content)
    path.chmod(0o600)
    found, said = look(tmp_path)
    assert found == []
    (line,) = said
    assert line.startswith(f"the journal in {path.parent} cannot be read (")
    assert [each.name for each in tmp_path.iterdir()] == [".firetee-1.damaged"]
    assert (tmp_path / ".firetee-1.damaged" / "journal").read_bytes() == content
    assert look(tmp_path) == ([], []), "it is not tried, or told, again"


def test_a_journal_cut_off_in_its_header_is_set_aside_with_one_line(tmp_path: Path) -> None:
    path = write_journal(tmp_path, b"line\n")
    os.truncate(path, 40)
    found, said = look(tmp_path)
    assert (found, len(said)) == ([], 1)
    assert not path.exists()


def test_a_bad_file_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    for name in (".firetee-0", ".firetee-z"):
        (tmp_path / name).mkdir(0o700)
        (tmp_path / name / "journal").touch(0o600)
    write_journal(tmp_path, b"good\n")
    found, said = look(tmp_path)
    assert found == [[b"good\n"]]
    assert len(said) == 2
