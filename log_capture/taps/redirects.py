"""What the function puts on fd 1 or 2 with `os.dup2` is its own: Python's streams over it are not recorded meanwhile.

A function silences a library that way, or reads what it writes (pytest, wurlitzer): nothing of it is in CloudWatch, so
nothing of it belongs into Firehose.
"""

from __future__ import annotations

import os

from ..journal.ring import STDERR, STDOUT
from ..process.guard import is_ours
from ..process.own_fd import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KINDS = {1: STDOUT, 2: STDERR}


class Redirects:
    """Stands behind `os.dup2`; `record(kind, wanted)` says whether a stream's output is recorded from now on."""

    def __init__(self, record: Callable[[int, bool], object], failed: Callable[[BaseException], None]) -> None:
        self._record = record
        self._failed = failed
        self.begin_anew()

    def begin_anew(self) -> None:
        """What is on fds 1 and 2 now is what is captured."""
        self._files = {fd: identity(fd) for fd in _KINDS}

    def install(self, function_wrapper: Any) -> None:
        """`function_wrapper` is wrapt's."""
        os.dup2 = function_wrapper(os.dup2, self._around_dup2)

    def _around_dup2(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        try:
            self._look(result)
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)
        return result

    def _look(self, fd: int) -> None:
        kind = _KINDS.get(fd)
        if kind is not None:
            self._record(kind, identity(fd) == self._files[fd])
