"""The journal beside the queue in memory that it replaces: per line, at start, in resident memory."""

from __future__ import annotations

import subprocess
from typing import Any

from benchmarks.ground import Ground
from benchmarks.stats import added, summary

#: Runs in a fresh interpreter, as inside a function: `python -I -c PROGRAM ROOT FOLDER deque|journal`.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from _thread import get_ident
from collections import deque
from time import perf_counter_ns, time_ns
from log_capture.journal.journal import Journal, new_environment
from log_capture.journal.ring import STDOUT, Commit
from log_capture.journal.journal_file import JournalFile
from log_capture.journal.memory import private

# Bursts short enough that most run through on a busy machine.
BURST, BURSTS, DATA = 100, 1_000, b"x" * 199 + b"\\n"

def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) * 1024

before = resident()
begun = perf_counter_ns()
if sys.argv[3] == "journal":
    file = JournalFile(sys.argv[2])
    journal = Journal(private(16 << 20), environment=new_environment(), mirror=file)
    append = journal.append
    def consume():
        while chunks := journal.read(1 << 20):
            journal.commit(Commit(chunks[-1][0], 0, 0, b""))
else:
    queue = deque()
    def append(kind, data):
        queue.append((kind, get_ident(), time_ns() // 1000, data))
    def consume():
        while queue:
            queue.popleft()
started = perf_counter_ns() - begun
spent = []
for _ in range(BURSTS):
    begun = perf_counter_ns()
    for _ in range(BURST):
        append(STDOUT, bytes(DATA[:-1]) + b"\\n")  # a copy, as the encoded text is
    spent.append(perf_counter_ns() - begun)
    consume()
small = resident() - before
for _ in range(40_000):  # 8 MB wait because Firehose is away
    append(STDOUT, bytes(DATA[:-1]) + b"\\n")
print(sorted(spent)[BURSTS // 2] / BURST / 1000, started / 1000, small / 1e6, (resident() - before) / 1e6)
if sys.argv[3] == "journal":
    file.discard()
"""
NAMES = ("line_us", "start_us", "resident_mb", "backlog_mb")


def measure(ground: Ground, rounds: int) -> dict[str, Any]:
    """Alternating, each in a fresh process: us per appended line of 200 bytes, us to create it, MB after bursts of
    100 lines that are taken out again, and MB with 8 MB of lines waiting."""
    taken: dict[str, list[list[float]]] = {"deque": [], "journal": []}
    for number in range(rounds):
        ground.progress(f"the journal beside a deque, round {number + 1} of {rounds}")
        for queue, rows in taken.items():
            command = [
                str(ground.python.path),
                "-I",
                "-c",
                PROGRAM,
                str(ground.folder / "opt" / "firetee"),
                str(ground.folder),
                queue,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append([float(value) for value in done.stdout.split()])
    columns = {queue: list(zip(*rows, strict=True)) for queue, rows in taken.items()}
    return {
        name: {
            "deque": summary(columns["deque"][at]),
            "journal": summary(columns["journal"][at]),
            "added": added(columns["journal"][at], columns["deque"][at]),
        }
        for at, name in enumerate(NAMES)
    }
