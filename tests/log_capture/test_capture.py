"""The parts put together: from a write to Firehose, and anew for another process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

import pytest

from log_capture.capture import Capture
from log_capture.journal.journal_file import left_behind
from tests.fakes.client import PATIENCE_S
from tests.fakes.firehose import Firehose
from tests.log_capture.clients import environ_for
from wrapper.config import Config


class Process:
    """A capture with streams of its own in front of a fake Firehose."""

    def __init__(self, firehose: Firehose, folder: Path, **settings: str) -> None:
        self.said: list[str] = []
        self.failures: list[BaseException] = []
        variables = {"FIRETEE_STREAM": "logs", "FIRETEE_JOURNAL_DIR": str(folder), "FIRETEE_BUFFER_BYTES": "65536"}
        self.capture = Capture(
            Config.from_environ({**variables, **settings}),
            environ=environ_for(firehose),
            function="orders",
            version="7",
            report=self.said.append,
            on_deadline=lambda: None,
            failed=self.failures.append,
        )
        self.sys: Any = ModuleType("sys")
        for name in ("stdout", "stderr"):
            stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
            setattr(self.sys, name, stream)
            setattr(self.sys, f"__{name}__", stream)
        self.capture.tee_streams(self.sys)
        self.capture.start()

    def flush(self) -> bool:
        return self.capture.shipper.flush(monotonic() + PATIENCE_S)


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    with Firehose(["logs"]) as fake:
        yield fake


@pytest.fixture
def settings() -> dict[str, str]:
    return {}


@pytest.fixture
def process(firehose: Firehose, tmp_path: Path, settings: dict[str, str]) -> Iterator[Process]:
    made = Process(firehose, tmp_path, **settings)
    yield made
    made.capture.close()
    made.capture.shipper.close()
    made.capture.journal.close()
    for target in made.capture._targets:
        target.client.close()
    assert made.failures == []


def test_what_is_written_arrives_with_its_stream_and_the_function_s_name(process: Process, firehose: Firehose) -> None:
    process.capture.set_context(',"requestId":"r1"')
    print("hello", file=process.sys.stdout)
    print("oops", file=process.sys.stderr)
    assert process.flush()
    first, second = firehose.lines()
    assert (first["record"], first["stream"], first["seq"]) == ("hello", "stdout", 0)
    assert (second["record"], second["stream"], second["seq"]) == ("oops", "stderr", 1)
    assert (first["function"], first["version"], first["requestId"]) == ("orders", "7", "r1")


def test_a_stream_stays_itself_under_both_of_its_names(process: Process) -> None:
    assert process.sys.stdout is process.sys.__stdout__
    assert process.sys.stderr is process.sys.__stderr__


def test_what_was_done_is_counted_since_the_last_look(process: Process) -> None:
    print("hello", file=process.sys.stdout)
    assert process.flush()
    first, second = process.capture.statistics(), process.capture.statistics()
    assert (first["lines"], first["calls"], first["retries"]) == (1, 1, 0)
    assert first["waitedMs"] > 0
    assert set(second.values()) == {0}


def test_closed_with_nothing_left_it_leaves_no_file(process: Process, tmp_path: Path) -> None:
    print("hello", file=process.sys.stdout)
    assert process.flush()
    process.capture.close()
    assert list(tmp_path.iterdir()) == []


def test_closed_during_an_outage_it_leaves_its_lines_to_the_next_process(firehose: Firehose, tmp_path: Path) -> None:
    ended, said = Process(firehose, tmp_path, FIRETEE_FLUSH="batched"), list[str]()
    print("last words", file=ended.sys.stdout)
    ended.capture.close()
    ended.capture._file.abandon()  # as the kernel does when a process has ended
    (left,) = left_behind(str(tmp_path), said.append)
    assert b"last words" in [data.rstrip() for *_, data in left.journal.read(1 << 16)]
    assert said == []
    assert ended.failures == []
    left.discard()
    ended.capture.shipper.close()
    for target in ended.capture._targets:
        target.client.close()


def test_renewed_the_same_streams_write_for_a_new_environment(process: Process, firehose: Firehose) -> None:
    """As after a restore: the tees that the function holds go on, numbers begin at 0, the old file is gone."""
    print("old", file=process.sys.stdout)
    assert process.flush()
    before = process.capture.environment
    process.capture.renew(forked=False)
    process.capture.start()
    print("new", file=process.sys.stdout)
    assert process.flush()
    old, new = firehose.lines()
    assert (old["environment"], old["seq"]) == (before, 0)
    assert (new["environment"], new["seq"]) == (process.capture.environment, 0)
    assert process.capture.environment != before


@pytest.mark.parametrize("settings", [{"FIRETEE_FLUSH": "batched"}])
def test_batched_lines_are_sent_before_a_small_journal_is_full(process: Process, firehose: Firehose) -> None:
    """FIRETEE_BATCH_BYTES is larger than the whole journal here."""
    process.capture.shipper.resume(0.0, 0.0)
    for number in range(100):
        print(f"{number:01000}", file=process.sys.stdout, flush=True)
        if number % 10 == 9:  # as slow as Firehose is
            process.capture.shipper.prepare(PATIENCE_S)
    assert process.flush()
    assert process.capture.journal.dropped_lines == 0
    assert [int(line["record"]) for line in firehose.lines()] == list(range(100))
