"""What is fetched is what was pinned, is fetched once, and is there as a whole or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from firetee import fetch

CONTENT = b"a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def processes() -> list[int]:
    """How many calls each process of pip had."""
    return []


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: list[int]) -> list[tuple[str, ...]]:
    """A pip that puts a wheel into `--dest`, and the calls of it; the cache is empty."""
    calls: list[tuple[str, ...]] = []

    def fake(wanted: Sequence[tuple[str, ...]]) -> None:
        processes.append(len(wanted))
        for arguments in wanted:
            calls.append(arguments)
            (dest,) = (argument.removeprefix("--dest=") for argument in arguments if argument.startswith("--dest="))
            Path(dest, "thing-1.0-py3-none-any.whl").write_bytes(CONTENT)

    monkeypatch.setattr(fetch, "pips", fake)
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path / "cache")
    return calls


def test_a_wheel_is_fetched_once(pip: list[tuple[str, ...]]) -> None:
    first = fetch.wheel("thing==1.0", SHA256)
    assert first.read_bytes() == CONTENT
    assert fetch.wheel("thing==1.0", SHA256) == first
    assert len(pip) == 1


def test_a_wheel_for_another_python_and_machine_is_asked_for(pip: list[tuple[str, ...]]) -> None:
    fetch.wheel("thing==1.0", SHA256, python="3.14", platforms=("manylinux2014_aarch64",))
    (call,) = pip
    assert {"--python-version=3.14", "--platform=manylinux2014_aarch64", "--only-binary=:all:"} <= set(call)


def test_a_wheel_with_other_bytes_is_refused_and_not_kept(pip: list[tuple[str, ...]], tmp_path: Path) -> None:
    pinned = "0" * 64
    with pytest.raises(fetch.FetchError, match=f"has the SHA-256 {SHA256}, pinned is {pinned}"):
        fetch.wheel("thing==1.0", pinned)
    assert not list((tmp_path / "cache").rglob("*.whl"))


def test_several_wheels_are_fetched_by_one_process_and_only_those_that_are_missing(
    pip: list[tuple[str, ...]], processes: list[int]
) -> None:
    fetch.wheel("thing==1.0", SHA256)
    there = fetch.Wheel("thing==1.0", SHA256)
    assert fetch.wheels([there, there]) == [there.path, there.path]
    assert processes == [1]
    there.path.unlink()
    assert fetch.wheels([there])[0].read_bytes() == CONTENT
    assert processes == [1, 1]


def test_two_calls_of_one_process_both_come_to_pass(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1"\n')
    options = ("install", "--no-build-isolation", "--no-deps", "--no-index")
    fetch.pips([(*options, f"--target={tmp_path / 'to'}", str(tmp_path / name)) for name in ("one", "two")])
    assert {path.name for path in (tmp_path / "to").glob("*.dist-info")} == {"one-1.dist-info", "two-1.dist-info"}


def test_what_pip_says_when_it_fails_is_passed_on() -> None:
    with pytest.raises(fetch.FetchError, match="pip download no-such-option=1 failed"):
        fetch.pip("download", "--no-index", "no-such-option=1")


def test_of_two_who_ask_at_once_one_makes_it(tmp_path: Path) -> None:
    made: list[str] = []
    both = threading.Barrier(2)

    def make(scratch: Path) -> None:
        made.append(threading.current_thread().name)
        (scratch / "thing").touch()
        (scratch / "thing").rename(tmp_path / "thing")

    def ask() -> None:
        both.wait()
        assert fetch.once(tmp_path / "thing", make).exists()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_what_fails_half_way_leaves_nothing_and_is_made_the_next_time(tmp_path: Path) -> None:
    def fails(scratch: Path) -> None:
        (scratch / "half").touch()
        raise OSError("disk full")

    def works(scratch: Path) -> None:
        (tmp_path / "thing").touch()

    with pytest.raises(OSError, match="disk full"):
        fetch.once(tmp_path / "thing", fails)
    assert [path.name for path in tmp_path.iterdir()] == [".thing.lock"]
    assert fetch.once(tmp_path / "thing", works).exists()
