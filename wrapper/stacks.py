"""The stack of every thread, as text: what a timeout was doing."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

#: A deep recursion would fill the record; the innermost frames are the ones that tell (a choice).
_FRAMES = 60


def every_stack(but: Collection[int]) -> list[dict[str, object]]:
    """`{"thread": name or id, "stack": text}` of each thread, the main one first, without those `but`. Any thread."""
    import traceback  # the runtime client has imported it long ago

    threads = sys.modules.get("threading")
    names = {thread.ident: thread.name for thread in threads.enumerate()} if threads is not None else {}
    frames = sorted(sys._current_frames().items(), key=lambda item: names.get(item[0]) != "MainThread")
    return [
        {
            "thread": names.get(ident) or str(ident),
            "stack": "".join(traceback.format_list(traceback.extract_stack(frame)[-_FRAMES:])).rstrip("\n"),
        }
        for ident, frame in frames
        if ident not in but
    ]
