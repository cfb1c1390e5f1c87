"""An import while another thread changes the path that it walks."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from log_capture.process.importing import import_beside

#: Compiled into CPython, and nothing here has a use for it.
SELDOM = "xxsubtype"


class Leaving:
    """A finder that is taken out of the path while it is asked, as another thread would."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find_spec(self, name: str, *_: object) -> Any:
        self.asked.append(name)
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> Leaving:
    finder = Leaving()
    builtin = next(finder for finder in sys.meta_path if getattr(finder, "__name__", "") == "BuiltinImporter")
    others = [finder for finder in sys.meta_path if finder is not builtin]
    monkeypatch.setattr(sys, "meta_path", [finder, builtin, *others])
    monkeypatch.delitem(sys.modules, SELDOM, raising=False)
    return finder


def test_a_plain_import_does_not_find_a_module_when_the_path_shrinks_meanwhile(leaving: Leaving) -> None:
    with pytest.raises(ModuleNotFoundError):
        __import__(SELDOM)
    assert leaving.asked == [SELDOM]


def test_a_module_is_found_though_the_path_shrinks_meanwhile(leaving: Leaving) -> None:
    assert import_beside(SELDOM).__name__ == SELDOM
    assert leaving.asked == [SELDOM]


def test_a_module_that_is_not_there_is_an_error(leaving: Leaving) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        import_beside("no_such_module")
    assert leaving.asked == ["no_such_module"]
