"""What a project has installed, and its file of variables, reach the function as they would on Lambda."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from firetee import project, runtimes


def make_venv(place: Path, minor: str) -> Path:
    (place / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    (place / "pyvenv.cfg").touch()
    return place


def test_the_active_environment_comes_first_then_the_nearest_one_above(tmp_path: Path) -> None:
    function = tmp_path / "src" / "orders"
    function.mkdir(parents=True)
    nearest, active = make_venv(tmp_path / ".venv", "3.12"), make_venv(tmp_path / "active", "3.12")
    assert project.virtual_environment(function, {}) == nearest
    assert project.virtual_environment(function, {"VIRTUAL_ENV": str(active)}) == active
    assert project.virtual_environment(function, {"VIRTUAL_ENV": str(tmp_path / "gone")}) == nearest


def test_packages_of_another_python_are_refused(tmp_path: Path) -> None:
    place = make_venv(tmp_path / "venv", "3.12")
    fits = runtimes.Python((3, 12, 1), Path("python3.12"), "x86_64")
    assert project.site_packages(place, fits) == place / "lib" / "python3.12" / "site-packages"
    other = runtimes.Python((3, 13, 0), Path("python3.13"), "x86_64")
    with pytest.raises(project.ProjectError, match=r"packages of Python 3\.12, and the function is to run on 3\.13"):
        project.site_packages(place, other)


def test_a_plain_folder_of_packages_is_taken_as_it_is(tmp_path: Path) -> None:
    assert project.site_packages(tmp_path, runtimes.this()) == tmp_path


def test_the_python_of_an_environment_is_the_one_that_it_is_made_of() -> None:
    assert project.python_of(Path(sys.prefix)) == runtimes.this()


def test_variables_are_read_as_docker_and_dotenv_read_them(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nPLAIN=one two\nexport EXPORTED=3\n"
        "SINGLE='kept # as it is'\nDOUBLE=\"x=y\"\nEMPTY=\nCUT=a # why\nHASH=a#b\n"
    )
    assert project.variables(file) == {
        "PLAIN": "one two",
        "EXPORTED": "3",
        "SINGLE": "kept # as it is",
        "DOUBLE": "x=y",
        "EMPTY": "",
        "CUT": "a",
        "HASH": "a#b",
    }


def test_a_line_that_is_no_variable_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(project.ProjectError, match=r"\.env:2: NAME=value is needed"):
        project.variables(file)


def test_layers_lie_over_each_other(tmp_path: Path) -> None:
    (tmp_path / "one" / "python").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "one" / "python" / f"{name}.py").write_text("one")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("python/b.py", "two")
    laid = project.lay([tmp_path / "one", tmp_path / "two.zip"], tmp_path / "opt") / "python"
    assert (laid.joinpath("a.py").read_text(), laid.joinpath("b.py").read_text()) == ("one", "two")


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.zip").write_text("x")
    with pytest.raises(project.ProjectError, match="folder `python`"):
        project.lay([tmp_path / "empty"], tmp_path / "opt")
    with pytest.raises(project.ProjectError, match="is no layer"):
        project.lay([tmp_path / "no.zip"], tmp_path / "opt")
