"""Which zip the commands publish."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from firetee import layer
from firetee.cloud import payload
from firetee.cloud.errors import CloudError
from firetee.fetch import FetchError


class Builder:
    """Builds by copying; counts how often."""

    def __init__(self, made: Path) -> None:
        self.made, self.times = made, 0

    def __call__(self, out: Path) -> Path:
        self.times += 1
        return Path(shutil.copy(self.made, out))


def test_a_zip_that_is_named_is_taken_and_says_what_it_is(layer_zip: Path) -> None:
    zip_ = payload.layer_zip(layer_zip)
    assert zip_.content == layer_zip.read_bytes()
    assert zip_.release == layer.release()


def test_without_one_it_is_built_once_outside_the_working_folder(
    layer_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, cache = tmp_path / "here", tmp_path / "cache"
    (here / "dist").mkdir(parents=True)
    (here / "dist" / "firetee-layer.zip").write_bytes(b"of another project, or of last year")
    monkeypatch.chdir(here)
    build = Builder(layer_zip)
    assert payload.cached(cache) is None
    assert payload.layer_zip(None, build, cache).content == layer_zip.read_bytes()
    assert payload.layer_zip(None, build, cache).content == layer_zip.read_bytes()
    assert payload.cached(cache) is not None
    assert build.times == 1
    assert [path.name for path in here.rglob("*")] == ["dist", "firetee-layer.zip"]


def test_a_zip_in_the_cache_that_is_damaged_is_built_anew(layer_zip: Path, tmp_path: Path) -> None:
    build = Builder(layer_zip)
    payload.layer_zip(None, build, tmp_path / "cache")
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    assert payload.layer_zip(None, build, tmp_path / "cache").release == layer.release()
    assert build.times == 2


def test_a_layer_that_cannot_be_built_is_a_failure_with_a_remedy(tmp_path: Path) -> None:
    def cannot(out: Path) -> Path:
        raise FetchError("no network")

    with pytest.raises(CloudError, match="no network") as raised:
        payload.layer_zip(None, cannot, tmp_path)
    assert "--zip" in raised.value.remedy
    assert list(tmp_path.iterdir()) == []


def changed(layer_zip: Path, change: Callable[[dict[str, bytes]], object], mode: int = 0o755) -> Path:
    """The zip with its files changed."""
    with zipfile.ZipFile(layer_zip) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    out = layer_zip.with_name("changed.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return out


@pytest.mark.parametrize(
    ("change", "mode", "says"),
    [
        (lambda files: files.pop(layer.EXECUTABLE), 0o755, "not firetee's layer"),
        (lambda files: files.pop(layer.PROGRAM), 0o755, "not firetee's layer"),
        (lambda files: files.pop(layer.RELEASE), 0o755, "an older firetee"),
        (lambda files: files.update({"firetee/wrapper/boot.py": b"print('hello')"}), 0o755, "not those"),
        (lambda files: files, 0o644, "not executable"),
    ],
)
def test_a_stale_or_foreign_zip_is_refused(
    layer_zip: Path, change: Callable[[dict[str, bytes]], object], mode: int, says: str
) -> None:
    with pytest.raises(CloudError, match=says):
        payload.layer_zip(changed(layer_zip, change, mode))


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(CloudError, match="it is not a zip"):
        payload.layer_zip(path)
