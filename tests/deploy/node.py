"""The examples' npm packages, installed once from their lock files and kept under the cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from firetee import fetch
from tests.deploy.tools import EXAMPLES


def project(example: str, folder: Path, layer_zip: Path) -> Path:
    """A copy of an example in `folder`, with its packages and a layer beside it. Needs npm on the path."""
    target = folder / example
    shutil.copytree(EXAMPLES / example, target, ignore=shutil.ignore_patterns("node_modules", "cdk.out", ".serverless"))
    shutil.copy(layer_zip, target / "firetee-layer.zip")
    (target / "node_modules").symlink_to(_packages(example))
    return target


def run(folder: Path, *command: str) -> str:
    """Run a command in the folder; returns what it printed. Fails with its output if it fails."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _packages(example: str) -> Path:
    assert shutil.which("npm"), f"examples/{example} is tested with Node.js: install Node.js 20 or later"
    lock = (EXAMPLES / example / "package-lock.json").read_bytes()
    target = fetch.cache_dir() / "deploy" / f"{example}-{hashlib.sha256(lock).hexdigest()[:16]}"

    def make(scratch: Path) -> None:
        project = scratch / "project"
        project.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXAMPLES / example / name, project)
        run(project, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
        os.replace(project, target)

    return fetch.once(target, make) / "node_modules"  # under this very name: Node looks for no other
