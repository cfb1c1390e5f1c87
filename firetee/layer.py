"""The layer: one zip for every supported Python and both architectures, byte for byte reproducible.

    bin/exec-wrapper                 what AWS_LAMBDA_EXEC_WRAPPER points at, 0755; everything else is 0644
    firetee/wrapper/*.py             boots the runtime
    firetee/log_capture/*            the engine
    firetee/*.bundle                 all modules that a plain start needs, compiled, in one file for every CPython:
                                     /opt is read-only, so that without it every cold start would compile them again;
                                     and one file is opened sooner than forty
    firetee/<package>/__pycache__/   the modules that few starts need, compiled
    firetee/wrapt/                   wrapt's C module alone, for each Python and architecture, and its licence

The same sources, Pythons and zlib give the same bytes: names are sorted, times and modes fixed, compiled files
carry no time. They are "unchecked": the layer does not change under a running function.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from firetee import __version__, fetch, runtimes

#: Where Lambda unpacks layers: the paths that tracebacks and profilers show for compiled modules.
OPT = "/opt"
PACKAGES = ("wrapper", "log_capture")
#: Data that the engine reads besides its modules.
DATA_SUFFIXES = (".pem",)

WRAPT = "wrapt==1.17.3"  # the last version whose C module stands alone: 2.x imports the whole package
_MANYLINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux1")
#: SHA-256 of WRAPT's wheels on PyPI, by Python and machine.
_WRAPT_SHA256 = {
    ("3.10", "x86_64"): "f9b2601381be482f70e5d1051a5965c25fb3625455a2bf520b5a077b22afb775",
    ("3.10", "aarch64"): "343e44b2a8e60e06a7e0d29c1671a0d9951f59174f3709962b5143f60a2a98bd",
    ("3.11", "x86_64"): "b32888aad8b6e68f83a8fdccbf3165f5469702a7544472bdf41f582970ed3311",
    ("3.11", "aarch64"): "8cccf4f81371f257440c88faed6b74f1053eef90807b77e31ca057b2db74edb1",
    ("3.12", "x86_64"): "042ec3bb8f319c147b1301f2393bc19dba6e176b7da446853406d041c36c7828",
    ("3.12", "aarch64"): "3af60380ba0b7b5aeb329bc4e402acd25bd877e98b3727b0135cb5c2efdaefe9",
    ("3.13", "x86_64"): "6fd1ad24dc235e4ab88cda009e19bf347aabb975e44fd5c2fb22a3f6e4141277",
    ("3.13", "aarch64"): "0ed61b7c2d49cee3c027372df5809a59d60cf1b6c2f81ee980a091f3afed6a2d",
    ("3.14", "x86_64"): "281262213373b6d5e4bb4353bc36d1ba4084e6d6b5d242863721ef2bf2c2930b",
    ("3.14", "aarch64"): "dc4a8d2b25efb6681ecacad42fca8859f88092d8732b170de6a5dddd80a1c8fa",
}
WRAPT_WHEELS = {
    (python, machine): fetch.Wheel(WRAPT, sha256, python, tuple(f"{tag}_{machine}" for tag in _MANYLINUX))
    for (python, machine), sha256 in _WRAPT_SHA256.items()
}

#: As `compiling.py` names it.
_BUNDLE = re.compile(r"firetee/cpython-3(\d+)-\d+\.bundle")
#: What compiling all modules adds to a cold start: measured with a whole processor, which Lambda gives at 1,769 MB.
COMPILING_MS = 75

_log = logging.getLogger(__name__)

#: The earliest time that a zip entry can carry.
EPOCH = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = "bin/exec-wrapper"
#: Run from its source, as every script is.
PROGRAM = "firetee/wrapper/__main__.py"
#: Says which release the layer is.
RELEASE = "firetee/log_capture/release.py"
#: What stands in its place in a checkout.
UNSTAMPED = "source"

#: Modules that only some settings need: each stays a file of its own, which other starts do not read.
SELDOM = frozenset(
    f"log_capture/{name}.py"
    for name in (
        "envelope/automaton",
        "envelope/filters",
        "envelope/patterns",
        "firehose/boto",
        "firehose/gate",
        "firehose/quiet",
        "taps/fd_tail",
    )
)
#: How long an unpacked layer of other sources is kept in the cache: a choice.
_UNPACKED_KEPT_S = 7 * 86_400
#: The program that each Python compiles with.
_COMPILE = Path(__file__).with_name("compiling.py")


class Release(NamedTuple):
    """What a layer says it is: firetee's version, and `digest` of its files."""

    version: str
    content: str

    def __str__(self) -> str:
        return f"{self.version} {self.content}"


class LayerError(Exception):
    """The layer cannot be built; the message says which source is wrong, and how."""


def build(out: Path, pythons: Sequence[Path] | None = None, wrapt: Sequence[fetch.Wheel] | None = None) -> Path:
    """Write the layer's zip to `out` and return it, compiled for `pythons`, by default every CPython that is served,
    with these of wrapt's C modules, by default all.

    An installed release carries that layer. A checkout asks the interpreters at hand, and fetches those that are
    missing; one that cannot be had is left out, which `compiled_for` then tells. Raises `FetchError` if wrapt's wheels
    cannot be had, `LayerError` if a module does not compile.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    released = _released() if pythons is None else None
    if released is not None:
        shutil.copyfile(released, scratch)
        return scratch.replace(out)
    files = _sources()
    for interpreter in interpreters() if pythons is None else pythons:
        files |= _compiled(interpreter, files)
    files |= _wrapt(list(WRAPT_WHEELS.values()) if wrapt is None else wrapt)
    _write_zip(scratch, files)
    return scratch.replace(out)


def interpreters() -> list[Path]:
    """A CPython of each version that is served, as far as they are here or can be fetched."""
    for minor in runtimes.MINORS:
        try:
            runtimes.fetch_missing(minor)
        except fetch.FetchError as error:
            _log.warning("%s", error)
    return [python.path for python in runtimes.installed()]


def compiled_for(layer: Path | IO[bytes]) -> tuple[str, ...]:
    """The versions of Python (`3.14`) that a layer's zip has compiled modules for, oldest first."""
    with zipfile.ZipFile(layer) as archive:
        found = [match for name in archive.namelist() if (match := _BUNDLE.fullmatch(name))]
    return tuple(f"3.{minor}" for minor in sorted(int(match[1]) for match in found))


def slower(minors: Sequence[str]) -> str:
    """What it means that a layer is compiled for these versions only; empty if they are all."""
    missing = [minor for minor in runtimes.MINORS if minor not in minors]
    if not missing:
        return ""
    return (
        f"not compiled for Python {', '.join(missing)}: functions there start about {COMPILING_MS} ms slower, and more "
        "with less than 1,769 MB of memory, as each cold start compiles firetee anew"
    )


def _released() -> Path | None:
    """The layer that this installation carries, if it is of these very sources; a checkout always builds its own."""
    path = Path(__file__).with_name("layer.zip")
    if sources() == fetch.ROOT or not path.is_file():
        return None
    with zipfile.ZipFile(path) as archive:
        names = {name for name in archive.namelist() if name.endswith((".py", *DATA_SUFFIXES))} | {EXECUTABLE}
        carried = {name: archive.read(name) for name in names}
    return path if carried == _sources() else None


def unpack(layer: Path, target: Path) -> None:
    """Unpack the layer's zip as Lambda does, modes included; an older layer in `target` is replaced.

    Raises LayerError if a folder of that name is there that is not from a layer, a checkout's `firetee` for instance.
    """
    there = target / "firetee"
    if there.exists() and not (there / "wrapper" / "__main__.py").is_file():
        raise LayerError(f"{there} is not from a layer: unpack into another folder")
    with zipfile.ZipFile(layer) as archive:
        for stale in (target / EXECUTABLE, target / "firetee"):
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)
        for entry in archive.infolist():
            path = Path(archive.extract(entry, target))
            path.chmod(stat.S_IMODE(entry.external_attr >> 16))


def unpacked(python: runtimes.Python) -> Path:
    """A folder like `/opt` with the layer for one Python on this machine, built and unpacked unless it was before.

    Raises `FetchError`, `LayerError`.
    """
    recipe = b"".join(Path(each).read_bytes() for each in (__file__, _COMPILE)) + repr((release(), python)).encode()
    folder = fetch.cache_dir() / "opt"
    target = folder / f"{python.tag}-{hashlib.sha256(recipe).hexdigest()[:16]}"

    def make(scratch: Path) -> None:
        unpack(build(scratch / "layer.zip", [python.path], wrapt_for(python)), scratch / "opt")
        (scratch / "opt").rename(target)
        for other in folder.glob(f"{python.tag}-*"):
            if other.stat().st_mtime < time.time() - _UNPACKED_KEPT_S:
                shutil.rmtree(other, ignore_errors=True)

    return fetch.once(target, make)


def sources() -> Path:
    """The folder that holds `bin`, `wrapper` and `log_capture`: the checkout, or what an installation carries."""
    if (fetch.ROOT / EXECUTABLE).is_file():
        return fetch.ROOT
    return Path(__file__).parent / "payload"


def _sources() -> dict[str, bytes]:
    """Our own files, by their name in the zip; the one that names the release says what the others hold."""
    files = dict(_as_they_are())
    if RELEASE not in files:
        raise LayerError(f"{RELEASE} is missing among the sources")
    for name, value in (("VERSION", __version__), ("CONTENT", digest(files))):
        stub = f'{name} = "{UNSTAMPED}"'.encode()
        files[RELEASE] = files[RELEASE].replace(stub, f'{name} = "{value}"'.encode())
    return files


def digest(files: Mapping[str, bytes]) -> str:
    """What tells one layer's own files from another's: 12 hexadecimal digits. The release's own file is left out."""
    found = hashlib.sha256()
    for name in sorted(files):
        if name == EXECUTABLE or (name.endswith((".py", *DATA_SUFFIXES)) and name != RELEASE):
            found.update(f"{name}\n{len(files[name])}\n".encode() + files[name])
    return found.hexdigest()[:12]


@functools.cache
def release() -> Release:
    """The release that these sources make."""
    return _release_of(_sources())


def examine(content: IO[bytes]) -> Release:
    """The release that a layer's zip is of. Raises LayerError if it is none of firetee's, or was changed since."""
    try:
        with zipfile.ZipFile(content) as archive:
            if damaged := archive.testzip():
                raise LayerError(f"{damaged} in it is damaged")
            files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
            if not {EXECUTABLE, PROGRAM} <= files.keys():
                raise LayerError(f"it is not firetee's layer: {EXECUTABLE} or {PROGRAM} is not in it")
            if not (archive.getinfo(EXECUTABLE).external_attr >> 16) & 0o001:
                raise LayerError(f"{EXECUTABLE} in it is not executable, so that no function could start")
    except zipfile.BadZipFile as error:
        raise LayerError("it is not a zip") from error
    if RELEASE not in files:
        raise LayerError("it is of an older firetee, which does not say its version")
    found = _release_of(files)
    if found.content != digest(files):
        raise LayerError("its files are not those that it was built with")
    return found


def _release_of(files: Mapping[str, bytes]) -> Release:
    values = dict(re.findall(r'^(VERSION|CONTENT) = "([^"]*)"', files[RELEASE].decode(), re.MULTILINE))
    return Release(values.get("VERSION", ""), values.get("CONTENT", ""))


def _as_they_are() -> Iterator[tuple[str, bytes]]:
    root = sources()
    yield EXECUTABLE, (root / EXECUTABLE).read_bytes()
    for package in PACKAGES:
        folder = root / package
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", *DATA_SUFFIXES):
                yield f"firetee/{package}/{path.relative_to(folder)}", path.read_bytes()


def _compiled(interpreter: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What one interpreter makes of the modules among `files`, by its name in the zip."""
    modules: list[tuple[str, str, str]] = []
    plain: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, content) in enumerate(files.items()):
            if name.endswith(".py") and name != PROGRAM:
                source = Path(folder, f"{number}.py")
                source.write_bytes(content)
                path = name.removeprefix("firetee/")
                module = path.removesuffix(".py").replace("/", ".")
                modules.append((module, str(source), f"{OPT}/{name}"))
                if path not in SELDOM:
                    plain.append(module)
        bundle, tag = _output(interpreter, _COMPILE.read_text(), json.dumps([modules, plain, folder])).split()
        made = {f"firetee/{bundle}": Path(folder, "bundle").read_bytes()}
        for module in {module for module, _, _ in modules}.difference(plain):
            package, _, stem = module.rpartition(".")
            cache = f"firetee/{package.replace('.', '/')}/__pycache__"
            made[f"{cache}/{stem}.{tag}.pyc"] = Path(folder, f"{module}.pyc").read_bytes()
    return made


def _output(interpreter: Path, program: str, stdin: str) -> str:
    """What a program prints, run without the user's settings and with a fixed order of sets."""
    command = [str(interpreter), "-S", "-c", program]
    env = {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LayerError(f"{interpreter} fails:\n{done.stderr.strip()}")
    return done.stdout


def wheels() -> list[Path]:
    """wrapt's wheels, one for each Python and machine. Raises `FetchError`."""
    return fetch.wheels(list(WRAPT_WHEELS.values()))


def wrapt_for(python: runtimes.Python) -> tuple[fetch.Wheel, ...]:
    """wrapt's wheel for one Python on its machine; none where there is none."""
    wheel = WRAPT_WHEELS.get((python.minor, python.machine))
    return () if wheel is None else (wheel,)


def _wrapt(wanted: Sequence[fetch.Wheel]) -> dict[str, bytes]:
    """wrapt's C modules and its licence, by their name in the zip."""
    files = {}
    for path in fetch.wheels(wanted):
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                base = os.path.basename(name)
                if base.endswith(".so") or base == "LICENSE":
                    files[f"firetee/wrapt/{base}"] = wheel.read(name)
    return files


def _write_zip(out: Path, files: Mapping[str, bytes]) -> None:
    """A zip of `files` and their folders, sorted, with fixed times and modes."""
    folders = {f"{parent}/" for name in files for parent in Path(name).parents if parent.name}
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted([*files, *folders]):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, which is what gives the modes below a meaning
            if name in folders:
                entry.external_attr = (stat.S_IFDIR | 0o755) << 16 | 0x10
                archive.writestr(entry, b"")
            else:
                mode = 0o755 if name == EXECUTABLE else 0o644
                entry.external_attr = (stat.S_IFREG | mode) << 16
                archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
