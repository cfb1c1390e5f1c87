"""What a project brings along for its function: installed packages, a file of variables, layers."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from firetee import runtimes

_VARIABLE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"(['\"])(.*)\1\s*(?:#.*)?")


class ProjectError(Exception):
    """What a project brings cannot be used; the message says why."""


def virtual_environment(folder: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """A function's project's virtual environment: the active one, else `.venv` or `venv` in its folder or above."""
    active = environ.get("VIRTUAL_ENV")
    places = [each / name for each in (folder, *folder.parents) for name in (".venv", "venv")]
    for place in [*([Path(active)] if active else []), *places]:
        if (place / "pyvenv.cfg").is_file():
            return place
    return None


def python_of(venv: Path) -> runtimes.Python | None:
    """The CPython that a virtual environment is made of; None if it does not run, or functions cannot run on it."""
    python = runtimes.examine(venv / "bin" / "python")
    served = python is not None and runtimes.OLDEST <= python.version[:2] <= runtimes.NEWEST
    return python if served else None


def site_packages(place: Path, python: runtimes.Python) -> Path:
    """The packages in `place`, a virtual environment or a folder of packages, for one Python.

    Raises `ProjectError` if they are another Python's.
    """
    if not (place / "pyvenv.cfg").is_file():
        return place.resolve()
    found = sorted(place.glob("lib/python3.*/site-packages"))
    for folder in found:
        if folder.parent.name == f"python{python.minor}":
            return folder.resolve()
    there = ", ".join(folder.parent.name.removeprefix("python") for folder in found) or "none"
    raise ProjectError(f"{place} has packages of Python {there}, and the function is to run on {python.minor}")


def variables(path: Path) -> dict[str, str]:
    """The variables in a file of `NAME=value` lines, as Docker and dotenv read them. Raises `ProjectError`, `OSError`.

    Empty lines and those that begin with `#` are left out, a value may stand in quotes, `export` in front is allowed.
    """
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _VARIABLE.fullmatch(line)
        if match is None:
            raise ProjectError(f"{path}:{number}: NAME=value is needed")
        quoted = _QUOTED.fullmatch(match[2])
        found[match[1]] = quoted[2] if quoted else match[2].partition(" #")[0].rstrip()
    return found


def lay(layers: Sequence[Path], target: Path) -> Path:
    """Lay layers, folders or zips, over each other in `target`, as Lambda does in `/opt`. Raises `ProjectError`."""
    target.mkdir(parents=True, exist_ok=True)
    for each in layers:
        if each.is_dir():
            shutil.copytree(each, target, dirs_exist_ok=True, symlinks=True)
            continue
        try:
            with zipfile.ZipFile(each) as archive:
                archive.extractall(target)
        except (OSError, zipfile.BadZipFile) as error:
            raise ProjectError(f"{each} is no layer: {error}") from error
    if not (target / "python").is_dir():
        raise ProjectError(f"{', '.join(map(str, layers))}: a layer for Python has a folder `python`, here is none")
    return target
