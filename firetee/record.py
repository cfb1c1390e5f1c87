"""What an envelope's `record` says, for people. Pure."""

from __future__ import annotations

import json


def text_of(record: object) -> str:
    """The text; of an uncaught error in the runtime's text format that with its stack, of another object its JSON."""
    if isinstance(record, dict) and "stackTrace" in record and isinstance(record.get("text"), str):
        return str(record["text"])
    return record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
