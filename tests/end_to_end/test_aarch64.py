"""The same zip on the other architecture: an invocation, a crash and its recovery, on a real aarch64 CPython.

On x86_64 under qemu's user emulation, where a cold start takes some seconds; the Lambda emulator is this machine's own.
"""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from firetee import layer, runtimes
from tests.end_to_end.complete import once
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Firehose

#: The newest that wrapt has a binary for, and the newest.
MINORS = ("3.14", "3.15")
SOURCE = """
    import logging, os, platform, sys
    def handler(event, context):
        print("number", event["number"])
        logging.getLogger().warning("logged")
        print("careful", file=sys.stderr)
        if event["number"] == 2:
            print("last words", flush=True)
            os._exit(7)
        if event["number"] == 4:
            raise ValueError("unlucky")
        return [platform.machine(), event["number"]]
"""
EVENTS = [{"number": number} for number in (1, 2, 3, 4)]


def aarch64(minor: str) -> runtimes.Python:
    return runtimes.find(minor) if platform.machine() == "aarch64" else runtimes.emulated(minor, "aarch64")


@pytest.mark.matrix
@pytest.mark.timeout(600)
@pytest.mark.parametrize("minor", MINORS)
def test_it_works_on_aarch64_through_a_crash(
    minor: str, unpacked_layer: Path, firehose: Firehose, tmp_path: Path
) -> None:
    stage = Stage(aarch64(minor), unpacked_layer, firehose, tmp_path)
    bare, teed = stage.both(SOURCE, EVENTS, shutdown=False, timeout_s=120)
    assert teed.responses[0].json() == ["aarch64", 1]
    assert teed.observed == bare.observed
    assert teed.exits[0] == 7
    lines = once(firehose.lines(STREAM))
    texts = [line["record"] for line in lines if line["type"] == "function"]
    assert {"number 1", "number 2", "last words", "number 3", "number 4", "careful"} <= set(map(str, texts))
    assert sum("logged" in str(text) for text in texts) == 4
    assert sum("unlucky" in str(text) for text in texts) == 1
    assert len({line["environment"] for line in lines}) == 2


def test_each_python_that_wrapt_has_binaries_for_has_one_for_aarch64(unpacked_layer: Path) -> None:
    names = {path.name for path in (unpacked_layer / "firetee" / "wrapt").glob("*.so")}
    for python, machine in layer.WRAPT_WHEELS:
        assert f"_wrappers.cpython-{python.replace('.', '')}-{machine}-linux-gnu.so" in names
