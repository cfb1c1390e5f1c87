"""Which changes beside a function are its author's, for `firetee local --watch`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

#: Seconds between two looks, and how long nothing may change before a run. Choices that no person notices.
LOOK_S = 0.3
SETTLED_S = 0.05
#: What tells a file from what it was: times in nanoseconds (the second is one that programs cannot set), size, inode.
Mark = tuple[int, int, int, int]
State = dict[Path, Mark]

_CODE = ".py"


class Watch:
    """Tells whether a function must run again: whether something is not as it was when the last run began.

    What the function itself writes is left out: a file that comes up during a run, or that changes in two runs on end.
    Code is never taken for the function's own (on Lambda its folder cannot be written to), so that what runs is never
    older than what is there.
    """

    def __init__(self, folder: Path, beside: Iterable[Path] = (), without: Iterable[Path] = ()) -> None:
        """Looks at the function's folder, at further files and folders, and not at folders that are to be left out."""
        further = [path.resolve() for path in beside]
        self._folders = [folder, *(path for path in further if path.is_dir())]
        self._files = [path for path in further if not path.is_dir()]
        self._without = {path.resolve() for path in without}
        self._own: set[Path] = set()
        self._suspects: set[Path] = set()
        self._seen: State = {}
        self.begin()

    def begin(self) -> None:
        """A run begins."""
        self._seen = self._look()

    def end(self) -> None:
        """The run has ended."""
        now = self._look()
        differ = {path for path in now.keys() | self._seen.keys() if now.get(path) != self._seen.get(path)}
        data = {path for path in differ if path.suffix != _CODE and path not in self._files}
        self._own |= {path for path in data if path in self._suspects or path not in self._seen}
        self._suspects = data - self._own
        for path in data & self._own:
            if path in now:
                self._seen[path] = now[path]
            else:
                self._seen.pop(path, None)

    def changed(self) -> bool:
        """Whether there is a change since the run began that is not the function's own."""
        return self._look() != self._seen

    def wait(self) -> None:
        """Until something has changed, and nothing changes any more: editors empty a file before they write it."""
        while not self.changed():
            time.sleep(LOOK_S)
        settled = self._look()
        while True:
            time.sleep(SETTLED_S)
            now = self._look()
            if now == settled:
                return
            settled = now

    def _look(self) -> State:
        state: State = {}
        for folder, names, files in (found for root in self._folders for found in os.walk(root)):
            names[:] = [name for name in names if not self._skipped(Path(folder, name))]
            for name in files:
                if not name.startswith(".") and not name.endswith("~"):
                    _note(state, Path(folder, name))
        for path in self._files:
            _note(state, path)
        return state

    def _skipped(self, folder: Path) -> bool:
        """Hidden folders, caches, virtual environments and packages of Node.js are nobody's source."""
        name = folder.name
        if name.startswith(".") or name in ("__pycache__", "node_modules") or folder in self._without:
            return True
        return (folder / "pyvenv.cfg").exists()


def _note(state: State, path: Path) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    state[path] = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def drop_stale(folder: Path) -> None:
    """Remove compiled files that are older than their source.

    Python takes one whose source has the same size and was changed within the same second for up to date.
    """
    for compiled in folder.rglob("__pycache__/*.pyc"):
        source = compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py"
        try:
            if source.stat().st_mtime_ns >= compiled.stat().st_mtime_ns:
                compiled.unlink()
        except FileNotFoundError:
            continue
