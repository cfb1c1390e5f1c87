"""The Pythons of this machine and, for each, a copy of what a managed Lambda runtime has.

`installed()` finds CPythons; `runtime(python, ric)` makes a folder that stands for both `/var/runtime` and `/var/lang`:

    bootstrap        what Lambda starts; runs `AWS_LAMBDA_EXEC_WRAPPER` in front of Python, as the original does
    bootstrap.py     builds `sys.path` and runs the runtime client, as the original does
    bin/python       the Python, as a virtual environment: nothing of the host's site-packages is seen
    lib/             its site-packages: awslambdaric in the version asked for, and boto3 (shared by all runtimes)
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from firetee import fetch, pythons

LOCKS = Path(__file__).parent / "locks"
TEMPLATES = Path(__file__).parent / "runtime"
OLDEST = (3, 10)
NEWEST = (3, 15)
#: Every minor version that is served, as Lambda names it.
MINORS = tuple(f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))
DEFAULT_RIC = "4.2.2"
#: One version of each behaviour of the runtime client, locked in `locks/`, with the newest CPython that it has wheels
#: for. 4.0.2 has an id for each attempt; 4.0.4 opens a log in the parent of Managed Instances' workers, and changed the
#: errors' JSON; 4.1.0 and 4.2.0 import the handler in that parent, which 4.2.1 took back; 4.2.0 has the trace context
#: of the client's.
RICS = {
    "2.2.1": (3, 12),
    "3.0.2": (3, 13),
    "3.1.1": (3, 14),
    "4.0.1": NEWEST,
    "4.0.2": NEWEST,
    "4.0.4": NEWEST,
    "4.1.0": NEWEST,
    "4.2.0": NEWEST,
    "4.2.2": NEWEST,
}

_ASK = """
import platform, sys, sysconfig
print(sys.implementation.name, *sys.version_info[:3], bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
      hasattr(sys, "gettotalrefcount"), platform.machine(), sys._base_executable, sep="|")
"""


@dataclass(frozen=True, order=True)
class Python:
    """One CPython on this machine."""

    version: tuple[int, int, int]
    path: Path
    machine: str

    @property
    def minor(self) -> str:
        """As Lambda names it: `3.12`."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def tag(self) -> str:
        """As wheels name it: `cp312`."""
        return f"cp{self.version[0]}{self.version[1]}"

    @property
    def execution_env(self) -> str:
        """What `AWS_EXECUTION_ENV` says in the managed runtime."""
        return f"AWS_Lambda_python{self.minor}"

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))}"


@functools.cache
def installed() -> tuple[Python, ...]:
    """Every supported CPython that this machine has, oldest first: of each minor version the newest patch.

    Looks at this interpreter, at `python3` and `python3.N` on `PATH`, at pyenv's versions, and at those that were
    fetched. Debug and free-threaded builds are left out: Lambda has neither.
    """
    newest: dict[str, Python] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        examined = list(pool.map(examine, _candidates()))
    for python in examined:
        if python and OLDEST <= python.version[:2] <= NEWEST:
            known = newest.get(python.minor)
            if known is None or python.version > known.version:
                newest[python.minor] = python
    return tuple(sorted(newest.values()))


def fetch_missing(minor: str) -> None:
    """Have `installed()` find this minor version: fetch it if it is not there. Raises `FetchError`."""
    if all(python.minor != minor for python in installed()):
        pythons.get(minor)
        installed.cache_clear()


def emulated(minor: str, machine: str) -> Python:
    """A CPython of another machine, under qemu; only `runtime` can be asked for it. Raises `FetchError`."""
    path = pythons.from_debian(minor, machine)
    major, _, rest = minor.partition(".")
    return Python((int(major), int(rest), 0), path, machine)


def this() -> Python:
    """The CPython that runs this program. Raises `LookupError` if functions cannot run on it."""
    found = examine(Path(sys.executable))
    if found is None or not OLDEST <= found.version[:2] <= NEWEST:
        raise LookupError(f"functions run on CPython {MINORS[0]} to {MINORS[-1]}, this is {sys.version.split()[0]}")
    return found


def find(minor: str) -> Python:
    """The installed CPython of one minor version (`3.12`). Raises `LookupError` naming those that are there."""
    for python in installed():
        if python.minor == minor:
            return python
    there = ", ".join(python.minor for python in installed())
    raise LookupError(f"no CPython {minor} on this machine (found: {there})")


def examine(path: Path) -> Python | None:
    """What `path` is, or None if it is no usable CPython. A virtual environment counts as the Python it is made of."""
    try:
        asked = subprocess.run([path, "-I", "-S", "-c", _ASK], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = asked.stdout.strip().split("|")
    if asked.returncode != 0 or len(fields) != 8:
        return None
    name, major, minor, patch, free_threaded, debug, machine, base = fields
    if name != "cpython" or "True" in (free_threaded, debug):
        return None
    return Python((int(major), int(minor), int(patch)), Path(base), machine)


def _candidates() -> list[Path]:
    paths = [Path(sys.executable)]
    names = ["python3", *(f"python{minor}" for minor in MINORS)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    # pyenv's shims are slow scripts, and what they lead to is looked at below
    folders = [each for each in os.get_exec_path() if Path(each) != pyenv / "shims"]
    paths += [Path(found) for name in names if (found := shutil.which(name, path=os.pathsep.join(folders)))]
    paths += sorted(pyenv.glob("versions/*/bin/python3"))
    paths += pythons.fetched()
    return paths


def combinations() -> list[tuple[Python, str]]:
    """Every installed CPython with every version of the runtime client that installs there."""
    return [(python, ric) for python in installed() for ric, newest in RICS.items() if python.version[:2] <= newest]


def runtime(python: Python, ric: str = DEFAULT_RIC) -> Path:
    """A folder like Lambda's `/var/runtime`, with version `ric` of the runtime client; made at the first call.

    Raises `FetchError` where that version has no wheel for that Python.
    """
    lock = LOCKS / f"runtime-{ric}.txt"
    if not lock.is_file():
        raise fetch.FetchError(f"no locked runtime client {ric}; there are {', '.join(RICS)}")
    boto3 = _boto3(python)
    target = _target(python, ric)

    def make(scratch: Path) -> None:
        # Made in place, as a virtual environment cannot be moved. `bootstrap` comes last: it says that all is there.
        shutil.rmtree(target, ignore_errors=True)
        if python.machine == os.uname().machine:
            venv = [str(python.path), "-I", "-m", "venv", "--without-pip", "--symlinks", str(target)]
            subprocess.run(venv, capture_output=True, text=True, check=True)
        else:
            _emulated_venv(python, target)
        site_packages = target / "lib" / f"python{python.minor}" / "site-packages"
        _install(lock, site_packages, python)
        (site_packages / "boto3.pth").write_text(f"{boto3}\n")
        if python.machine == os.uname().machine:
            _compile(python, site_packages)
            _compile(python, boto3)
        _copy_templates(target)

    fetch.once(target / "bootstrap", make)
    _copy_templates(target)
    return target


def made(python: Python, ric: str) -> bool:
    """Whether `runtime` has it all, and need fetch nothing."""
    return (_target(python, ric) / "bootstrap").exists()


def _target(python: Python, ric: str) -> Path:
    target = fetch.cache_dir() / "runtimes" / f"{python.tag}-{'.'.join(map(str, python.version))}-ric{ric}"
    return target if python.machine == os.uname().machine else target.with_name(f"{target.name}-{python.machine}")


def _copy_templates(target: Path) -> None:
    """`bootstrap` and what it runs, where they are missing or of an older firetee."""
    for name in ("bootstrap.py", "bootstrap"):
        template, copy = TEMPLATES / name, target / name
        if not copy.is_file() or copy.read_bytes() != template.read_bytes():
            scratch = target / f".{name}.{os.getpid()}"
            shutil.copy(template, scratch)
            scratch.replace(copy)


def _emulated_venv(python: Python, folder: Path) -> None:
    """What the `venv` module makes, with a script that runs the interpreter under qemu in the place of a link."""
    program = folder / "bin" / "python"
    program.parent.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {python.path.parent}\ninclude-system-site-packages = false\n")
    program.write_text(pythons.emulated(python.minor, python.machine))
    program.chmod(0o755)


def _boto3(python: Python) -> Path:
    """A folder with boto3, as every managed runtime has it; pure Python, so one folder serves all Pythons."""
    target = fetch.cache_dir() / "runtimes" / "boto3"

    def make(scratch: Path) -> None:
        _install(LOCKS / "runtime-boto3.txt", scratch / "boto3", python)
        (scratch / "boto3").rename(target)

    return fetch.once(target, make)


def _install(lock: Path, folder: Path, python: Python) -> None:
    platforms = [f"--platform={tag}_{python.machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    fetch.pip(
        "install", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile", "--upgrade",
        "--implementation=cp", f"--python-version={python.minor}", *platforms,
        f"--target={folder}", f"--requirement={lock}",
    )  # fmt: skip


def _compile(python: Python, folder: Path) -> None:
    """Compile ahead, as in Lambda's images: the first start is a cold start, not a compilation."""
    subprocess.run([python.path, "-I", "-m", "compileall", "-q", folder], capture_output=True, check=False)
