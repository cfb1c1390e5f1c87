"""Hundreds of lives of an environment, each made from a seed: Firehose fails in every way, processes die, time passes.

One schedule is a life: processes one after the other, each with invocations that write lines and flush them within a
budget, freezes between them, and at most moments a crash. Everything between the tee and the client is the real thing,
put together as `Capture` does, on files; the clock and Firehose are models. At the end Firehose is healthy, and then:

* every line that was ever written is there, under its environment, and the numbers have no gap;
* the same number always means the same bytes;
* nothing came twice but after an unclear answer, or a crash with an older line still waiting;
* no flush took longer than its budget.

A failure names its seed: ``life(seed)`` is that very life again.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from log_capture.envelope.limits import MAX_BATCH_RECORDS
from log_capture.envelope.pack import Packer
from log_capture.envelope.render import Renderer, context_fragment
from log_capture.firehose.errors import of_record
from log_capture.journal.journal import Journal
from log_capture.journal.journal_file import JournalFile, left_behind
from log_capture.journal.ring import CONTEXT, CUT, EVENT, HEADER_BYTES, STDERR, STDOUT
from log_capture.sending.client import Client
from log_capture.sending.delivery import Delivery, Target
from log_capture.sending.failures import CONNECT, REFUSED, RESET, SERVER, STALE, THROTTLED, TIMEOUT, PutError
from log_capture.sending.retry import Breaker
from log_capture.sending.source import Source
from tests.fakes.client import failure
from tests.fakes.clock import Clock

#: Schedules of each kind, in `PARTS` tests each, so that two workers share them.
LIVES = 200
PARTS = 4
BUDGET_S = 2.0
CALL_S = 0.02

#: What an episode's calls do, by weight. `taken?` faults are unclear: half of them happen after the records were taken.
EPISODES: dict[str, dict[str, int]] = {
    "healthy": {"ok": 1},
    "throttled": {"throttle": 3, "partial": 5, "ok": 2},
    "flaky": {"reset": 2, "stale": 1, "server": 2, "partial": 2, "ok": 4},
    "unclear": {"reset taken?": 3, "server taken?": 2, "timeout taken?": 1, "partial": 1, "ok": 3},
    "hanging": {"timeout taken?": 1},
    "down": {"connect": 1},
    "forbidden": {"refused": 1},
    "mixed": {
        "ok": 5, "partial": 4, "throttle": 2, "reset": 1, "stale": 1, "server": 1, "connect": 1, "refused": 1,
        "reset taken?": 1, "server taken?": 1, "timeout taken?": 1,
    },
}  # fmt: skip
KINDS = {
    "throttle": THROTTLED,
    "reset": RESET,
    "stale": STALE,
    "server": SERVER,
    "timeout": TIMEOUT,
    "connect": CONNECT,
    "refused": REFUSED,
}
TRANSIENT = ("ServiceUnavailableException", "InternalFailure")

Number = tuple[str, int]  # (environment, seq)


class Crash(BaseException):
    """The process is gone: nothing of ours gets to run any more."""


class Service:
    """Firehose, and what it knows: each envelope it took, in order."""

    def __init__(self, dice: random.Random, clock: Clock) -> None:
        self.dice = dice
        self.clock = clock
        self.weights = EPISODES["healthy"]
        self.crash_in_call = 0.0  # how likely a process dies while it waits for an answer
        self.taken: list[dict[str, Any]] = []
        self.bytes_of: dict[Number, set[bytes]] = defaultdict(set)
        self.times: Counter[Number] = Counter()
        self.may_repeat: Counter[Number] = Counter()
        self.acknowledged: set[Number] = set()

    def take(self, records: Sequence[bytes], *, unclear: bool = False) -> None:
        for line in b"".join(records).splitlines():
            envelope = json.loads(line)
            number = envelope["environment"], envelope["seq"]
            self.taken.append(envelope)
            self.bytes_of[number].add(line)
            self.times[number] += 1
            if unclear:
                self.may_repeat[number] += 1
            else:
                self.acknowledged.add(number)

    def answer(self, records: Sequence[bytes], deadline: float) -> list[str | None]:
        dice, clock = self.dice, self.clock
        (fault,) = dice.choices(list(self.weights), list(self.weights.values()))
        if clock.now + CALL_S > deadline:
            clock.now = max(clock.now, deadline)
            raise failure(CONNECT)
        clock.now += CALL_S
        if dice.random() < self.crash_in_call:
            if dice.random() < 0.5:
                self.take(records, unclear=True)
            raise Crash
        if fault == "ok":
            self.take(records)
            return [None] * len(records)
        if fault == "partial":
            refused = [dice.random() < 0.5 for _ in records]
            self.take([record for record, no in zip(records, refused, strict=True) if not no])
            return [dice.choice(TRANSIENT) if no else None for no in refused]
        kind, _, taken = fault.partition(" ")
        if kind == "timeout":
            clock.now = deadline
        if taken and dice.random() < 0.5:
            self.take(records, unclear=True)
        raise failure(KINDS[kind], ambiguous=bool(taken))


class ModelClient(Client):
    """A client of the model; several streams share its faults."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def warm_up(self) -> None:
        pass

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        assert 0 < len(records) <= MAX_BATCH_RECORDS
        return self._service.answer(records, deadline)

    def refusal(self, code: str, stream: str) -> PutError:
        return of_record(code, stream)

    def close(self) -> None:
        pass

    def forget(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Process:
    """One runtime process, with what `Capture` and `Shipper` put together, on one thread."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.environment = f"{life.dice.getrandbits(48):012x}"
        self.file = JournalFile(str(life.folder))
        memory = bytearray(HEADER_BYTES + life.capacity)
        self.journal = Journal(memory, environment=self.environment, mirror=self.file)
        # By their names in the folder, which are random, they would come in an order that no seed repeats.
        self.found = sorted(left_behind(str(life.folder), pytest.fail), key=lambda each: each.journal.environment)
        self.sources = [
            *(
                Source(each.journal, self._renderer(each.journal.environment), life.packer, start=each.journal.start)
                for each in self.found
            ),
            Source(self.journal, self._renderer(self.environment), life.packer),
        ]
        targets = [Target(f"s{number}", ModelClient(life.service)) for number in range(life.streams)]
        self.delivery = Delivery(targets, report=life.said.append, clock=life.clock, random=life.dice.random)
        self.breaker = Breaker(life.clock)
        self.open: dict[tuple[int, int], list[str]] = {}  # the pieces of each thread's unfinished line
        self.request_id = ""
        self._numbers = self._invocations = 0

    def _renderer(self, environment: str) -> Renderer:
        return Renderer(format="json", environment=environment)

    def flush(self, budget_s: float) -> bool:
        """As `Shipper.flush` and `Shipper._ship` do."""
        if self.breaker.is_open and not self.breaker.probe_due:
            return False
        clock = self.life.clock
        deadline = clock.now + budget_s
        sent = self.delivery.send(self.sources, deadline, clock.pause)
        assert clock.now <= deadline + 1e-9, "a flush took longer than its budget"
        if sent:
            self.breaker.succeeded()
            for found in self.found:
                found.discard()
            self.found, self.sources = [], self.sources[-1:]
        else:
            self.breaker.failed()
        return sent

    def write(self) -> None:
        """A line, or a piece of one, by one of three threads."""
        dice, life = self.life.dice, self.life
        key = (dice.choice((STDOUT, STDERR)), dice.randrange(3))
        text = f"{self._numbers} " + dice.choice(("x", "é", "😀", '"', "\\")) * dice.choice((0, 5, 60, 900))
        self._numbers += 1
        ends = life.whole_lines or dice.random() < 0.8
        if self.journal.append_as(key[0], (text + "\n" * ends).encode(), key[1]):
            pieces = self.open.pop(key, None)
            if pieces is None:
                pieces = []
                life.written.append((self.environment, self.request_id, pieces))
            pieces.append(text)
            if not ends:
                self.open[key] = pieces
        else:
            life.dropped += 1

    def invocation(self) -> None:
        dice, life = self.life.dice, self.life
        self._invocations += 1
        self.request_id = f"id-{self._invocations}"
        self.journal.append(CONTEXT, context_fragment(self.request_id, None, None, False).encode())
        life.dropped += not self.journal.append(EVENT, b"platform.start\0{}")
        for _ in range(dice.choice((0, 1, 3, 10, 40))):
            self.write()
            if dice.random() < life.crashes:
                raise Crash
            if dice.random() < 0.02:
                self.delivery.send(self.sources, life.clock.now + BUDGET_S, life.clock.pause, tries=1)  # while it runs
        self.journal.append(CUT, b"")
        self.open.clear()
        self.flush(BUDGET_S)

    def die(self) -> None:
        """The kernel closes what was open; the file stays."""
        for found in self.found:
            found.abandon()
        self.life.note_what_a_crash_repeats([each.journal.environment for each in self.sources])
        self.file.abandon()


class Life:
    """All processes of one environment, and what they wrote."""

    def __init__(self, seed: int, folder: Path, *, capacity: int, whole_lines: bool) -> None:
        self.dice = random.Random(seed)
        self.folder = folder
        self.clock = Clock()
        self.service = Service(self.dice, self.clock)
        self.capacity = capacity
        self.whole_lines = whole_lines
        self.packer = Packer(
            aggregate=self.dice.random() < 0.8, max_lines=self.dice.choice((1, 3, 500)), compression="none"
        )
        self.streams = self.dice.choice((1, 1, 2, 3))
        self.crashes = self.dice.choice((0.0, 0.005, 0.03))
        self.written: list[tuple[str, str, list[str]]] = []  # environment, request id, the pieces of a line
        self.dropped = 0
        self.said: list[str] = []

    def note_what_a_crash_repeats(self, environments: list[str]) -> None:
        """Lines taken behind one that was not acknowledged: the journal remembers one number, not a set."""
        for environment in environments:
            numbers = sorted(seq for known, seq in self.service.acknowledged if known == environment)
            first_missing = next((n for n, seq in enumerate(numbers) if n != seq), len(numbers))
            for seq in numbers[first_missing:]:
                self.service.may_repeat[environment, seq] += 1

    def run(self) -> None:
        """From the first process to a last flush, with Firehose healthy again."""
        dice, service = self.dice, self.service
        process = Process(self)
        for _ in range(dice.choice((1, 4, 12))):
            service.weights = EPISODES[dice.choice(list(EPISODES))]
            service.crash_in_call = self.crashes
            for _ in range(dice.randrange(1, 6)):
                try:
                    process.invocation()
                except Crash:
                    process.die()
                    process = Process(self)
                self.clock.now += dice.choice((0.0, 0.1, 3.0, 300.0))  # frozen
        service.weights, service.crash_in_call = EPISODES["healthy"], 0.0
        self.clock.now += 30.0  # the longest time between probes
        assert process.flush(60.0), "Firehose is healthy, and yet not everything was delivered"
        process.file.discard()


def live(seed: int, folder: Path, **kind: Any) -> Life:
    life = Life(seed, folder, **kind)
    life.run()
    return life


def for_each_seed(part: int, folder: Path, check: Callable[[Life], None], **kind: Any) -> None:
    """Check many lives; a failure says which."""
    for seed in range(part, LIVES, PARTS):
        home = folder / str(seed)
        home.mkdir()
        try:
            check(live(seed, home, **kind))
        except Exception as error:
            raise AssertionError(f"seed {seed}, {kind}: {error}") from error


def check_numbers(life: Life) -> None:
    """Without gaps, always for the same bytes, and repeated only where that is allowed."""
    service = life.service
    numbers = defaultdict(set)
    for environment, seq in service.times:
        numbers[environment].add(seq)
    for environment, found in numbers.items():
        assert found == set(range(len(found))), f"{environment} has gaps: {sorted(found)}"
    assert all(len(versions) == 1 for versions in service.bytes_of.values()), "a number stands for two lines"
    needless = [number for number, times in service.times.items() if times > 1 + service.may_repeat[number]]
    assert not needless, f"repeated without need: {needless}"
    assert not [text for text in life.said if "given up" in text]
    assert not list(life.folder.iterdir()), "a journal is left although everything was delivered"


def check_nothing_lost(life: Life) -> None:
    """Every line that was begun is there, once by its number and under its invocation."""
    check_numbers(life)
    assert life.dropped == 0
    check_lines(life)


def check_what_is_lost_is_counted(life: Life) -> None:
    """What found no room is in the counts of `platform.logsDropped`, and everything else is there."""
    check_numbers(life)
    check_lines(life)
    counted = sum(each["record"]["droppedRecords"] for each in once(life) if each["type"] == "platform.logsDropped")
    assert counted == life.dropped, f"{life.dropped} found no room, {counted} were counted"


def check_lines(life: Life) -> None:
    arrived = Counter(
        (each["environment"], each["requestId"], each["record"]) for each in once(life) if each["type"] == "function"
    )
    written = Counter((environment, request_id, "".join(pieces)) for environment, request_id, pieces in life.written)
    assert arrived == written, f"missing: {written - arrived}, too many: {arrived - written}"


def once(life: Life) -> list[dict[str, Any]]:
    """What was delivered, without duplicates."""
    return list({(each["environment"], each["seq"]): each for each in life.service.taken}.values())


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_every_line_arrives_and_none_without_need_twice(part: int, tmp_path: Path) -> None:
    for_each_seed(part, tmp_path, check_nothing_lost, capacity=1 << 21, whole_lines=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_a_full_journal_could_not_keep_is_counted(part: int, tmp_path: Path) -> None:
    for_each_seed(part, tmp_path, check_what_is_lost_is_counted, capacity=1 << 14, whole_lines=True)
