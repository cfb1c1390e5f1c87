"""What is installed for one command is what is installed for the next, and for the demo it is little."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from firetee import fetch

FOLDER = fetch.ROOT / "requirements"


def locked(name: str) -> set[str]:
    """The versions in a lock, each with its condition."""
    return set(re.findall(r"^([a-z0-9.-]+==[^\\]+?) *\\$", (FOLDER / f"{name}.txt").read_text(), re.MULTILINE))


def test_the_demo_needs_two_packages_and_theirs_only() -> None:
    names = {each.partition("==")[0] for each in locked("demo")}
    assert names == {"click", "markdown-it-py", "mdurl", "pygments", "rich"}


@pytest.mark.parametrize(("small", "large"), [("demo", "test"), ("test", "check"), ("test", "bench")])
def test_a_larger_set_has_the_versions_of_the_smaller_one(small: str, large: str) -> None:
    assert locked(small) <= locked(large)


def test_a_failure_is_told_in_pip_s_words(tmp_path: Path) -> None:
    (tmp_path / "install.py").write_text((FOLDER / "install.py").read_text())
    (tmp_path / "wrong.txt").write_text(f"firetee @ {tmp_path.as_uri()}/nowhere.whl --hash=sha256:{'0' * 64}\n")
    command = [sys.executable, str(tmp_path / "install.py"), "wrong"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nowhere.whl" in done.stdout
