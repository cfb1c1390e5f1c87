"""Whatever breaks inside firetee costs a line on stderr, never the invocation: each function of ours is made to raise.

For each module a copy of the layer is run in which that module notes which of its functions are called; then each of
these raises as its first statement, one after the other, and the function must be seen just as it is without firetee.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firetee import fetch
from tests.end_to_end.harness import Observed, Stage

MODULES = sorted(
    str(path.relative_to(fetch.ROOT).with_suffix(""))
    for package in ("wrapper", "log_capture")
    for path in (fetch.ROOT / package).rglob("*.py")
    if re.search(r"^\s*def ", path.read_text(), re.MULTILINE)
)

#: Fewer would mean that modules are not looked at: a choice a little below the 735 of today.
FUNCTIONS = 650

#: What may not raise, and why: these stand between firetee and the function themselves. Each is a few lines long.
GUARDS = {
    "log_capture/process/guard:is_ours": "decides, where an exception is caught, whose it is",
    "log_capture/taps/hiding:Hiding._around_listdir": "calls the original, and then what catches everything",
    "log_capture/taps/hiding:Hiding._around_scandir": "calls the original, and then what catches everything",
    "log_capture/taps/hiding:Hiding._is_ours": "catches what is raised when directories are compared",
    "log_capture/taps/tee:Tee.text.write": "is the stream's `write`: it calls the original first, and catches the rest",
    "log_capture/taps/tee:Tee.binary.write": "is the binary stream's `write`, likewise",
    "log_capture/taps/tee:Tee.frames.write": "is the `write` of the file for frames, likewise",
    "wrapper/hooks:ClientFinder.find_spec": "stands among the import system's finders",
    "wrapper/hooks:_afterwards": "makes the next one, for an import under way",
    "wrapper/hooks:_afterwards.exec_module": "calls the original first, and then what is guarded",
    "wrapper/hooks:_guarded.call": "calls the runtime client's method if what is ours has not",
    "wrapper/hooks:_guarded.call.original": "is that method, for what is ours",
    "wrapper/wrapping:FunctionWrapper.__get__": "binds a method of the runtime client, in the place of wrapt's C code",
    "wrapper/wrapping:FunctionWrapper.__call__": "calls what is guarded, likewise",
    "wrapper/wrapping:_Bound.__init__": "is what `__get__` returns",
    "wrapper/wrapping:_Bound.__call__": "calls what is guarded, likewise",
    "wrapper/lifecycle:Lifecycle.safely": "catches what each of our steps raises",
}

#: The functions that threads of ours run: what they let pass the interpreter shows on stderr, and the thread is gone.
THREADS = ("log_capture/sending/loop:Loop._run", "log_capture/firehose/gate:Gate._watch")

SOURCE = """
    import logging, os, sys, time
    print("at import")
    def handler(event, context):
        print("number", event["number"])
        print("no end", end="")
        sys.stderr.write("careful\\n")
        sys.stdout.buffer.write(b"bytes\\n")
        logging.getLogger().warning("logged")
        if event.get("fork"):
            pid = os.fork()
            if not pid:
                print("in the child")
                os._exit(0)
            os.waitpid(pid, 0)
        if event.get("late"):
            while context.get_remaining_time_in_millis() > 60:
                time.sleep(0.005)
        if event.get("raise"):
            raise ValueError("unlucky")
        if event.get("die"):
            os._exit(1)
        if event.get("exit"):
            sys.exit(2)
        return event["number"]
"""
EVENTS: Sequence[dict[str, Any]] = [
    {"number": 1, "fork": True},
    {"number": 2, "raise": True},
    {"number": 3},
]

SETTINGS = {
    "FIRETEE_FLUSH_TIMEOUT_MS": "200",
    "FIRETEE_LINGER_MS": "5",
    "FIRETEE_EVENTS": "function,platform,extension",
}
FILTERS = {
    "FIRETEE_INCLUDE": ".",
    "FIRETEE_EXCLUDE": "nothing like it",
    "FIRETEE_REDACT": "(a+)+secret;;token",
    "FIRETEE_MIN_LEVEL": "DEBUG",
    "FIRETEE_REDACT_KEYS": "password",
    "FIRETEE_HOLD": "below INFO",
}


class Cast(NamedTuple):
    """What is played when a module is tested. `shutdown`: to the end that SIGTERM makes."""

    name: str
    env: dict[str, str]
    events: Sequence[dict[str, Any]] = EVENTS
    timeout_s: int = 5
    shutdown: bool = False


USUAL = Cast("usual", {})
BOTO3 = Cast("boto3", {"FIRETEE_CLIENT": "boto3"}, EVENTS[-1:])
FILTERED = Cast("filtered", FILTERS, EVENTS[-1:])
DYING = Cast("dying", {}, [{"number": 4, "die": True}, {"number": 5, "exit": True}, {"number": 6}])
ENDED = Cast("ended", {"FIRETEE_FLUSH": "batched"}, EVENTS[-1:], shutdown=True)
LATE = Cast("late", {}, [{"number": 5, "late": True}], timeout_s=1)
MISTAKEN = Cast("mistaken", {"FIRETEE_COMPRESSION": "zip"}, EVENTS[-1:])

CASTS = [
    *((module, USUAL) for module in MODULES),
    *(
        (f"log_capture/{name}", BOTO3)
        for name in ("firehose/boto", "firehose/gate", "firehose/quiet", "firehose/choose")
    ),
    *(
        (f"log_capture/{name}", FILTERED)
        for name in (
            "envelope/filters",
            "envelope/automaton",
            "envelope/patterns",
            "envelope/levels",
            "envelope/jsonline",
        )
    ),
    *(
        (f"log_capture/{name}", DYING)
        for name in (
            "capture",
            "journal/journal",
            "journal/journal_file",
            "envelope/lines",
            "sending/shipper",
            "sending/source",
        )
    ),
    *((f"wrapper/{name}", DYING) for name in ("boot", "lifecycle")),
    *((f"wrapper/{name}", ENDED) for name in ("boot", "lifecycle", "signals")),
    *((f"log_capture/{name}", ENDED) for name in ("sending/shipper", "sending/delivery")),
    ("wrapper/stacks", LATE),
    ("wrapper/messages", MISTAKEN),
    ("wrapper/config", MISTAKEN),
]


class Function(NamedTuple):
    """One function of ours: `Class.method`, with the functions it stands in; and where it begins."""

    name: str
    line: int


def functions(source: str) -> list[Function]:
    """All that are defined with `def` in a module, in order."""

    def inside(node: ast.AST, path: tuple[str, ...]) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield Function(".".join((*path, child.name)), child.lineno)
                yield from inside(child, (*path, child.name))
            else:
                yield from inside(child, (*path, child.name) if isinstance(child, ast.ClassDef) else path)

    return list(inside(ast.parse(source), ()))


def with_statement(source: str, statement: str, line: int | None = None) -> str:
    """The module with a first statement in the function that begins at `line`, or in each; `LINE` is its line."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and line in (None, node.lineno):
            first = 1 if ast.get_docstring(node) is not None else 0
            node.body[first:first] = ast.parse(statement.replace("LINE", str(node.lineno))).body
    return ast.unparse(ast.fix_missing_locations(tree))


#: Notes on which line the function begins that is called. 1089: O_WRONLY | O_CREAT | O_APPEND on Linux.
NOTE = "import os as _os; _fd = _os.open(PATH, 1089, 0o600); _os.write(_fd, b'LINE\\n'); _os.close(_fd)"


class Workshop:
    """A layer of one's own, in which one module at a time is changed."""

    def __init__(self, layer: Path, folder: Path) -> None:
        self.layer = folder
        shutil.copytree(layer, folder, ignore=shutil.ignore_patterns("*.bundle"))

    def change(self, module: str, text: str) -> None:
        path = self.layer / "firetee" / f"{module}.py"
        path.write_text(text)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


@pytest.fixture
def workshop(unpacked_layer: Path, tmp_path: Path) -> Workshop:
    return Workshop(unpacked_layer, tmp_path / "opt")


def seen(stage: Stage, cast: Cast, **options: Any) -> Observed:
    """What the outside sees, but for our own messages and whether SIGTERM or SIGKILL ended the last process."""
    env = {**SETTINGS, **cast.env}
    result = stage.run(SOURCE, cast.events, env=env, timeout_s=cast.timeout_s, shutdown=cast.shutdown, **options)
    observed = result.observed
    lines = observed.stderr.splitlines(keepends=True)
    own = "".join(line for line in lines if not line.startswith("[firetee] "))
    return replace(observed, stderr=own, exits=observed.exits[:-1])


@pytest.mark.newest_python
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("module", "cast"), CASTS, ids=[f"{module}-{cast.name}" for module, cast in CASTS])
def test_the_function_does_not_notice_when_one_of_ours_raises(
    stage: Stage, workshop: Workshop, module: str, cast: Cast
) -> None:
    source = (stage.layer / "firetee" / f"{module}.py").read_text()
    broken = replace(stage, layer=workshop.layer)
    bare = seen(stage, cast, wrapped=False)

    def called(cast: Cast) -> set[int]:
        """Where the functions begin that are called in this play."""
        notes = stage.folder / "called"
        notes.write_text("")
        workshop.change(module, with_statement(source, NOTE.replace("PATH", repr(str(notes)))))
        seen(broken, cast)
        return {int(line) for line in notes.read_text().split()}

    lines = called(cast) if cast is USUAL else called(cast) - called(USUAL)
    harmed = {}
    for function in functions(source):
        if function.line not in lines or f"{module}:{function.name}" in GUARDS:
            continue
        workshop.change(module, with_statement(source, 'raise RuntimeError("injected")', function.line))
        now = seen(broken, cast)
        if f"{module}:{function.name}" in THREADS:
            now = replace(now, stderr=bare.stderr)
        if now != bare:
            harmed[function.name] = now
    assert not harmed, f"{list(harmed)}, without firetee it is seen as {bare}"


def test_no_room_is_left_out() -> None:
    """A module that moves must not drop out unseen."""
    rooms = {path.parent.name for path in (fetch.ROOT / "log_capture").rglob("*.py")} - {"log_capture"}
    assert {module.split("/")[1] for module in MODULES if module.count("/") == 2} == rooms
    assert sum(len(functions((fetch.ROOT / f"{module}.py").read_text())) for module in MODULES) > FUNCTIONS


def test_the_guards_exist() -> None:
    for guard in (*GUARDS, *THREADS):
        module, _, name = guard.partition(":")
        assert name in [function.name for function in functions((fetch.ROOT / f"{module}.py").read_text())]
