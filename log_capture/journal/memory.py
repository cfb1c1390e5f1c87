"""Memory for a ring."""

from __future__ import annotations

from mmap import MADV_NOHUGEPAGE, MAP_ANONYMOUS, MAP_PRIVATE, mmap

from ..process.guard import is_ours


def private(size: int) -> mmap:
    """That many bytes, of which only the pages that are touched are taken; a forked child has a copy of its own."""
    memory = mmap(-1, size, MAP_PRIVATE | MAP_ANONYMOUS)
    try:
        memory.madvise(MADV_NOHUGEPAGE)  # else the first byte may take, and clear, 2 MiB
    except OSError as error:
        if not is_ours(error):
            raise  # else it is a kernel without huge pages
    return memory
