"""Which zip the commands publish."""

from __future__ import annotations

from pathlib import Path

import pytest

from firetee.cloud import payload
from firetee.cloud.errors import CloudError
from firetee.fetch import FetchError


def build(out: Path) -> Path:
    """A builder that writes something."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(b"built")
    return out


def test_a_zip_that_is_named_is_taken(layer_zip: Path) -> None:
    assert payload.layer_zip(layer_zip).content == layer_zip.read_bytes()


def test_without_one_it_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert payload.layer_zip(None, build).content == b"built"
    payload.DEFAULT.write_bytes(b"built before")
    assert payload.layer_zip(None, build).content == b"built before"


def test_a_layer_that_cannot_be_built_is_a_failure_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(out: Path) -> Path:
        raise FetchError("no network")

    monkeypatch.chdir(tmp_path)
    with pytest.raises(CloudError, match="no network") as raised:
        payload.layer_zip(None, cannot)
    assert "--zip" in raised.value.remedy
