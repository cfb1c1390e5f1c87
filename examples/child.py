"""Starts a subprocess that writes to the streams it inherits."""

from __future__ import annotations

import subprocess


def handler(event: dict[str, object], context: object) -> int:
    print("the parent starts a child")
    return subprocess.run(
        ["sh", "-c", "echo a line from the child; echo another, on stderr >&2"], check=False
    ).returncode
