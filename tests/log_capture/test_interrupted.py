"""A time limit's `TimeoutError` is an `OSError`: what firetee expects of the system must not swallow it."""

from __future__ import annotations

import ast
import posix
from collections.abc import Iterator
from pathlib import Path

import pytest

import log_capture
import wrapper
from log_capture.process import own_fd

ROOMS = [Path(log_capture.__file__).parent / room for room in ("taps", "journal", "process")]
MODULES = [*(path for room in ROOMS for path in room.glob("*.py")), Path(wrapper.__file__).with_name("messages.py")]
#: What may hide a handler's error: not specific to the system, or too narrow for a time limit.
BROAD = {"OSError", "ValueError", "Exception", "TimeoutError"}
#: Functions that no handler of the function's interrupts: they run on the sender's thread, or in a child that ends.
UNDISTURBED = {
    ("journal_file", "left_behind"),
    ("journal_file", "_folders"),
    ("journal_file", "_adopt"),
    ("dead_file", "__setitem__"),
    ("fd_tail", "__init__"),  # of what a dead process left
    ("children", "_run"),
    # A stream of the function's own raises what it likes there.
    ("unseen", "_leads_past_us"),
}


def handlers(path: Path) -> Iterator[tuple[str, ast.ExceptHandler]]:
    """Each `except` of a module, with the function that it is in."""
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler):
                    yield function.name, node


def caught(handler: ast.ExceptHandler) -> set[str]:
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {"Exception"}


def test_whatever_catches_an_error_of_the_system_asks_whose_it_is() -> None:
    seen = [(path.stem, name, each) for path in MODULES for name, each in handlers(path) if caught(each) & BROAD]
    assert len(seen) > 20
    blind = {(stem, name) for stem, name, each in seen if "is_ours" not in ast.unparse(each)}
    assert blind == UNDISTURBED


def test_a_time_limit_that_strikes_in_a_system_call_of_ours_is_felt(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def interrupted(fd: int) -> None:
        asked.append(fd)
        raise TimeoutError("the function's time is up")

    monkeypatch.setattr(posix, "fstat", interrupted)
    with pytest.raises(TimeoutError, match="time is up"):
        own_fd.identity(7)
    assert asked == [7]


def test_a_descriptor_that_is_closed_has_no_identity() -> None:
    assert own_fd.identity(987_654) is None
