"""What firetee needs from PyPI, fetched once, checked against a pinned SHA-256 and kept in a cache folder.

Everything goes through pip, so that the user's own index, proxy and certificates are used. Several processes may
ask for the same thing at once: the first one fetches, the others wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class FetchError(Exception):
    """Something could not be fetched, or is not what was pinned. The message says what to do."""


def cache_dir() -> Path:
    """Where fetched things are kept: `.cache` of a checkout, else the user's cache folder."""
    if (ROOT / "pyproject.toml").is_file():
        return ROOT / ".cache"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "firetee"


def wheel(requirement: str, sha256: str, *, python: str | None = None, platforms: tuple[str, ...] = ()) -> Path:
    """The wheel of `requirement` (`name==version`) for a Python (`3.12`) and platform tags, verified.

    Raises `FetchError` if pip cannot get it or its digest is not `sha256`.
    """
    target = cache_dir() / "wheels" / f"{sha256}.whl"

    def download(folder: Path) -> None:
        selection = [f"--platform={tag}" for tag in platforms]
        if python is not None:
            selection += ["--implementation=cp", f"--python-version={python}"]
        pip("download", "--no-deps", "--only-binary=:all:", *selection, f"--dest={folder}", requirement)
        (found,) = folder.glob("*.whl")
        got = hashlib.sha256(found.read_bytes()).hexdigest()
        if got != sha256:
            raise FetchError(f"{found.name} has the SHA-256 {got}, pinned is {sha256}: not used")
        found.replace(target)

    return once(target, download)


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, made by `make(scratch_folder)` if it is not there yet. `make` puts it in place with a rename."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / f".{target.name}.lock"):
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as scratch:
                    make(Path(scratch))
    return target


def pip(*arguments: str) -> None:
    """Run pip of this interpreter. Raises `FetchError` with pip's own words if it fails."""
    command = [sys.executable, "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"pip {arguments[0]} {arguments[-1]} failed:\n{(done.stderr or done.stdout).strip()}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock; the kernel lets go of it should this process die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
