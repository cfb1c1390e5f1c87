"""What the function finds in `sys.modules`, and which modules its own imports find."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.harness import Result, Stage

SOURCE = """
    import sys
    at_import = sorted(sys.modules)
    def handler(event, context):
        print("hello")
        return [at_import, sorted(sys.modules)]
"""
SETTINGS: dict[str, dict[str, str]] = {
    "as it comes": {},
    "gzip": {"FIRETEE_COMPRESSION": "gzip"},
    "native code": {"FIRETEE_CAPTURE": "fd"},
    "filters": {"FIRETEE_REDACT": "(a+)+b", "FIRETEE_INCLUDE": ".", "FIRETEE_MIN_LEVEL": "INFO"},
    "secret keys": {"FIRETEE_REDACT_KEYS": "password", "FIRETEE_REDACT": "(a)=>\\1"},
    "held": {"FIRETEE_HOLD": "below INFO,unlevelled"},
    "messages": {"FIRETEE_EVENTS": "function,extension"},
    "batched": {"FIRETEE_FLUSH": "batched"},
}
#: What a function's own module cannot be called, but by intent: C modules below the standard library's. fork_exec is
#: wrapped in the first; the others make the connection to Firehose and sign the requests.
PRIVATE = {"_posixsubprocess", "_socket", "_ssl", "_hashlib", "_struct", "_blake2"}
#: Modules of the standard library that firetee uses, and the runtime does not.
SHADOWED = ("binascii", "errno", "faulthandler", "fcntl", "mmap", "resource", "select", "struct", "zlib")


def imported(result: Result) -> list[set[str]]:
    """At import, in the first invocation, in the second after a flush."""
    first: Any
    second: Any
    first, second = (response.json() for response in result.responses)
    return [set(names) for names in (first[0], first[1], second[1])]


@pytest.mark.parametrize("telemetry", [True, False], ids=["frames", "streams"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_nothing_is_imported_that_the_function_and_the_runtime_have_not_imported(
    stage: Stage, setting: str, telemetry: bool
) -> None:
    bare, teed = stage.both(SOURCE, [{}, {}], env=SETTINGS[setting], telemetry=telemetry)
    for without, with_firetee in zip(imported(bare), imported(teed), strict=True):
        assert with_firetee - without <= PRIVATE
        assert without <= with_firetee


def test_the_function_s_own_modules_are_not_shadowed_by_those_that_firetee_uses(stage: Stage) -> None:
    """Where the standard library's is compiled into the interpreter, no module of the function's can take its place."""
    source = f"""
        import sys
        for name in {SHADOWED}: __import__(name)
        def handler(event, context):
            print("hello")
            return [hasattr(sys.modules[name], "OWN") for name in {SHADOWED}]
    """
    own = {f"{name}.py": "OWN = True\n" for name in SHADOWED}
    bare, teed = stage.both(source, [{}, {}], files=own, env={"FIRETEE_COMPRESSION": "gzip"})
    answers: list[Any] = [response.json() for response in bare.responses]
    assert answers[0].count(True) >= 3  # of Debian's Python, of others more
    assert [response.json() for response in teed.responses] == answers
    assert teed.records() == ["hello", "hello"]


def test_a_handler_may_be_in_a_module_with_such_a_name(stage: Stage) -> None:
    files = {"resource.py": "def handler(event, context):\n    print('my own')\n    return 'my own'\n"}
    bare, teed = stage.both("", [{}], files=files, handler="resource.handler")
    assert bare.responses[0].body == teed.responses[0].body == b'"my own"'
    assert teed.records() == ["my own"]
