"""CPython's own tests of what we stand in front of give the same results in a process started through the wrapper."""

from __future__ import annotations

import os
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from firetee import runtimes
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose

QUICK = ["test_print", "test_warnings", "test_contextlib"]
WHOLE = ["test_sys", "test_io", "test_logging", "test_threading", "test_subprocess", "test_signal", "test_faulthandler"]


def outcomes(stage: Stage, module: str, *, wrapped: bool, capture: str) -> dict[str, str]:
    """What became of each test of a module: passed, failed, error or skipped, with the reason's first line."""
    report = stage.folder / f"{module}-{wrapped}.xml"
    python = str(stage.python.path)
    command = [python, "-m", "test", "--junit-xml", str(report), module]
    if wrapped:
        command.insert(0, str(stage.layer / "bin" / "exec-wrapper"))
    with tempfile.TemporaryDirectory(prefix="ft") as scratch:  # short: test_logging makes sockets below it
        done = subprocess.run(
            command, env=_settings(stage, scratch, capture), cwd=scratch, capture_output=True, timeout=900, check=False
        )
    assert report.exists(), (done.stdout + done.stderr).decode(errors="replace")[-3000:]
    assert b"[firetee]" not in done.stderr, done.stderr.decode(errors="replace")
    return _read(report)


def _settings(stage: Stage, scratch: str, capture: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(stage.folder),
        "LANG": "en_US.UTF-8",
        "TMPDIR": scratch,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_ENDPOINT_URL_FIREHOSE": stage.firehose.url,
        "FIRETEE_STREAM": STREAM,
        "FIRETEE_CAPTURE": capture,
        "FIRETEE_JOURNAL_DIR": scratch,
    }


def _read(report: Path) -> dict[str, str]:
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[case.get("name", "")] = bad[0] if bad else "passed"
    return found


def compare(stage: Stage, module: str, capture: str) -> None:
    bare, teed = (outcomes(stage, module, wrapped=wrapped, capture=capture) for wrapped in (False, True))
    assert bare
    assert {name: bare.get(name) for name in teed | bare if bare.get(name) != teed.get(name)} == {}


@pytest.fixture(params=runtimes.installed(), ids=str)
def every_python(request: pytest.FixtureRequest, unpacked_layer: Path, firehose: Firehose, tmp_path: Path) -> Stage:
    """A stage on each CPython once: no runtime client takes part."""
    return Stage(request.param, unpacked_layer, firehose, tmp_path)


@pytest.mark.newest_python
@pytest.mark.parametrize("module", QUICK)
def test_quick_ones_give_the_same_result(stage: Stage, module: str) -> None:
    compare(stage, module, "python")


@pytest.mark.matrix
@pytest.mark.timeout(1900)
@pytest.mark.parametrize("capture", ["python", "fd"])
@pytest.mark.parametrize("module", WHOLE)
def test_the_long_ones_give_the_same_result(every_python: Stage, module: str, capture: str) -> None:
    compare(every_python, module, capture)
