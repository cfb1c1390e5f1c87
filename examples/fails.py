"""Raises: the traceback that the runtime reports arrives too, as one record."""

from __future__ import annotations


def handler(event: dict[str, object], context: object) -> None:
    print("about to divide by", event.get("by"))
    print("the result is", 17 / int(str(event.get("by"))))
