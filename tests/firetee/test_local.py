"""`firetee local` runs a function through the layer and says where its lines got to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from firetee.cli import main

SOURCE = """
import os
def handler(event, context):
    print("hello", event.get("name"), os.environ.get("GREETING"))
    return event
"""


@pytest.fixture
def function(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE)
    return tmp_path / "app"


def local(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["local", *arguments])


def messages(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_event_is_an_invocation_and_every_line_arrives(function: Path, tmp_path: Path) -> None:
    for name in ("ada", "grace"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name}))
    events = [f"--event={tmp_path / name}.json" for name in ("ada", "grace")]
    result = local(f"{function}.handler", *events, "--env", "GREETING=!", "--json")
    assert result.exit_code == 0, result.output
    said = messages(result)
    lines = [message["envelope"] for message in said if message["kind"] == "line"]
    assert [line["record"] for line in lines if line["type"] == "function"] == ["hello ada !", "hello grace !"]
    assert [json.loads(message["body"]) for message in said if message["kind"] == "response"] == [
        {"name": "ada"},
        {"name": "grace"},
    ]
    assert said[-1]["missing"] == []


def test_people_see_the_lines_and_the_answer(function: Path) -> None:
    result = local(f"{function}.handler")
    assert result.exit_code == 0, result.output
    assert "hello None None" in result.stdout
    assert "answer 1" in result.stdout
    assert "0 missing" in result.stdout


def test_a_line_that_does_not_arrive_is_named_and_the_exit_code_is_1(function: Path) -> None:
    result = local(f"{function}.handler", "--env", "FIRETEE_EXCLUDE=hello", "--json")
    assert result.exit_code == 1
    assert messages(result)[-1]["missing"] == [{"stream": "stdout", "text": "hello None None"}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.handler"], "there is no file nowhere.py"),
        (["nowhere"], "there is no file nowhere.py"),
        (["{function}.handler", "--env", "GREETING"], "NAME=VALUE is needed"),
        (["{function}.handler", "--env", "FIRETEE_FORMAT=text"], "leave it out here"),
        (["{function}.handler", "--event", "{function}.py"], "not JSON"),
    ],
)
def test_wrong_usage_is_said_and_exits_with_2(function: Path, arguments: list[str], says: str) -> None:
    result = local(*(argument.format(function=function) for argument in arguments))
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_python_that_is_not_here_is_said(function: Path) -> None:
    result = local(f"{function}.handler", "--python", "2.7")
    assert result.exit_code == 1
    assert "no CPython 2.7" in result.stderr


def test_watch_runs_it_again_when_a_file_changes_and_ends_with_ctrl_c(function: Path) -> None:
    command = [sys.executable, "-m", "firetee", "local", f"{function}.handler", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said: Iterator[dict[str, Any]] = (json.loads(line) for line in process.stdout)
        try:
            assert "hello None None" in first_run(said)
            function.with_suffix(".py").write_text(SOURCE.replace("hello", "good evening,"))
            assert "good evening, None None" in first_run(said)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def first_run(said: Iterator[dict[str, Any]]) -> list[object]:
    """What was delivered until the next summary."""
    delivered = []
    for message in said:
        if message["kind"] == "summary":
            break
        if message["kind"] == "line":
            delivered.append(message["envelope"]["record"])
    return delivered
