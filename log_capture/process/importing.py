"""Imports on a thread of ours, beside a main thread that changes where modules are looked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TRIES = 3


def import_beside(name: str) -> Any:
    """The top-level module `name`; raises ImportError. Any thread.

    The search walks `sys.meta_path` and `sys.path` while other threads may take entries out of them: the wrapper does
    when it has booted, functions do while they are imported. The entry that moves up is then skipped, and a module
    that is there is not found.
    """
    for _ in range(_TRIES - 1):
        try:
            return __import__(name)
        except ModuleNotFoundError:
            pass
    return __import__(name)
