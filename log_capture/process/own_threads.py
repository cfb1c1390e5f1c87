"""What each of our threads does first."""

from __future__ import annotations

from _signal import (
    SIG_BLOCK,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
    pthread_sigmask,
    valid_signals,
)

#: What a thread's own instructions bring about; to block it would hide the error, or end the process without a handler
#: (POSIX, pthread_sigmask).
_ITS_OWN = frozenset((SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP))


def leave_signals_to_others() -> None:
    """Have the calling thread, one of ours, never chosen for a signal that is sent to the process.

    Where the function's threads block a signal, to wait for it with `sigwait` or to have a section without handlers,
    it stays pending as it does without us.
    """
    pthread_sigmask(SIG_BLOCK, valid_signals() - _ITS_OWN)
