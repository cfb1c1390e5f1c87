"""The two commands of the README say what they need before they do anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from firetee import fetch


@pytest.mark.parametrize("command", ["demo", "test", "matrix"])
def test_what_needs_the_emulator_says_so_on_another_system_before_anything_is_installed(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "uname").write_text("#!/bin/sh\necho Darwin\n")
    (tmp_path / "uname").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    where = ["make", "--directory", str(fetch.ROOT), command, f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(where, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is a program for Linux, this is Darwin" in done.stdout
    assert not (tmp_path / "venv").exists()
