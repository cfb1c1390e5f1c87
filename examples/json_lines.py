"""Writes JSON lines, as structured loggers do: they arrive as objects, with their level."""

from __future__ import annotations

import json


def handler(event: dict[str, object], context: object) -> None:
    print(json.dumps({"level": "INFO", "message": "payment taken", "order": event.get("order"), "cents": 1999}))
    print(json.dumps({"level": "ERROR", "message": "the printer is on fire", "room": "2.17"}))
