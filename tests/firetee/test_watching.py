"""A change of the author's makes a function run again, what the function itself writes does not."""

from __future__ import annotations

import importlib.util
import os
import py_compile
from pathlib import Path

import pytest

from firetee.watching import Watch, drop_stale


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("one = 1\n")
    (tmp_path / "settings.json").write_text("{}")
    return tmp_path


def test_nothing_changes_nothing(folder: Path) -> None:
    watch = Watch(folder)
    watch.end()
    assert not watch.changed()


@pytest.mark.parametrize("name", ["app.py", "settings.json", "new.py", "below/data.csv"])
def test_a_change_after_the_run_is_the_author_s(folder: Path, name: str) -> None:
    watch = Watch(folder)
    watch.end()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("changed\n")
    assert watch.changed()


def test_code_that_changes_while_the_function_runs_makes_it_run_again_each_time(folder: Path) -> None:
    watch = Watch(folder)
    for number in range(3):
        watch.begin()
        (folder / "app.py").write_text(f"run = {number}\n")
        watch.end()
        assert watch.changed()


def test_code_of_the_same_size_and_time_is_another_all_the_same(folder: Path) -> None:
    code = folder / "app.py"
    found = code.stat()
    watch = Watch(folder)
    watch.end()
    code.write_text("one = 2\n")
    os.utime(code, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert watch.changed()


def test_a_file_that_comes_up_in_a_run_is_the_function_s(folder: Path) -> None:
    watch = Watch(folder)
    for number in range(3):
        watch.begin()
        (folder / "out.json").write_text(str(number))
        watch.end()
        assert not watch.changed()
    (folder / "out.json").unlink()
    assert watch.changed()  # by someone else: the function is not running


def test_a_file_that_every_run_writes_makes_it_run_once_more_and_then_never_again(folder: Path) -> None:
    watch = Watch(folder)
    seen = []
    for number in range(3):
        watch.begin()
        (folder / "settings.json").write_text(str(number))
        watch.end()
        seen.append(watch.changed())
    assert seen == [True, False, False]
    (folder / "settings.json").write_text("the author's")
    assert watch.changed()


def test_events_and_variables_elsewhere_are_looked_at_too(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    event = tmp_path_factory.mktemp("events") / "event.json"
    event.write_text("1")
    watch = Watch(folder, [event])
    event.write_text("22")
    watch.end()
    assert watch.changed()


@pytest.mark.parametrize("name", [".git/index", "__pycache__/app.pyc", "node_modules/a/b.js", ".app.py.swp", "app.py~"])
def test_what_tools_write_is_nobody_s_source(folder: Path, name: str) -> None:
    watch = Watch(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    assert not watch.changed()


def test_a_virtual_environment_and_the_bucket_are_left_out(folder: Path) -> None:
    for name in ("env", "bucket"):
        (folder / name).mkdir()
    (folder / "env" / "pyvenv.cfg").touch()
    watch = Watch(folder, without=[folder / "bucket"])
    for name in ("env", "bucket"):
        (folder / name / "new.py").write_text("x = 1")
    assert not watch.changed()


def test_a_compiled_file_that_is_older_than_its_source_is_removed_and_others_are_kept(folder: Path) -> None:
    source = folder / "app.py"
    compiled = Path(importlib.util.cache_from_source(str(source)))
    py_compile.compile(str(source), str(compiled), doraise=True)
    drop_stale(folder)
    assert compiled.exists()
    os.utime(source, ns=(compiled.stat().st_mtime_ns + 1,) * 2)
    drop_stale(folder)
    assert not compiled.exists()
