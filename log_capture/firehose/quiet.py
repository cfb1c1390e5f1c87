"""Keeping another library's log lines and warnings, where we cause them, out of the function's output.

The function may have the root logger at DEBUG, and then botocore tells every step of every request.
"""

from __future__ import annotations

from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger, LogRecord

#: Loggers of these names and all below them are quiet on our thread.
_NAMES = ("boto3", "botocore", "urllib3")


class Quiet:
    """Between `begin` and `end`, nothing that the calling thread logs under `_NAMES` passes.

    It is a filter on each of these loggers: filters are not inherited, levels and `disabled` hold for all threads.
    What the function's own threads log there passes untouched, and so do its own settings. The filters stay (removing
    one while another thread walks the list could skip the function's own).
    """

    def __init__(self) -> None:
        self._thread = 0

    def filter(self, record: LogRecord) -> bool:
        """Part of `logging`'s protocol; on any thread."""
        return get_ident() != self._thread

    def begin(self) -> None:
        """From now on, the calling thread."""
        for logger in _loggers():
            if self not in logger.filters:
                logger.filters = [*logger.filters, self]  # a new list: see above
        self._thread = get_ident()

    def end(self) -> None:
        """Until here."""
        self._thread = 0


def _loggers() -> list[Logger]:
    import logging

    known = logging.root.manager.loggerDict
    names = [name for name in list(known) if name.partition(".")[0] in _NAMES]
    # `getLogger` also for names that stand for a package without a logger of its own yet.
    return [logging.getLogger(name) for name in dict.fromkeys((*_NAMES, *names))]
