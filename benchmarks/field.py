"""The others' packages, in the versions that benchmarks/locks/ pins, as a layer under .cache/."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

from firetee import fetch
from firetee.runtimes import Python

LOCKS = Path(__file__).parent / "locks"


def layer(name: str, python: Python) -> Path:
    """A folder like `/opt` with the packages of locks/`name`.txt in `python/`; made at the first call.

    Raises `FetchError` where a package has no wheel for this Python.
    """
    lock = LOCKS / f"{name}.txt"
    digest = sha256(lock.read_bytes()).hexdigest()[:12]
    target = fetch.cache_dir() / "field" / f"{name}-{python.tag}-{digest}"

    def make(scratch: Path) -> None:
        platforms = [
            f"--platform={tag}_{python.machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
        ]
        fetch.pip(
            "install", "--no-deps", "--only-binary=:all:", "--no-compile", "--implementation=cp",
            f"--python-version={python.minor}", *platforms,
            f"--target={scratch / 'opt' / 'python'}", f"--requirement={lock}",
        )  # fmt: skip
        # As a layer is built: without this the first start would be a compilation.
        compiling = [str(python.path), "-I", "-m", "compileall", "-q", str(scratch / "opt")]
        subprocess.run(compiling, capture_output=True, check=False)
        (scratch / "opt").rename(target)

    return fetch.once(target, make)


def versions() -> dict[str, str]:
    """What each layer has, as `package version, ...`."""
    return {lock.stem: lock.read_text().strip().replace("==", " ").replace("\n", ", ") for lock in LOCKS.glob("*.txt")}
