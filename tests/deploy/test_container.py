"""The Dockerfiles' steps, carried out in a folder: the same files and the same command, in the emulator."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from firetee import runtimes
from firetee.cli import main
from tests.deploy.tools import EXAMPLES
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Firehose

CONTAINER = EXAMPLES / "container"


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    """A strict Firehose with one stream."""
    with Firehose([STREAM]) as fake:
        yield fake


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build context as the Dockerfiles' first lines say: the example, and the layer unpacked beside it."""
    folder = tmp_path_factory.mktemp("context")
    shutil.copy(CONTAINER / "app.py", folder)
    result = CliRunner().invoke(main, ["layer", "unpack", str(folder / "layer")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """A Dockerfile's instructions with their arguments; ours are one line each."""
    lines = [line for line in dockerfile.read_text().splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def build(dockerfile: Path, context: Path, root: Path) -> dict[str, str]:
    """Carry out the COPY steps below `root`; returns the last argument of every other instruction."""
    others: dict[str, str] = {}
    for instruction, argument in instructions(dockerfile):
        if instruction != "COPY":
            others[instruction] = argument
            continue
        source, target = argument.split()
        place = root / target.lstrip("/")
        if source.endswith("/"):
            shutil.copytree(context / source, place, dirs_exist_ok=True)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / source, place)
    return others


@pytest.mark.parametrize("module", [False, True], ids=["AWS base image", "any base image"])
def test_a_function_in_an_image_sends_its_lines(
    module: bool, context: Path, tmp_path: Path, firehose: Firehose
) -> None:
    root = tmp_path / "root"
    others = build(CONTAINER / ("Dockerfile.any-base" if module else "Dockerfile"), context, root)
    if module:
        entry = json.loads(others["ENTRYPOINT"])
        assert entry == ["/opt/bin/exec-wrapper", "python", "-m", "awslambdaric"]
    else:
        assert others["ENV"] == "AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/exec-wrapper"
    (handler,) = json.loads(others["CMD"])
    stage = Stage(runtimes.installed()[-1], root / "opt", firehose, tmp_path)
    result = stage.run((root / "var" / "task" / "app.py").read_text(), handler=handler, module=module)
    assert [each.status for each in result.responses] == [200]
    assert [record for record in result.records() if record.startswith("hello from")]


def test_nothing_in_the_layer_is_writable_by_others_or_executable_beyond_need(context: Path) -> None:
    layer = context / "layer"
    executable = {
        str(path.relative_to(layer)) for path in layer.rglob("*") if path.is_file() and path.stat().st_mode & 0o111
    }
    assert executable == {"bin/exec-wrapper"}
    for path in layer.rglob("*"):
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o022
        assert not path.is_symlink()
