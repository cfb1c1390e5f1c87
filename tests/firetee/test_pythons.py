"""CPythons that the machine lacks are fetched; where none can be had, the message says what was tried."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from firetee import fetch, pythons, runtimes


def test_every_supported_cpython_is_here() -> None:
    """`make test` fetches what is missing before the tests begin."""
    assert [python.minor for python in runtimes.installed()] == list(runtimes.MINORS)


def test_one_that_was_fetched_is_complete_and_uses_nothing_of_the_machine_s() -> None:
    for path in pythons.fetched():
        program = "import _ssl, ctypes, sqlite3, test, venv, sys; print(open('/proc/self/maps').read())"
        done = subprocess.run([path, "-I", "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        libraries = {line.split()[-1] for line in done.stdout.splitlines() if ".so" in line}
        assert {name for name in libraries if not Path(name).is_relative_to(pythons.folder())} == set()


def test_what_is_in_the_cache_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for path in pythons.fetched():
        assert pythons.get(path.name.removeprefix("python")) == path


def test_where_it_cannot_be_fetched_each_way_that_was_tried_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "ROOT", tmp_path)  # another cache, with nothing in it
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no route to GitHub' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    with pytest.raises(fetch.FetchError) as raised:
        pythons.get("3.14")
    first, second, third = str(raised.value).splitlines()
    assert first == "CPython 3.14 cannot be fetched:"
    assert second == "uv python install 3.14: no route to GitHub"
    assert third.startswith("apt: there is none here")


def test_uv_s_build_is_taken_where_uv_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    target = pythons.folder() / "uv" / "cpython-3.14.9-linux-x86_64-gnu" / "bin" / "python3.14"
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\n/bin/mkdir -p {target.parent}\necho "$@" > {tmp_path}/called\n'
                  f"printf '#!/bin/sh\\n' > {target}\n/bin/chmod +x {target}\n")  # fmt: skip
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    assert pythons.get("3.14") == target
    assert pythons.fetched() == [target]
    called = (tmp_path / "called").read_text()
    assert called == f"--no-config --quiet python install --no-bin --install-dir={pythons.folder() / 'uv'} 3.14\n"


def test_the_configured_mirror_of_debian_is_used() -> None:
    assert pythons.mirror().startswith(("http://", "https://"))
