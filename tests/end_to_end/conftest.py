"""Who plays: every installed CPython, with the newest runtime client in the quick subset and with all in the matrix.

A test that asks for `stage` (or `python` and `ric`) runs once for each. `@pytest.mark.newest_python` keeps a test of
something that does not depend on the version to the newest CPython in the quick subset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firetee import fetch, layer, runtimes
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Firehose


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" not in metafunc.fixturenames:
        return
    newest = runtimes.installed()[-1]
    forked_only = metafunc.definition.get_closest_marker("forked_workers") is not None
    newest_only = metafunc.definition.get_closest_marker("newest_python") is not None
    parameters = []
    for python, ric in runtimes.combinations():
        spawned = python.version >= (3, 14) and ric != runtimes.DEFAULT_RIC
        if forked_only and (spawned or ric < "4"):
            continue
        quick = ric == runtimes.DEFAULT_RIC and (python == newest or not newest_only)
        marks = [] if quick else [pytest.mark.matrix]
        parameters.append(pytest.param(python, ric, marks=marks, id=f"{python.minor}-ric{ric}"))
    metafunc.parametrize(("python", "ric"), parameters)


@pytest.fixture(scope="session")
def unpacked_layer(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The layer as built from this tree, unpacked; once for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    target = (base if worker_id == "master" else base.parent) / "opt"

    def make(scratch: Path) -> None:
        layer.unpack(layer.build(scratch / "layer.zip"), scratch / "opt")
        (scratch / "opt").rename(target)

    return fetch.once(target, make)


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    """A strict Firehose with one stream."""
    with Firehose([STREAM]) as fake:
        yield fake


@pytest.fixture
def stage(python: runtimes.Python, ric: str, unpacked_layer: Path, firehose: Firehose, tmp_path: Path) -> Stage:
    return Stage(python, unpacked_layer, firehose, tmp_path, ric)
