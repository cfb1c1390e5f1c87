"""Pythons are found once per minor version, and each gets the runtime client that was locked for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firetee import fetch, runtimes


def test_each_minor_version_is_found_once_oldest_first() -> None:
    minors = [python.version[:2] for python in runtimes.installed()]
    assert minors == sorted(set(minors))
    assert sys.version_info[:2] in minors


def test_a_virtual_environment_counts_as_the_python_it_is_made_of() -> None:
    python = runtimes.examine(Path(sys.executable))
    assert python is not None
    prefix = subprocess.run(
        [python.path, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=False
    )
    assert prefix.stdout.strip() == sys.base_prefix


@pytest.mark.parametrize("what", ["/bin/sh", "/dev/null", "/does/not/exist"])
def test_what_is_no_python_is_none(what: str) -> None:
    assert runtimes.examine(Path(what)) is None


def test_a_python_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(LookupError, match=f"no CPython 2.7.*{runtimes.installed()[0].minor}"):
        runtimes.find("2.7")


def test_a_runtime_has_its_client_and_boto3_and_nothing_else_of_the_host() -> None:
    python = runtimes.installed()[-1]
    folder = runtimes.runtime(python, "4.2.2")
    program = "import awslambdaric, boto3, importlib.util as u; print(awslambdaric.__version__, u.find_spec('pytest'))"
    done = subprocess.run([folder / "bin" / "python", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "4.2.2 None\n", done.stderr


def test_a_runtime_client_that_is_not_locked_is_refused() -> None:
    with pytest.raises(fetch.FetchError, match=r"no locked runtime client 9\.9\.9; there are 2\.2\.1"):
        runtimes.runtime(runtimes.installed()[0], "9.9.9")


def test_every_combination_leaves_out_only_what_has_no_wheel() -> None:
    there = {(python.version[:2], ric) for python, ric in runtimes.combinations()}
    for python in runtimes.installed():
        for ric in runtimes.RICS:
            newest = {"2.2.1": (3, 12), "3.0.2": (3, 13), "3.1.1": (3, 14)}.get(ric, runtimes.NEWEST)
            assert ((python.version[:2], ric) in there) is (python.version[:2] <= newest)
