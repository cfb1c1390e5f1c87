"""Our folder, out of what the function finds in `/tmp`.

A function that tidies up (``for name in os.listdir("/tmp"): os.remove("/tmp/" + name)``), or that looks whether `/tmp`
is empty, must fare as it does without us. So `os.listdir` and `os.scandir`, on which `glob`, `pathlib` and `os.walk`
are built, leave our folders out of the one directory that they are in. Where it is listed by its descriptor, as
`shutil.rmtree` does, they are not left out: a directory that is to be removed must become empty. Other programs see
them; what these do to them does no harm.
"""

from __future__ import annotations

import os
from os import fspath, stat

from ..journal.journal_file import PREFIX
from ..process.guard import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIXES = (PREFIX, PREFIX.encode())


class Hiding:
    """Stands in front of `os.listdir` and `os.scandir`; `directory` is where journals are."""

    def __init__(self, directory: str, failed: Callable[[BaseException], None]) -> None:
        self._directory = directory
        self._failed = failed

    def install(self, function_wrapper: Any) -> None:
        """`function_wrapper` is wrapt's. Before the function's modules are imported."""
        os.listdir = function_wrapper(os.listdir, self._around_listdir)
        os.scandir = function_wrapper(os.scandir, self._around_scandir)

    def _around_listdir(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        names = wrapped(*args, **kwargs)
        if self._is_ours(args, kwargs):
            return [name for name in names if not name.startswith(_PREFIXES[type(name) is bytes])]
        return names

    def _around_scandir(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        entries = wrapped(*args, **kwargs)
        return _Entries(entries) if self._is_ours(args, kwargs) else entries

    def _is_ours(self, args: Any, kwargs: Any) -> bool:
        """Whether what was listed is where journals are. Raises nothing of ours."""
        try:
            return self._is_directory(args[0] if args else kwargs.get("path"))
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)
            return False

    def _is_directory(self, path: Any) -> bool:
        if type(path) is int:
            return False
        there = stat("." if path is None else fspath(path))
        try:
            ours = stat(self._directory)
        except FileNotFoundError:
            return False
        return there.st_ino == ours.st_ino and there.st_dev == ours.st_dev


class _Entries:
    """What `os.scandir` returns, without our folders."""

    def __init__(self, entries: Any) -> None:
        self._entries = entries

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> Any:
        while True:
            entry = next(self._entries)
            if not entry.name.startswith(_PREFIXES[type(entry.name) is bytes]):
                return entry

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *error: object) -> None:
        self._entries.close()

    def close(self) -> None:
        """As the iterator's own."""
        self._entries.close()
