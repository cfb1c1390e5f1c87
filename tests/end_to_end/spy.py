"""A function that notes, in a file of its own, when the runtime posts an answer and when it asks for the next event.

The emulator answers its caller only at the runtime's next `/next`, so the order of things around a response cannot be
seen from outside. The notes are made below the runtime client's methods, where firetee has no hook.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from firetee.emulator import Emulator

#: To be put in front of a function's source. `note(name)` is for the function's own use, too.
SPY = """
import os, socket, time
import runtime_client as _client

def note(name):
    fd = os.open(os.environ["TMPDIR"] + "/spy", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{name} {time.time():.6f} {_connections()}\\n".encode())
    os.close(fd)

def _connections():
    port = ":%04X" % int(os.environ["AWS_ENDPOINT_URL_FIREHOSE"].rpartition(":")[2])
    tables = [open(f"/proc/net/{name}").read().splitlines()[1:] for name in ("tcp", "tcp6")]
    mine = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            mine.add(os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass
    rows = [row.split() for table in tables for row in table]
    return sum(row[2].endswith(port) and row[3] == "01" and f"socket:[{row[9]}]" in mine for row in rows)

def _watch(name):
    original = getattr(_client, name)
    def call(*args, **kwargs):
        note(name)
        result = original(*args, **kwargs)
        note(name + ".done")
        return result
    setattr(_client, name, call)

for _name in ("post_invocation_result", "post_error", "next"):
    _watch(_name)
"""


class Moment(NamedTuple):
    """When something happened (epoch seconds), and how many connections to Firehose were open then."""

    name: str
    time: float
    connections: int


def moments(emulator: Emulator) -> list[Moment]:
    """What the spy has noted so far, in order."""
    path = Path(emulator.tmp, "spy")
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [Moment(name, float(time), int(connections)) for name, time, connections in rows]
