"""A dead process's file, read and written like memory, piece by piece.

Not mapped: the function may truncate it while we read, and a mapping would then end the process by SIGBUS.
"""

from __future__ import annotations

from os import close, fstat, pread, pwrite


class DeadFile:
    """The open file `fd`, which is closed with it. Used by the sender's thread alone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = fstat(fd).st_size

    def __len__(self) -> int:
        """Bytes when it was opened."""
        return self._size

    def __getitem__(self, place: slice) -> bytes:
        """What is there, which may be less than what is asked for."""
        return pread(self._fd, place.stop - (place.start or 0), place.start or 0)

    def __setitem__(self, place: slice, data: bytes) -> None:
        """Store `data`. Where the disk is full it is not: what it says is then sent again after another crash."""
        try:
            pwrite(self._fd, data, place.start)
        except OSError:
            pass

    @property
    def lost(self) -> int:
        """Bytes that it is shorter by than when it was opened."""
        return max(0, self._size - fstat(self._fd).st_size)

    def close(self) -> None:
        """Let go of it."""
        close(self._fd)
