"""Nothing of ours is left for the function to find."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from wrapper.private import hide


def test_our_modules_and_folder_are_forgotten_and_others_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages = ("wrapper", "log_capture")
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in packages}
    assert ours
    monkeypatch.setitem(sys.modules, "wrapper_of_the_function", ModuleType("wrapper_of_the_function"))
    monkeypatch.setitem(sys.path_importer_cache, f"{tmp_path}/log_capture", None)
    monkeypatch.setitem(sys.path_importer_cache, "/elsewhere", None)
    try:
        hide(str(tmp_path), frozenset(sys.modules))
        assert not [name for name in sys.modules if name in ours]
        assert "wrapper_of_the_function" in sys.modules
        assert f"{tmp_path}/log_capture" not in sys.path_importer_cache
        assert "/elsewhere" in sys.path_importer_cache
    finally:
        sys.modules.update(ours)


def test_what_only_our_modules_had_imported_is_forgotten_too() -> None:
    modules = dict(sys.modules)
    import select
    import struct
    import zlib  # noqa: F401 - for its entry

    try:
        hide("/opt/firetee", frozenset(sys.modules) - {"select", "zlib"})
        assert "select" not in sys.modules
        assert "zlib" not in sys.modules
        assert sys.modules["struct"] is struct
        import select as anew

        assert anew.poll().poll(0) == select.poll().poll(0) == []
    finally:
        sys.modules.update(modules)
