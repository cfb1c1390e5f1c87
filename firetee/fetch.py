"""What firetee needs from PyPI, fetched once, checked against a pinned SHA-256 and kept in a cache folder.

Everything goes through pip, so that the user's own index, proxy and certificates are used. Several processes may
ask for the same thing at once: the first one fetches, the others wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class FetchError(Exception):
    """Something could not be fetched, or is not what was pinned. The message says what to do."""


def cache_dir() -> Path:
    """Where fetched things are kept: `.cache` of a checkout, else the user's cache folder."""
    if (ROOT / "pyproject.toml").is_file():
        return ROOT / ".cache"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "firetee"


class Wheel(NamedTuple):
    """What is pinned: `name==version`, the wheel's SHA-256, and the Python (`3.12`) and platform tags it is for."""

    requirement: str
    sha256: str
    python: str | None = None
    platforms: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return cache_dir() / "wheels" / f"{self.sha256}.whl"


def wheel(requirement: str, sha256: str, *, python: str | None = None, platforms: tuple[str, ...] = ()) -> Path:
    """One wheel: see `wheels`."""
    return wheels([Wheel(requirement, sha256, python, platforms)])[0]


def wheels(wanted: Sequence[Wheel]) -> list[Path]:
    """The wheels, verified; those that are missing are fetched by one process of pip.

    Raises `FetchError` if pip cannot get one or its digest is not the pinned one; then it is not kept.
    """
    if not all(each.path.exists() for each in wanted):
        folder = cache_dir() / "wheels"
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock"), tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
            missing = [each for each in dict.fromkeys(wanted) if not each.path.exists()]
            pips([_download(each, Path(scratch, each.sha256)) for each in missing])
            for each in missing:
                (found,) = Path(scratch, each.sha256).glob("*.whl")
                got = hashlib.sha256(found.read_bytes()).hexdigest()
                if got != each.sha256:
                    raise FetchError(f"{found.name} has the SHA-256 {got}, pinned is {each.sha256}: not used")
                found.replace(each.path)
    return [each.path for each in wanted]


def _download(wheel: Wheel, folder: Path) -> tuple[str, ...]:
    folder.mkdir()
    selection = [f"--platform={tag}" for tag in wheel.platforms]
    if wheel.python is not None:
        selection += ["--implementation=cp", f"--python-version={wheel.python}"]
    return ("download", "--no-deps", "--only-binary=:all:", *selection, f"--dest={folder}", wheel.requirement)


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, made by `make(scratch_folder)` if it is not there yet. `make` puts it in place with a rename."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / f".{target.name}.lock"):
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as scratch:
                    make(Path(scratch))
    return target


#: What runs pip more than once in a process: importing it takes longer than to fetch a small wheel.
_PIPS = """
import json, sys
from pip._internal.cli.main import main
for arguments in json.load(sys.stdin):
    if status := main(arguments):
        sys.exit(status)
"""


def pip(*arguments: str) -> None:
    """Run pip of this interpreter. Raises `FetchError` with pip's own words if it fails."""
    pips([arguments])


def pips(calls: Sequence[Sequence[str]]) -> None:
    """Run pip of this interpreter with each of these arguments in turn, in one process. Raises `FetchError`."""
    quiet = [[arguments[0], "--quiet", "--quiet", "--disable-pip-version-check", *arguments[1:]] for arguments in calls]
    command = [sys.executable, "-c", _PIPS]
    done = subprocess.run(command, input=json.dumps(quiet), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = " and ".join(dict.fromkeys(f"pip {arguments[0]} {arguments[-1]}" for arguments in calls))
        raise FetchError(f"{what} failed:\n{(done.stderr or done.stdout).strip()}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock; the kernel lets go of it should this process die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
