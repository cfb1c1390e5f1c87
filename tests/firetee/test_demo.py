"""The demo shows every line that the examples write, and fails if one is missing or made up."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from firetee import demo, journey
from firetee.emulator import Response


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "firetee-demo"


@pytest.fixture(scope="module")
def shown(bucket: Path) -> dict[str, object]:
    """What the demo says for machines, after it ran to its end."""
    result = CliRunner().invoke(demo.main, ["--json", "--out", str(bucket)])
    said: dict[str, object] = json.loads(result.stdout)
    assert result.exit_code == (1 if said["failures"] else 0)
    return said


def test_every_example_runs_and_every_line_is_delivered(shown: dict[str, object]) -> None:
    assert shown["failures"] == []
    functions = shown["functions"]
    assert isinstance(functions, list)
    assert [function["function"] for function in functions] == [example.file for example in demo.SHOWN]
    assert all(line["stored"] and line["took_ms"] > 0 for function in functions for line in function["lines"])


def test_every_example_of_the_folder_is_shown() -> None:
    assert {path.stem for path in demo.EXAMPLES.glob("*.py")} == {example.file for example in demo.SHOWN}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a person sees, and the folder that the demo leaves."""
    folder = tmp_path_factory.mktemp("seen") / "firetee-demo"
    (folder / "1999" / "01" / "01" / "00").mkdir(parents=True)
    (folder / "1999/01/01/00/firetee-demo-1-of-an-earlier-run.jsonl").write_text("not even JSON\n")
    (folder / "mine.txt").write_text("not of the demo")
    result = CliRunner().invoke(demo.main, ["--out", str(folder)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout, folder


def test_a_person_sees_a_crash_that_is_recovered_and_a_timeout_that_is_explained(said: tuple[str, Path]) -> None:
    text, _ = said
    crash, hang = text.partition("crashes.py: ")[2].split("hangs.py: ")
    assert crash.count("sent by the next start") == 2
    assert "hangs.py, line 14, in answer_of_the_warehouse" in hang
    assert "time.sleep(60)" in hang


def test_a_person_sees_one_whole_line_as_it_lies_in_the_bucket(said: tuple[str, Path]) -> None:
    text, folder = said
    (line,) = [line for line in text.splitlines() if line.startswith("{")]
    assert json.loads(line)["level"] == "WARNING"
    assert any(line in path.read_text().splitlines() for path in folder.rglob("*.jsonl"))


def test_the_query_that_is_printed_tells_how_each_invocation_ended(said: tuple[str, Path]) -> None:
    text, _ = said
    (command,) = [line for line in text.splitlines() if line.startswith("duckdb ")]
    program, option, query = shlex.split(command)
    assert (program, option) == ("duckdb", "-c")
    rows = duckdb.connect().execute(query).fetchall()
    ended = [(function, status) for function, _, status, _ in rows]
    assert ended.count(("hangs", "timeout")) == 1
    assert ended.count(("fails", "error")) == 1
    assert len(ended) == sum(len(example.events) for example in demo.SHOWN) - 1  # the one that crashed
    assert all(len(request) == 8 and float(ms) > 0 for _, request, _, ms in rows)


def test_lines_of_an_earlier_demo_are_replaced_and_other_files_are_not(said: tuple[str, Path]) -> None:
    _, folder = said
    assert not list(folder.glob("1999/*/*/*/*"))
    assert (folder / "mine.txt").exists()


EXAMPLE = demo.Example("prints", "", [{}])
STORED = {"record": "a", "seq": 0, "type": "function", "stream": "stdout"}
GOOD = journey.Line("stdout", "a", STORED, 1.0)
ANSWERED = Response(200, b"null", 0.01)
RAISED = Response(200, b'{"errorType": "ValueError", "errorMessage": "", "requestId": "1", "stackTrace": []}', 0.01)


@pytest.mark.parametrize(
    ("line", "response", "failure"),
    [
        (GOOD, ANSWERED, None),
        (replace(GOOD, envelope=None, took_ms=None), ANSWERED, "stdout: not delivered: 'a'"),
        (replace(GOOD, written=None), ANSWERED, f"delivered, but nobody wrote it: {STORED}"),
        (GOOD, RAISED, "1 invocations failed, 0 should have"),
    ],
    ids=["all is well", "missing", "made up", "wrong answer"],
)
def test_what_goes_wrong_is_a_failure(line: journey.Line, response: Response, failure: str | None) -> None:
    assert demo.failures(EXAMPLE, [response], [line]) == ([] if failure is None else [failure])
