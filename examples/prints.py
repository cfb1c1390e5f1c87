"""Writes with `print`, to both streams; the first invocation is cold, the next ones are warm."""

from __future__ import annotations

import sys

print("prints.py is imported: a cold start")
invocations = 0


def handler(event: dict[str, object], context: object) -> dict[str, int]:
    global invocations
    invocations += 1
    print("invocation", invocations, "says", repr(event.get("say", "nothing")))
    print("and this goes to stderr", file=sys.stderr)
    return {"invocations": invocations}
