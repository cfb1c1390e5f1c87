"""SIGTERM: the last chance to send, and then the end that would have come without us.

The function must not notice: `signal.getsignal` still says SIG_DFL, a handler of its own still runs where Python
would run it, `signal.set_wakeup_fd` stays its own, and the process dies of the signal. And the news must arrive while
the main thread is blocked in C, as it is on Python 3.10 and 3.11 between invocations, where no handler written in
Python ever runs.

`faulthandler.register` does just that: its handler is written in C, and what it does, dumping a stack to a file
descriptor, is our news on a pipe. It is not among Python's own handlers, and `unregister` gives the signal back from
any thread.
"""

from __future__ import annotations

import _signal
import posix
from select import POLLIN, poll

from log_capture.process.own_fd import OwnFd, pipe

try:
    from faulthandler import register, unregister
except ImportError:  # a Python that we do not know: SIGTERM is not heard there, and `start` says so
    _can_listen = False
else:
    _can_listen = True

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGTERM = 15


class SigtermWatch:
    """Hears of SIGTERM on `fd`, a pipe to read from. Made and started on the main thread."""

    def __init__(self, function_wrapper: Any) -> None:
        self._function_wrapper = function_wrapper
        self._pid = 0
        self._read: OwnFd | None = None
        self._write: OwnFd | None = None
        self._dealt_with = False  # the function had a handler of its own when the newest one came

    def start(self) -> None:
        """Listen from now on; in a forked child, anew with a pipe of its own.

        Raises `ImportError`, `TypeError` or `ValueError` where `faulthandler` is not the one that we know.
        """
        if not _can_listen:
            raise ImportError("faulthandler has no register and unregister")
        for end in (self._read, self._write):
            if end is not None:
                end.close()
        self._read, self._write = pipe()
        self.listen()
        if not isinstance(_signal.signal, self._function_wrapper):
            _signal.signal = self._function_wrapper(_signal.signal, self._around_signal)

    def descriptor(self) -> int:
        """What becomes readable; another one if the function has closed the last. Any thread."""
        if self._read is None or self._write is None or not (self._read.mine and self._write.mine):
            self.start()
        assert self._read is not None
        return self._read.fd

    def stop(self) -> None:
        """Give the signal back. Any thread."""
        if self._pid:
            self._pid = 0
            unregister(_SIGTERM)

    def came(self) -> bool:
        """Whether SIGTERM came since the last call."""
        if self._read is None or not self._read.mine:
            return False
        try:
            news = bool(posix.read(self._read.fd, 65536))
        except BlockingIOError:
            return False
        self._dealt_with = self._dealt_with or _signal.getsignal(_SIGTERM) != _signal.SIG_DFL
        return news

    def _has_news(self) -> bool:
        if self._read is None or not self._read.mine:
            return False
        news = poll()
        news.register(self._read.fd, POLLIN)
        return bool(news.poll(0))

    def end(self) -> None:
        """End the process as the signal would have, unless the function deals with it itself. Any thread."""
        dealt_with, self._dealt_with = self._dealt_with, False
        if not dealt_with and _signal.getsignal(_SIGTERM) == _signal.SIG_DFL:
            self.stop()
            posix.kill(posix.getpid(), _SIGTERM)

    def listen(self) -> None:
        """Stand in front of whatever SIGTERM does now. Any thread."""
        # What is registered is put in front of what is there. Nothing is to be called after us where that is the
        # default (death) or nothing; a handler of the function's is.
        handler = _signal.getsignal(_SIGTERM)
        if handler != _signal.SIG_IGN:
            assert self._write is not None
            register(_SIGTERM, file=self._write.fd, all_threads=False, chain=callable(handler))
        self._pid = posix.getpid()

    def _around_signal(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """`signal.signal`, by the function: its handler takes the place of the old one, and we stay in front."""
        if args[:1] != (_SIGTERM,) or self._pid != posix.getpid():
            return wrapped(*args, **kwargs)
        if _signal.getsignal(_SIGTERM) != _signal.SIG_DFL and self._has_news():
            self._dealt_with = True  # by the handler that is about to be replaced, before `came` was asked
        unregister(_SIGTERM)
        try:
            return wrapped(*args, **kwargs)
        finally:
            self.listen()
