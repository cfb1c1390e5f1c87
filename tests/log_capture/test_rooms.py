"""The rooms of `log_capture` form a line: what a room imports lies further down it."""

from __future__ import annotations

import ast
from pathlib import Path

import log_capture

ROOT = Path(log_capture.__file__).parent

#: From the face to what knows nothing of the others. The data flows the same way but for the seam that `sending` and
#: `firehose` share: the clients know the sender's words for failures, and the sender knows no client.
ROOMS = ("capture", "taps", "firehose", "sending", "envelope", "journal", "net", "process", "release")


def imported(path: Path) -> set[str]:
    """The rooms that a module imports, type checkers' imports included."""
    found = set()
    here = path.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            inside = here[: len(here) - node.level]
            found |= {(*inside, *name.split("."))[0] for name in names if name}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("log_capture"):
            raise AssertionError(f"{path}: `log_capture` by name, which has another one in the command line")
    return found


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def test_every_module_is_in_a_room() -> None:
    assert {room_of(path) for path in ROOT.rglob("*.py")} - {"__init__"} == set(ROOMS)
    assert {path.stem for path in ROOT.glob("*.py")} == {"__init__", "capture", "release"}


def test_no_import_runs_backwards() -> None:
    arrows = {(room_of(path), to) for path in ROOT.rglob("*.py") for to in imported(path) if to != room_of(path)}
    assert ("taps", "journal") in arrows
    assert [(room, to) for room, to in sorted(arrows) if ROOMS.index(room) >= ROOMS.index(to)] == []
