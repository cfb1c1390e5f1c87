"""A CPython that is not as we know it: each private interface is taken away or changed, and the function is served."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.harness import Stage

#: Stands for a module of the interpreter's, which itself goes on with its own: `STAND_IN("name", **changes)`.
STAND_IN = """
import sys
def STAND_IN(name, *without, **changes):
    original = sys.modules.get(name) or __import__(name)
    stand_in = type(sys)(name)
    stand_in.__dict__.update({key: value for key, value in vars(original).items() if key not in without})
    stand_in.__dict__.update(changes)
    sys.modules[name] = stand_in
    return stand_in
"""
_FORK_EXEC = """
import _posixsubprocess as module
class ForkExec:
    __text_signature__ = "($module, args, new, executable_list, close_fds, pass_fds, cwd, env, p2cread, p2cwrite)"
    original = staticmethod(module.fork_exec)
    def __call__(self, *args): return self.original(*args)
module.fork_exec = ForkExec()
"""
#: What is done to the interpreter before anything of ours runs, and what firetee says of it.
CHANGES = {
    "no binary of wrapt": ("", ""),
    "no private import of modules in C": ("STAND_IN('_imp', 'create_dynamic', 'exec_dynamic')", ""),
    "no file names to correct": ("STAND_IN('_imp', '_fix_co_filename')", ""),
    "no OpenSSL below hashlib": ("sys.modules['_hashlib'] = None", ""),
    "an SSL context of another kind": ("import _ssl; _ssl._SSLContext = lambda protocol: None", ""),
    "no private SSL context": ("import _ssl; del _ssl._SSLContext", ""),
    "no _socket": ("import socket; sys.modules['_socket'] = None", ""),
    "a fork_exec with other arguments": (_FORK_EXEC, "what subprocesses write is not captured"),
    "no faulthandler.register": ("import faulthandler; del faulthandler.register", "SIGTERM is not heard"),
    "no faulthandler.unregister": ("import faulthandler; del faulthandler.unregister", "SIGTERM is not heard"),
    "no faulthandler": ("import sys; sys.modules['faulthandler'] = None", "SIGTERM is not heard"),
    "another faulthandler.register": (
        "import faulthandler; faulthandler.register = lambda signal: None",
        "SIGTERM is not heard",
    ),
}
_PARSER = """
import re
name = "re._parser" if "re._parser" in sys.modules else "sre_parse"
"""
#: The same of the parser of `re`.
PARSERS = {
    "gone": "sys.modules[name] = None; vars(re).pop('_parser', None)",
    "another tree": "re._parser = STAND_IN(name, parse=lambda *args: [('NEW', None)])",
    "other nodes": """
original = sys.modules[name].parse
def parse(*args):
    tree = original(*args)
    tree.data = [("NEW", 1, 2)]
    return tree
re._parser = STAND_IN(name, parse=parse)
""",
}
SOURCE = """
    import logging, os, subprocess, sys
    print("at import")
    def handler(event, context):
        print("number", event["number"])
        logging.getLogger().warning("logged")
        subprocess.run(["echo", "from a child"])
        pid = os.fork()
        if not pid:
            print("forked")
            os._exit(0)
        os.waitpid(pid, 0)
        return event["number"]
"""
EVENTS = [{"number": 1}, {"number": 2}]
#: Patterns that need the automaton, and one that does not.
REDACT = {"FIRETEE_REDACT": "(n+)+umber;;[a-z]+ged"}


def changed(stage: Stage, code: str, folder: Path, *, wrapt: bool = True) -> Stage:
    """The layer in front of such an interpreter."""
    layer = folder / "opt"
    shutil.copytree(stage.layer, layer)
    if not wrapt:
        for path in (layer / "firetee" / "wrapt").glob("*.so"):
            path.unlink()
    program = layer / "firetee" / "wrapper" / "__main__.py"
    before, imports, after = program.read_text().partition("\nimport os\nimport sys\n")
    program.write_text(f"{before}\n{STAND_IN}{code}{imports}{after}")
    return replace(stage, layer=layer)


@pytest.mark.newest_python
@pytest.mark.parametrize("change", CHANGES)
def test_a_function_answers_and_its_lines_arrive(stage: Stage, change: str, tmp_path: Path) -> None:
    code, says = CHANGES[change]
    bare = stage.run(SOURCE, EVENTS, wrapped=False, shutdown=False)
    teed = changed(stage, code, tmp_path, wrapt=change != "no binary of wrapt").run(SOURCE, EVENTS, shutdown=False)
    assert teed.observed.responses == bare.observed.responses
    assert teed.stdout == bare.stdout
    messages = [line for line in teed.stderr.decode().splitlines() if line.startswith("[firetee]")]
    assert len(messages) == (1 if says else 0), messages
    assert all(says in message for message in messages)
    records = [str(record) for record in teed.records()]
    assert {"at import", "number 1", "number 2"} <= set(records)
    assert sum("logged" in record for record in records) == 2
    assert ("from a child" in records) == ("fork_exec" not in change)


@pytest.mark.newest_python
@pytest.mark.parametrize("parser", PARSERS)
def test_another_parser_of_patterns_costs_one_line_for_each_pattern(stage: Stage, parser: str, tmp_path: Path) -> None:
    """What cannot be run in bounded time must not leave what should be redacted as it is."""
    teed = changed(stage, _PARSER + PARSERS[parser], tmp_path).run(SOURCE, EVENTS, env=REDACT, shutdown=False)
    assert [response.json() for response in teed.responses] == [1, 2]
    messages = [line for line in teed.stderr.decode().splitlines() if line.startswith("[firetee]")]
    assert len(messages) == 2
    assert all("every line is sent as ***" in message for message in messages)
    assert set(map(str, teed.records())) == {"***"}
