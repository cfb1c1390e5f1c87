"""`python -m benchmarks.fleet`: many environments share one delivery stream, in simulated time.

What decides when to try again, what to send again and when to stop waiting is the layer's own code
(`log_capture.sending`); time, the network and Firehose's quotas are models. Each environment is a
thread, of which one runs at a time: the one whose turn is next in simulated time. So the same seed gives the same
numbers.

Writes fleet.json, docs/sharing-a-stream.md and docs/images/fleet.svg.
"""

from __future__ import annotations

import heapq
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.stats import quantile
from log_capture.envelope.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from log_capture.envelope.pack import MAX_LINES
from log_capture.firehose.errors import of_record
from log_capture.sending.client import Client
from log_capture.sending.delivery import Delivery, Target
from log_capture.sending.failures import THROTTLED, TIMEOUT, PutError
from log_capture.sending.retry import Breaker
from log_capture.sending.shipper import PROBE_WAIT_S

RESULTS = Path(__file__).with_name("fleet.json")

#: A stream's quota in the big regions (Firehose guide, "Quotas"); the other regions have a fifth of the bytes.
CALLS_PER_S = 2_000
BYTES_PER_S = 5 * 1024 * 1024
#: One call, there and back, in seconds (a choice: within a region).
LATENCY_S = (0.015, 0.040)
#: An envelope of a line of 100 characters, in bytes (a choice).
LINE_BYTES = 400
#: The settings' defaults.
BUDGET_S = 2.0
BUFFER_BYTES = 16 * 1024 * 1024
BATCH_AGE_S = 10.0
BATCH_BYTES = 1024 * 1024
#: What an environment does: an invocation every two seconds, of so long, that writes so many lines (choices). So 2,000
#: environments take half of the stream's calls and six tenths of its bytes.
INVOCATIONS_PER_S = 0.5
HANDLER_S = 0.05
LINES = 8
#: A threads's stack, in bytes: they are many and go nowhere deep.
_STACK = 256 * 1024


class Scenario(NamedTuple):
    """What disturbs the fleet, after `CALM_S`, for `seconds`."""

    name: str
    seconds: float
    invocations: float = 1.0  # times as many
    lines: float = 1.0  # times as many in each
    down: bool = False  # Firehose does not answer


CALM_S = 10.0
#: Give up on a fleet that has not recovered after so long.
PATIENCE_S = 600.0
BURST = Scenario("burst", 10.0, invocations=4.0, lines=4.0)
OUTAGE = Scenario("outage", 60.0, down=True)
SCENARIOS = {scenario.name: scenario for scenario in (BURST, OUTAGE)}


class World:
    """Simulated time. Of all lives only one runs at any moment, until it sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Any]] = []
        self._count = 0
        self._turn = threading.local()
        self._over = threading.Lock()
        self._failure: BaseException | None = None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Of the life that runs."""
        mine = self._turn.lock
        self._count += 1
        entry = (self.now + max(0.0, seconds), self._count, mine)
        if self._due and self._due[0] < entry:
            self.now, _, other = heapq.heapreplace(self._due, entry)
            other.release()
            mine.acquire()
        else:
            self.now = entry[0]

    def run(self, lives: Sequence[Callable[[], None]]) -> None:
        """Until every life has ended. Raises what a life raised."""
        self._over.acquire()
        threads = []
        stack = threading.stack_size(_STACK)
        try:
            for number, life in enumerate(lives):
                lock = threading.Lock()
                lock.acquire()
                heapq.heappush(self._due, (0.0, number - len(lives), lock))
                threads.append(threading.Thread(target=self._live, args=(life, lock)))
                threads[-1].start()
        finally:
            threading.stack_size(stack)
        self._pass_on()
        self._over.acquire()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _live(self, life: Callable[[], None], lock: Any) -> None:
        self._turn.lock = lock
        lock.acquire()
        try:
            life()
        except BaseException as error:  # noqa: BLE001 - it is raised in `run`; the other lives go on
            self._failure = error
        self._pass_on()

    def _pass_on(self) -> None:
        if self._due:
            self.now, _, lock = heapq.heappop(self._due)
            lock.release()
        else:
            self._over.release()


class Stream:
    """One delivery stream: two buckets that hold a second's worth of calls and of bytes, and refill steadily."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._outage = (CALM_S, CALM_S + scenario.seconds) if scenario.down else None
        self._calls = float(CALLS_PER_S)
        self._bytes = float(BYTES_PER_S)
        self._filled_at = 0.0
        self.outcomes: Counter[str] = Counter()

    @property
    def down(self) -> bool:
        return self._outage is not None and self._outage[0] <= self._world.now < self._outage[1]

    def take(self, sizes: Sequence[int]) -> list[str | None]:
        """The error code, or None, of each record. Raises PutError where the whole call is refused."""
        passed, self._filled_at = self._world.now - self._filled_at, self._world.now
        self._calls = min(CALLS_PER_S, self._calls + passed * CALLS_PER_S)
        self._bytes = min(BYTES_PER_S, self._bytes + passed * BYTES_PER_S)
        if self._calls < 1:
            self.outcomes["throttled"] += 1
            raise PutError(THROTTLED, "ServiceUnavailableException", "throttled", "")
        self._calls -= 1
        codes: list[str | None] = []
        for size in sizes:
            fits = size <= self._bytes
            self._bytes -= size * fits
            codes.append(None if fits else "ServiceUnavailableException")
        self.outcomes["partly refused" if any(codes) else "taken"] += 1
        return codes


class Queue:
    """What waits in one environment, in the shape of `log_capture.sending.source.Source`. Lines are numbered from 0."""

    def __init__(self) -> None:
        self.written = 0
        self.dropped = 0
        self.records: list[tuple[int, int]] = []  # first line, lines; packed, and not yet taken
        self.packed = 0  # lines that are in records, or were

    def write(self, lines: int) -> None:
        room = BUFFER_BYTES // LINE_BYTES - (self.written - self.oldest)
        self.dropped += max(0, lines - room)
        self.written += min(lines, room)

    @property
    def oldest(self) -> int:
        """The first line that was not taken."""
        return self.records[0][0] if self.records else self.packed

    @property
    def backlog(self) -> int:
        """In bytes."""
        return (self.written - self.oldest) * LINE_BYTES

    def aim(self, *, everything: bool) -> None:
        """Nothing is written while a call lasts."""

    def batch(self) -> Sequence[tuple[bytes, int]]:
        if not self.records:
            while self.packed < self.written:
                lines = min(MAX_LINES, self.written - self.packed)
                self.records.append((self.packed, lines))
                self.packed += lines
        most = min(MAX_BATCH_RECORDS, MAX_BATCH_BYTES // (MAX_LINES * LINE_BYTES))
        return [(_data(lines * LINE_BYTES), lines) for _, lines in self.records[:most]]

    def settle(self, done: Sequence[bool]) -> None:
        self.records[: len(done)] = [record for record, is_done in zip(self.records, done, strict=False) if not is_done]

    def widen(self) -> bool:
        return False

    def note_given_up(self, record: tuple[bytes, int], code: str) -> None:
        raise AssertionError("this Firehose takes every record in the end")


_DATA: dict[int, bytes] = {}


def _data(size: int) -> bytes:
    return _DATA.setdefault(size, bytes(size))


class Environment(Client):
    """One environment: invocations one after the other, each with its flush; it is its own client of the stream."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.queue = Queue()
        self.waits: list[float] = []
        self.arrived: Counter[int] = Counter()  # times, by a record's first line
        self.lines_of: dict[int, int] = {}
        self.must: int | None = None  # lines written until the disturbance was over
        self.waited_for = 0  # bytes that waited then
        self._fleet = fleet
        self._world = fleet.world
        self._dice = random.Random(seed)
        self._delivery = Delivery(
            [Target("shared", self)], report=_never, clock=fleet.world.clock, random=self._dice.random
        )
        self._breaker = Breaker(fleet.world.clock)
        self._flushed_at = 0.0

    def live(self) -> None:
        fleet, world, dice, scenario = self._fleet, self._world, self._dice, self._fleet.scenario
        calm_again = CALM_S + scenario.seconds
        while not fleet.over:
            disturbed = not scenario.down and CALM_S <= world.now < calm_again
            world.sleep(dice.expovariate(INVOCATIONS_PER_S * (scenario.invocations if disturbed else 1)))
            if self.must is None and world.now >= calm_again:
                self.must, self.waited_for = self.queue.written, self.queue.backlog
            world.sleep(HANDLER_S)
            self.queue.write(round(LINES * (scenario.lines if disturbed else 1)))
            began = world.now
            if not fleet.batched or self.queue.backlog >= BATCH_BYTES or began - self._flushed_at >= BATCH_AGE_S:
                self._flush(began + BUDGET_S)
                self._flushed_at = began
            self.waits.append(world.now - began)
            if self.must is not None and self.queue.oldest >= self.must:
                fleet.has_drained(self)

    def _flush(self, deadline: float) -> None:
        """As `Shipper.flush` does."""
        send, breaker, world = self._delivery.send, self._breaker, self._world
        if breaker.is_open:
            if not breaker.probe_due:
                return
            if not send([self.queue], world.now + PROBE_WAIT_S, world.sleep, tries=1, probe=True):  # type: ignore[list-item]
                breaker.failed()
                return
            breaker.succeeded()
        if not send([self.queue], deadline, world.sleep) and not self._delivery.only_slow:  # type: ignore[list-item]
            breaker.failed()

    @property
    def repeated(self) -> int:
        """Lines that the stream took more than once."""
        return sum(self.lines_of[first] * (times - 1) for first, times in self.arrived.items())

    @property
    def lost(self) -> int:
        """Lines that are neither in the stream nor waiting."""
        queue = self.queue
        waiting = sum(lines for first, lines in queue.records if first not in self.lines_of)
        return queue.packed - sum(self.lines_of.values()) - waiting

    # ---- the client

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        there = self._dice.uniform(*LATENCY_S) / 2
        self._travel(there, deadline)
        codes = self._fleet.stream.take([len(data) for data in records])
        for (first, lines), code in zip(self.queue.records, codes, strict=False):
            if code is None:
                self.arrived[first] += 1
                self.lines_of[first] = lines
        self._travel(there, deadline)
        return codes

    def _travel(self, seconds: float, deadline: float) -> None:
        """Half of a call. What meets the outage never arrives, and the sender waits for it in vain."""
        world = self._world
        in_time = world.now + seconds <= deadline
        world.sleep(min(seconds, max(0.0, deadline - world.now)))
        if self._fleet.stream.down:
            self._fleet.stream.outcomes["lost"] += 1
            world.sleep(deadline - world.now)
            in_time = False
        if not in_time:
            raise PutError(TIMEOUT, "TimeoutError", "no answer", "", ambiguous=True)

    def warm_up(self) -> None:
        pass

    def refusal(self, code: str, stream: str) -> PutError:
        return of_record(code, stream)

    def close(self) -> None:
        pass

    def forget(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Fleet:
    """Environments that share one stream through one scenario."""

    def __init__(self, size: int, scenario: Scenario, *, batched: bool = False, seed: int = 1) -> None:
        self.world = World()
        self.scenario = scenario
        self.batched = batched
        self.stream = Stream(self.world, scenario)
        self.drained_at = 0.0
        self.environments = [Environment(self, seed * 1_000_003 + number) for number in range(size)]
        self._draining = {id(environment) for environment in self.environments}

    @property
    def over(self) -> bool:
        return not self._draining or self.world.now > PATIENCE_S

    def has_drained(self, environment: Environment) -> None:
        self._draining.discard(id(environment))
        if not self._draining and not self.drained_at:
            self.drained_at = self.world.now

    def run(self) -> dict[str, Any]:
        """What came of it. Seconds, but for counts."""
        self.world.run([environment.live for environment in self.environments])
        environments = self.environments
        waits = [wait for environment in environments for wait in environment.waits]
        until = self.drained_at or self.world.now
        waiting = sum(each.waited_for for each in environments)
        usual = len(environments) * INVOCATIONS_PER_S * LINES * LINE_BYTES
        return {
            "scenario": self.scenario.name,
            "flush": "batched" if self.batched else "before-return",
            "environments": len(environments),
            "drain_s": round(until - CALM_S - self.scenario.seconds, 1) if self.drained_at else None,
            "waiting_mb": round(waiting / 1e6, 1),
            "least_drain_s": round(waiting / (BYTES_PER_S - usual), 1),
            "lines": sum(each.queue.written for each in environments),
            "repeated": sum(each.repeated for each in environments),
            "lost": sum(each.lost for each in environments),
            "dropped": sum(each.queue.dropped for each in environments),
            "throttled": self.stream.outcomes["throttled"] + self.stream.outcomes["partly refused"],
            "calls": self.stream.outcomes.total(),
            "wait_p50_ms": round(quantile(waits, 0.5) * 1000, 1),
            "wait_p99_ms": round(quantile(waits, 0.99) * 1000, 1),
            "wait_all_s_per_environment": round(sum(waits) / len(environments), 2),
        }


def _never(text: str) -> None:
    raise AssertionError(text)


# ---- results ---------------------------------------------------------------------------------------------------------

DOCS = Path(__file__).parent.parent / "docs"
SIZES = (50, 100, 200, 500, 1000, 2000)
#: With these the calls are the question, not the bytes.
BATCHED_SIZES = (200, 2000)


def page(rows: Sequence[dict[str, Any]]) -> str:
    """docs/sharing-a-stream.md, from the results alone."""
    heads = (
        "scenario",
        "flush",
        "environments",
        "waits at its end, MB",
        "drained after, s",
        "at best, s",
        "repeated lines",
        "of",
        "lost lines",
        "calls",
        "of them refused",
        "wait, median, ms",
        "wait, 99 %, ms",
    )
    table = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for row in rows:
        cells = (
            row["scenario"],
            f"`{row['flush']}`",
            f"{row['environments']:,}",
            f"{row['waiting_mb']:,.1f}",
            "not within the run" if row["drain_s"] is None else f"{row['drain_s']:,.1f}",
            f"{row['least_drain_s']:,.1f}",
            f"{row['repeated']:,}",
            f"{row['lines']:,}",
            f"{row['lost'] + row['dropped']:,}",
            f"{row['calls']:,}",
            f"{row['throttled']:,}",
            f"{row['wait_p50_ms']:,.1f}",
            f"{row['wait_p99_ms']:,.1f}",
        )
        table.append("| " + " | ".join(cells) + " |")
    template = Path(__file__).with_name("fleet.md.tmpl").read_text()
    return template.replace("{{table}}", "\n".join(table))


def draw(rows: Sequence[dict[str, Any]]) -> None:
    """docs/images/fleet.svg."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context(
        {"svg.hashsalt": "firetee", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure, axes = plt.subplots(figsize=(6.4, 3.4))
        for name, colour in (("burst", "#d1495b"), ("outage", "#30638e")):
            found = [row for row in rows if (row["scenario"], row["flush"]) == (name, "before-return")]
            sizes = [row["environments"] for row in found]
            axes.plot(sizes, [row["drain_s"] for row in found], "o-", color=colour, label=f"after the {name}")
            axes.plot(sizes, [row["least_drain_s"] for row in found], ":", color=colour, label="at best: quota alone")
        axes.axhline(30, color="#9e9e9e", linewidth=0.8)
        axes.annotate("longest time between probes", (105, 19), color="#757575", fontsize=8)
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=10)
        axes.set_ylim(0, 500)
        axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
        axes.minorticks_off()
        axes.set_xlabel("environments that share a stream of 5 MiB/s and 2,000 calls/s")
        axes.set_ylabel("seconds until all has arrived")
        axes.legend(frameon=False)
        figure.tight_layout()
        figure.savefig(DOCS / "images" / "fleet.svg", metadata={"Date": None})
        plt.close(figure)


@click.command(help="Simulate fleets that share a stream; ten minutes, or seconds with --quick, which writes nothing.")
@click.option("--quick", is_flag=True, help="Two small fleets only, to see it run.")
@click.option("--redraw", is_flag=True, help="Page and plot from the results that there are.")
def main(quick: bool, redraw: bool) -> None:
    if quick:
        for scenario in SCENARIOS.values():
            print(json.dumps(Fleet(50, scenario).run()))
        return
    if not redraw:
        plan = [(size, scenario, False) for scenario in SCENARIOS.values() for size in SIZES]
        plan += [(size, scenario, True) for scenario in SCENARIOS.values() for size in BATCHED_SIZES]
        rows = []
        for size, scenario, batched in plan:
            rows.append(Fleet(size, scenario, batched=batched).run())
            print(json.dumps(rows[-1]), flush=True)
        RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    rows = json.loads(RESULTS.read_text())
    (DOCS / "sharing-a-stream.md").write_text(page(rows))
    draw(rows)


if __name__ == "__main__":
    main()
