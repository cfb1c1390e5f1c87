"""What the sender's thread sleeps on: a pipe that any thread may write to, and one more descriptor."""

from __future__ import annotations

import posix
from select import POLLIN, poll

from ..process.own_fd import pipe
from ..process.signal_lock import SignalLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Waker:
    """The function may close any descriptor of ours, and open other files under its number: then there is a new one."""

    def __init__(self) -> None:
        self._read, self._write = pipe()
        self._poll = poll()
        self._poll.register(self._read.fd, POLLIN)
        self._watched: Callable[[], int] | None = None
        self._mending = SignalLock()

    def watch(self, descriptor: Callable[[], int]) -> None:
        """Wake up when a descriptor becomes readable, too; `descriptor()` gives it, another one if it was closed."""
        self._watched = descriptor
        self._poll.register(descriptor(), POLLIN)

    def wake(self) -> None:
        """Any thread. Never blocks: if the pipe is full, the sleeper is awake already."""
        if not self._write.mine:
            self._mending.hold(self._mend)
        try:
            posix.write(self._write.fd, b"\0")
        except OSError:
            pass

    def sleep(self, seconds: float | None) -> bool:
        """Sleep until woken, or for ever if None; True if what is watched was a reason. One thread."""
        called = False
        for fd, happened in self._poll.poll(None if seconds is None else seconds * 1000):
            if happened != POLLIN or not (self._read.mine and self._write.mine):
                self._mending.hold(self._mend)
            elif fd == self._read.fd:
                posix.read(fd, 4096)
            elif self._watched is not None and self._watched() == fd:
                called = True
            else:  # what has the number of the watched one now is the function's
                self._mending.hold(self._mend)
        return called

    def close(self) -> None:
        """Once nobody sleeps, or in a forked child, in which nobody does."""
        self._read.close()
        self._write.close()

    def _mend(self) -> None:
        if not (self._read.mine and self._write.mine):
            self.close()
            self._read, self._write = pipe()
        anew = poll()
        anew.register(self._read.fd, POLLIN)
        if self._watched is not None:
            anew.register(self._watched(), POLLIN)
        self._poll = anew
