"""The layer's zip: the same bytes every time, nothing executable but the wrapper, ready for every Python."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from firetee import __version__, fetch, layer, runtimes


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layer.build(tmp_path_factory.mktemp("layer") / "layer.zip")


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("opt")
    layer.unpack(built, target)
    return target


def test_two_builds_have_the_same_bytes(built: Path, tmp_path: Path) -> None:
    assert layer.build(tmp_path / "again.zip").read_bytes() == built.read_bytes()


def test_only_the_wrapper_is_executable_and_nothing_is_writable_by_others(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        modes = {entry.filename: stat.S_IMODE(entry.external_attr >> 16) for entry in archive.infolist()}
    folders = {name for name in modes if name.endswith("/")}
    assert {name for name, mode in modes.items() if mode == 0o755} == {layer.EXECUTABLE, *folders}
    assert {mode for name, mode in modes.items() if name not in folders} == {0o755, 0o644}


def test_unpacking_gives_the_modes_of_the_zip(unpacked: Path) -> None:
    assert os.access(unpacked / "bin" / "exec-wrapper", os.X_OK)
    assert stat.S_IMODE((unpacked / "firetee" / "wrapper" / "__init__.py").stat().st_mode) == 0o644


def test_unpacking_again_leaves_nothing_of_an_older_layer(built: Path, tmp_path: Path) -> None:
    layer.unpack(built, tmp_path)
    stale = tmp_path / "firetee" / "log_capture" / "of_yesterday.py"
    stale.touch()
    (tmp_path / "bin" / "of_somebody_else").touch()
    layer.unpack(built, tmp_path)
    assert not stale.exists()
    assert (tmp_path / "bin" / "of_somebody_else").exists()


def test_unpacking_deletes_nothing_that_is_not_a_layer(built: Path, tmp_path: Path) -> None:
    """A checkout of firetee has a folder `firetee` too."""
    (tmp_path / "firetee").mkdir()
    (tmp_path / "firetee" / "cli.py").touch()
    with pytest.raises(layer.LayerError, match="is not from a layer"):
        layer.unpack(built, tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["firetee", "cli.py"]


def test_the_private_folder_has_our_packages_and_the_c_module_of_wrapt(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
    folders = {name.split("/")[1] for name in names if name.startswith("firetee/") and name.count("/") > 1}
    assert folders == {"wrapper", "log_capture", "wrapt"}
    modules = [name for name in names if name.startswith("firetee/wrapt/") and name.endswith(".so")]
    assert len(modules) == len(layer.WRAPT_WHEELS)
    assert "firetee/wrapt/LICENSE" in names


each_python = pytest.mark.parametrize("python", runtimes.installed(), ids=lambda python: python.minor)


def run(python: runtimes.Python, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = (str(python.path), *command)
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)


def bundle_for(python: runtimes.Python, unpacked: Path) -> Path:
    (bundle,) = (unpacked / "firetee").glob(f"cpython-{python.minor.replace('.', '')}-*.bundle")
    return bundle


@each_python
def test_every_module_is_compiled_for_every_python_here(unpacked: Path, python: runtimes.Python) -> None:
    program = (
        "import importlib.util, marshal, pathlib, sys\n"
        "payload = pathlib.Path(sys.argv[2])\n"
        "bundled = marshal.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "shown = {code.co_filename for code in bundled.values()}\n"
        "assert {'/opt/firetee/log_capture/journal/journal.py', '/opt/firetee/wrapper/boot.py'} < shown\n"
        "for path in payload.rglob('*.py'):\n"
        "    name = path.relative_to(payload)\n"
        "    module = str(name)[:-3].replace('/', '.').removesuffix('.__init__')\n"
        "    if str(name) != 'wrapper/__main__.py' and module not in bundled:\n"
        "        data = pathlib.Path(importlib.util.cache_from_source(path)).read_bytes()\n"
        "        assert data[:4] == importlib.util.MAGIC_NUMBER, path\n"
        "        assert data[4:8] == bytes([1, 0, 0, 0]), f'{path} is checked against its source'\n"
        "        code = marshal.loads(data[16:])\n"
        "        assert code.co_filename == f'/opt/firetee/{name}'\n"
        "print('all')"
    )
    done = run(python, "-c", program, str(bundle_for(python, unpacked)), str(unpacked / "firetee"))
    assert done.stdout == "all\n", done.stderr


#: Shows what the program finds of us.
LOOK = """import os, sys
print([getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path], sys.path)
print([name for name in sys.modules if name.startswith(("log_capture", "wrapper"))])
print([path for path in sys.path_importer_cache if path.startswith(os.environ["LAYER"])])
"""


def start(python: runtimes.Python, layer: Path, journals: Path, program: str = LOOK) -> tuple[str, list[str]]:
    """What a program prints that runs behind the layer, and the modules of ours that were read from a file each."""
    done = run(
        python, "-v", str(layer / "firetee" / "wrapper" / "__main__.py"), "-c", program,
        LAYER=str(layer),
        FIRETEE_STREAM="logs", FIRETEE_JOURNAL_DIR=str(journals), AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret", AWS_LAMBDA_RUNTIME_API="", PYTHONDONTWRITEBYTECODE="1",
        AWS_ENDPOINT_URL_FIREHOSE="http://127.0.0.1:1", FIRETEE_LOG_LEVEL="ERROR",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = [line for line in done.stderr.splitlines() if line.startswith("# code object from") and str(layer) in line]
    return done.stdout, read


@each_python
def test_a_plain_start_reads_no_module_but_the_bundle(unpacked: Path, python: runtimes.Python, tmp_path: Path) -> None:
    printed, read = start(python, unpacked, tmp_path)
    assert not read
    assert "Payload" not in printed
    assert printed.endswith("\n[]\n[]\n")


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "of another kind"])
def test_without_a_good_bundle_each_module_is_compiled_from_its_source(
    unpacked: Path, damage: str, tmp_path: Path
) -> None:
    python = runtimes.installed()[-1]
    copy = tmp_path / "opt"
    shutil.copytree(unpacked, copy)
    bundle = bundle_for(python, copy)
    whole = bundle.read_bytes()
    if damage == "absent":
        bundle.unlink()
    else:
        bundle.write_bytes({"empty": b"", "cut": whole[:-1000], "of another kind": marshal.dumps([1])}[damage])
    printed, read = start(python, copy, tmp_path)
    assert printed == start(python, unpacked, tmp_path)[0]
    assert len(read) > 30


@each_python
def test_code_shows_the_path_where_it_is(unpacked: Path, python: runtimes.Python, tmp_path: Path) -> None:
    printed, _ = start(python, unpacked, tmp_path, "import sys; print(sys.stdout.write.__code__.co_filename)")
    assert printed == f"{unpacked}/firetee/log_capture/taps/tee.py\n"


@pytest.mark.parametrize(
    "python",
    [python for python in runtimes.installed() if (python.minor, python.machine) in layer.WRAPT_WHEELS],
    ids=lambda python: python.minor,
)
def test_the_c_module_of_wrapt_loads_by_itself(unpacked: Path, python: runtimes.Python) -> None:
    program = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import _wrappers\n"
        "print(sorted(set(sys.modules) - before), _wrappers.FunctionWrapper.__name__)"
    )
    command = [str(python.path), "-I", "-S", "-c", program, str(unpacked / "firetee" / "wrapt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "['_wrappers'] FunctionWrapper\n", done.stderr


def test_a_module_that_does_not_compile_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (*layer.PACKAGES, "bin"):
        (tmp_path / package).mkdir()
    (tmp_path / layer.EXECUTABLE).touch()
    (tmp_path / "wrapper" / "broken.py").write_text("def")
    (tmp_path / "log_capture" / "release.py").write_text('CONTENT = "source"')
    monkeypatch.setattr(fetch, "ROOT", tmp_path)
    with pytest.raises(layer.LayerError, match=r"/opt/firetee/wrapper/broken\.py"):
        layer.build(tmp_path / "layer.zip", [Path(sys.executable)])
    assert not (tmp_path / "layer.zip").exists()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command line as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "tree"
    leave = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "tests")
    shutil.copytree(fetch.ROOT, source, ignore=leave)
    fetch.pip("install", "--no-build-isolation", "--no-deps", f"--target={folder}", str(source))
    return folder


def test_the_installed_command_line_builds_the_same_layer(installed: Path, built: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "firetee").symlink_to(fetch.cache_dir())
    env = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "firetee", "layer", "build", "--out", "layer.zip"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "layer.zip").read_bytes() == built.read_bytes()


def test_every_module_of_an_installation_works_without_the_sources(installed: Path, tmp_path: Path) -> None:
    """What reads the layer's sources by their path, as the cloud commands do, finds nothing of a checkout there."""
    program = """import importlib, pkgutil, firetee
for found in pkgutil.walk_packages(firetee.__path__, "firetee."):
    if not found.name.startswith("firetee.payload") and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
from firetee.cloud import settings
print(settings.problems({"FIRETEE_MIN_LEVEL": "LOUD"}), settings.unknown({"FIRETEE_STREEM": "x"}))
"""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "FIRETEE_MIN_LEVEL='LOUD' is none of TRACE, DEBUG, INFO" in done.stdout
    assert "('FIRETEE_STREEM',)" in done.stdout


def test_an_installation_alone_runs_a_function_without_moto(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    print('kept')\n    print('held back')\n")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "firetee").symlink_to(fetch.cache_dir())
    env = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = "import sys; sys.modules['moto'] = None; from firetee.cli import main; main()"
    command = [sys.executable, "-c", program, "local", "app.handler", "--env", "FIRETEE_EXCLUDE=held", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["arrived"], summary["missing"]) == (1, [])
    assert summary["filtered"] == [{"stream": "stdout", "text": "held back"}]


def test_every_package_of_the_command_line_is_installed(installed: Path) -> None:
    def packages(root: Path) -> set[str]:
        return {str(path.parent.relative_to(root)) for path in (root / "firetee").rglob("*.py")}

    assert packages(fetch.ROOT) <= packages(installed)


def test_the_layer_says_its_version_and_a_hash_of_what_it_holds(built: Path) -> None:
    with built.open("rb") as file:
        found = layer.examine(file)
    assert found == layer.release()
    assert found.version == __version__
    assert found.content != layer.UNSTAMPED
    assert len(found.content) == 12


def test_a_checkout_that_can_fetch_no_python_builds_with_what_is_there_and_says_what_is_slower(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    leave = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "tests", "node_modules")
    shutil.copytree(fetch.ROOT, tree, ignore=leave)
    (tree / ".cache").mkdir()
    (tree / ".cache" / "wheels").symlink_to(fetch.cache_dir().resolve() / "wheels")
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\nexit 2\n")
    uv.chmod(0o755)
    env = {"PYTHONPATH": str(tree), "HOME": str(tmp_path), "PATH": str(uv.parent)}  # no pyenv, no apt, no other Python
    command = [sys.executable, "-m", "firetee", "layer", "build", "--json"]
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert json.loads(done.stdout)["compiled_for"] == [own]
    others = ", ".join(minor for minor in runtimes.MINORS if minor != own)
    assert f"Warning: not compiled for Python {others}: functions there start about 75 ms slower" in done.stderr
    assert "uv python install 3.15" in done.stderr
    assert "apt: there is none here" in done.stderr
