"""The function that every variant runs. The event says what to do: see `handler`."""

import logging
import os
import sys
import time

import stamps

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def text(mark: str, number: int, size: int) -> str:
    """A log line of `size` characters that differs from the others as log lines do."""
    spread = number * 2654435761 % 4294967296  # Knuth's multiplicative hash: the same numbers every time
    line = (
        f"{mark}-{number};order {spread} accepted for customer {spread % 9973} after {spread % 97} ms, "
        f"total {spread % 100_000 / 100:.2f} EUR in {spread % 7} parcels, warehouse {spread % 31}, "
    )
    return (line + "carrier informed, invoice sent, stock updated; " * (size // 40 + 1))[:size]


def time_block(line: str) -> int:
    """Short enough that most blocks run through on a busy machine."""
    begun = time.perf_counter_ns()
    for _ in range(100):
        print(line)
    return time.perf_counter_ns() - begun


def handler(event, context):  # type: ignore[no-untyped-def]
    """`lines`/`prints`: how many lines to log or print, each of `size` characters, marked with `mark`.

    `answer`: the size of the response. `exit`: die at once. `stamps`: answer with the times of the invocations so far.
    `timed_prints`: answer with the nanoseconds that each of so many blocks of 100 prints took.
    """
    if event.get("stamps"):
        return stamps.take()
    mark, size = event.get("mark", "m"), event.get("size", 200)
    for number in range(event.get("lines", 0)):
        logger.info(text(mark, number, size))
    line = text(mark, 0, size)
    for _ in range(event.get("prints", 0)):
        print(line)
    block = f"{line}\n" * 100 if "blocks" in event else ""
    for _ in range(event.get("blocks", 0)):
        sys.stdout.write(block)
    if "timed_prints" in event:
        return [time_block(line) for _ in range(event["timed_prints"])]
    if event.get("exit"):
        os._exit(1)
    return "x" * event["answer"] if "answer" in event else None
