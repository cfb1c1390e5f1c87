"""`new` makes a project that works: its template is valid and its function runs."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from firetee.commands.new import new
from tests.firetee.commands.conftest import Run


def test_a_new_project_holds_function_template_event_and_layer(
    run: Run, layer_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(new, "hello", "--zip", layer_zip)
    assert result.exit_code == 0, result.output
    made = {str(path.relative_to(tmp_path / "hello")) for path in (tmp_path / "hello").rglob("*") if path.is_file()}
    assert made == {"function/app.py", "template.yaml", "events/hello.json", "README.md", "firetee-layer.zip"}
    assert (tmp_path / "hello" / "firetee-layer.zip").read_bytes() == layer_zip.read_bytes()
    assert "@NAME@" not in "".join((tmp_path / "hello" / each).read_text() for each in made - {"firetee-layer.zip"})


def test_the_functions_package_is_its_code_without_the_layers_zip(run: Run, layer_zip: Path, tmp_path: Path) -> None:
    run(new, "hello", "--zip", layer_zip, "--directory", tmp_path / "project")
    (code,) = re.findall(r"CodeUri: (\S+)", (tmp_path / "project" / "template.yaml").read_text())
    assert [path.name for path in (tmp_path / "project" / code).iterdir()] == ["app.py"]


def test_the_new_function_runs(run: Run, layer_zip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(new, "hello", "--zip", layer_zip, "--directory", tmp_path / "project")
    handler = runpy.run_path(str(tmp_path / "project" / "function" / "app.py"))["handler"]
    event = json.loads((tmp_path / "project" / "events" / "hello.json").read_text())
    assert handler(event, SimpleNamespace(function_name="hello")) == {"ok": True}
    assert capsys.readouterr().out == "hello from hello\n"


def test_a_folder_that_is_not_empty_is_left_alone(run: Run, layer_zip: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    result = run(new, "hello", "--zip", layer_zip, "--directory", tmp_path)
    assert result.exit_code == 1
    assert "is not empty" in result.output


@pytest.mark.parametrize("name", ["", "1st", "a b", "x" * 41, "../up"])
def test_a_name_that_aws_would_not_take_is_a_usage_error(run: Run, layer_zip: Path, name: str) -> None:
    assert run(new, name, "--zip", layer_zip).exit_code == 2
