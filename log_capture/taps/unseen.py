"""Streams of the function's own making over fd 1 or 2, which no tee stands in front of: told, for they look captured.

``sys.stdout = os.fdopen(1, "w", 1)`` and ``open(1, "w")`` give a new stream, whose writes pass none of ours.
"""

from __future__ import annotations

from io import TextIOWrapper

from ..process.own_fd import identity
from .tee import is_tee

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_FDS = {"stdout": 1, "stderr": 2}


class Unseen:
    """Looks at `sys.stdout` and `sys.stderr`; on the function's main thread, between its own code."""

    def __init__(self, sys: ModuleType, report: Callable[[str], None]) -> None:
        self._sys = sys
        self._report = report
        self._seen: dict[str, object] = {}
        self._unsaid = _FDS
        self._files = {fd: identity(fd) for fd in _FDS.values()}

    def look(self) -> None:
        """Say so, once for each, if one of them was replaced by a stream over what it replaces."""
        for name, fd in self._unsaid.items():
            stream = getattr(self._sys, name, None)
            if stream is self._seen.get(name):
                continue
            self._seen[name] = stream
            below = getattr(stream, "stream", stream)  # the runtime's proxy has it there
            if type(below) is TextIOWrapper and self._leads_past_us(below, fd):
                self._unsaid = {other: fd for other, fd in self._unsaid.items() if other != name}
                self._report(
                    f"sys.{name} is a stream of the function's own over descriptor {fd}: what is written to it is in "
                    "CloudWatch, but not in Firehose; use FIRETEE_CAPTURE=fd, or sys.stdout.reconfigure instead of a "
                    "new stream"
                )

    def _leads_past_us(self, stream: TextIOWrapper, fd: int) -> bool:
        try:
            if is_tee(stream.buffer):
                return False
            file = identity(stream.fileno())
        except (OSError, ValueError):
            return False
        return file is not None and file == self._files[fd]
