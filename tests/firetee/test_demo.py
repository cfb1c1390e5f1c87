"""The demo shows every line that the examples write, and fails if one is missing or made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from firetee import demo, journey
from firetee.emulator import Response


@pytest.fixture(scope="module")
def shown() -> dict[str, object]:
    """What the demo says for machines, after it ran to its end."""
    result = CliRunner().invoke(demo.main, ["--json"])
    said: dict[str, object] = json.loads(result.stdout)
    assert result.exit_code == (1 if said["failures"] else 0)
    return said


def test_every_example_runs_and_every_line_is_in_s3(shown: dict[str, object]) -> None:
    assert shown["failures"] == []
    functions = shown["functions"]
    assert isinstance(functions, list)
    assert [function["function"] for function in functions] == [example.file for example in demo.SHOWN]
    assert all(line["stored"] and line["took_ms"] > 0 for function in functions for line in function["lines"])


def test_every_example_of_the_folder_is_shown() -> None:
    assert {path.stem for path in demo.EXAMPLES.glob("*.py")} == {example.file for example in demo.SHOWN}


EXAMPLE = demo.Example("prints", "", [{}])
STORED = {"record": "a", "seq": 0, "type": "function", "stream": "stdout"}
GOOD = journey.Line("stdout", "a", STORED, 1.0)
ANSWERED = Response(200, b"null", 0.01)
RAISED = Response(200, b'{"errorType": "ValueError"}', 0.01)


@pytest.mark.parametrize(
    ("line", "response", "failure"),
    [
        (GOOD, ANSWERED, None),
        (replace(GOOD, envelope=None, took_ms=None), ANSWERED, "stdout: not in S3: 'a'"),
        (replace(GOOD, written=None), ANSWERED, f"in S3, but nobody wrote it: {STORED}"),
        (GOOD, RAISED, "1 invocations failed, 0 should have"),
    ],
    ids=["all is well", "missing", "made up", "wrong answer"],
)
def test_what_goes_wrong_is_a_failure(line: journey.Line, response: Response, failure: str | None) -> None:
    assert demo.failures(EXAMPLE, [response], [line]) == ([] if failure is None else [failure])
