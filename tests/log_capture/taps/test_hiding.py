"""The folders of journals are not among what the function lists, and everything else is."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wrapt

from log_capture.journal.journal_file import JournalFile
from log_capture.taps.hiding import Hiding


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """With two files, a folder and a journal in it; `os` as it is for the function."""
    for name in ("one", "two", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / ".firetee-of-the-function").touch()
    file = JournalFile(str(tmp_path))
    originals = os.listdir, os.scandir
    Hiding(str(tmp_path), lambda error: pytest.fail(str(error))).install(wrapt.FunctionWrapper)
    yield tmp_path
    os.listdir, os.scandir = originals
    file.discard()


EXPECTED = [".hidden", "below", "one", "two"]


@pytest.mark.parametrize("form", [str, os.fsencode, pathlib.Path, lambda path: f"{path}/", lambda path: f"{path}/./"])
def test_they_are_left_out_however_the_directory_is_named(folder: Path, form: Any) -> None:
    assert sorted(map(os.fsdecode, os.listdir(form(folder)))) == EXPECTED
    with os.scandir(form(folder)) as entries:
        assert sorted(os.fsdecode(entry.name) for entry in entries) == EXPECTED


def test_they_are_left_out_of_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert sorted(os.listdir()) == sorted(entry.name for entry in os.scandir()) == EXPECTED
    assert sorted(os.listdir(path=None)) == EXPECTED


def test_they_are_left_out_through_a_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(folder)
    assert sorted(os.listdir(link)) == EXPECTED


def test_other_directories_are_listed_whole(folder: Path) -> None:
    assert os.listdir(folder / "below") == [".firetee-of-the-function"]
    (entry,) = os.scandir(folder / "below")
    assert entry.name == ".firetee-of-the-function"


def test_a_directory_that_is_listed_by_its_descriptor_is_listed_whole(folder: Path) -> None:
    """So that `shutil.rmtree` can remove it."""
    fd = os.open(folder, os.O_RDONLY)
    assert len(os.listdir(fd)) == len(list(os.scandir(fd))) == 5
    os.close(fd)


@pytest.mark.parametrize("path", ["missing", "nul\0byte", 1.5])
def test_errors_are_the_originals(folder: Path, path: Any) -> None:
    for call in (os.listdir, os.scandir):
        with pytest.raises(Exception) as seen:  # noqa: PT011 - whatever it is
            call(path)
        with pytest.raises(type(seen.value)) as bare:
            call.__wrapped__(path)  # type: ignore[union-attr]
        assert str(seen.value) == str(bare.value)


def test_the_iterator_does_what_the_original_does(folder: Path) -> None:
    entries = os.scandir(folder)
    assert iter(entries) is entries
    assert next(entries).path.startswith(str(folder))
    entries.close()
    assert list(entries) == []
    assert [sorted(names) for _, _, names in os.walk(folder)] == [
        [".hidden", "one", "two"],
        [".firetee-of-the-function"],
    ]
