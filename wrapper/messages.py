"""firetee's own messages: one line on stderr each, with the prefix `[firetee]`."""

from __future__ import annotations

import posix

from log_capture.envelope.levels import RANKS
from log_capture.process.guard import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Messages:
    """Writes past Python's streams, so that no message is taken for the function's output. Any thread."""

    def __init__(self, level: str, fd: int = 2) -> None:
        self._least = RANKS[level]
        self.fd = fd
        self._failures: set[str] = set()
        self._early: list[str] = []
        self._also: Callable[[str], object] = self._early.append

    def also(self, record: Callable[[str], object]) -> None:
        """Hand each message to `record` as well, from the first one on: records of the kind `extension`."""
        self._also = record
        for line in self._early:
            record(line)
        self._early.clear()

    def warning(self, text: str) -> None:
        """Something that the user should mend."""
        self._say("WARNING", text)

    def debug(self, text: str) -> None:
        """What happens inside."""
        self._say("DEBUG", text)

    def failed(self, error: BaseException) -> None:
        """A bug of ours, or what looks like one: said once for each kind; the function goes on."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace is not None else ""
        text = f"internal error{where}: {type(error).__name__}: {error}"
        if text not in self._failures and len(self._failures) < 20:
            self._failures.add(text)
            self.warning(text + "; the function is not affected, but lines may be missing: please report this")

    def _say(self, level: str, text: str) -> None:
        if RANKS[level] < self._least:
            return
        line = " ".join(text.split("\n"))
        try:
            posix.write(self.fd, f"[firetee] {line}\n".encode("utf-8", "backslashreplace"))
        except OSError as error:
            if not is_ours(error):
                raise  # else stderr is closed: there is nobody to tell
        try:
            self._also(f"{level} {line}")
        except Exception as error:
            if not is_ours(error):
                raise  # else it has been said at least
