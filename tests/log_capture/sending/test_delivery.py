"""Whatever Firehose answers: nothing is lost, nothing is sent twice without need, and time is kept."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

import pytest

from log_capture.envelope.limits import MAX_BATCH_RECORDS
from log_capture.envelope.pack import Packer
from log_capture.envelope.render import Renderer
from log_capture.journal.journal import Journal
from log_capture.journal.ring import HEADER_BYTES, STDOUT
from log_capture.sending.delivery import MANY, Delivery, Target
from log_capture.sending.failures import CONNECT, INVALID, REFUSED, RESET, SERVER, STALE, THROTTLED, TIMEOUT
from log_capture.sending.source import Source
from tests.fakes.client import (
    AMBIGUOUS_FAILURES,
    CLEAR_FAILURES,
    Codes,
    ScriptedClient,
    Step,
    failure,
    refuses,
)
from tests.fakes.clock import Clock

BUDGET_S = 2.0
#: What one call takes on the tests' clock.
CALL_S = 0.01


class Scene:
    """One journal in front of a delivery to streams `s0`, `s1`, ..., each with a scripted client; time is simulated."""

    def __init__(self, *clients: ScriptedClient, max_lines: int = 1, seed: int = 0) -> None:
        self.clock = Clock()
        self.clients = clients
        self.said: list[str] = []
        self.journal = Journal(bytearray(HEADER_BYTES + (1 << 20)), environment="0123456789ab")
        self.source = Source(self.journal, Renderer(format="text", environment=""), Packer(max_lines=max_lines))
        targets = [Target(f"s{number}", _Timed(client, self.clock)) for number, client in enumerate(clients)]
        dice = chain([0.0], iter(random.Random(seed).random, None))  # the first number chooses the first stream
        self.delivery = Delivery(targets, report=self.said.append, clock=self.clock, random=lambda: next(dice))

    def write(self, *lines: str) -> None:
        for line in lines:
            assert self.journal.append(STDOUT, line.encode() + b"\n")

    def send(self, *, tries: int = MANY, budget_s: float = BUDGET_S, everything: bool = False) -> bool:
        deadline = self.clock.now + budget_s
        sent = self.delivery.send([self.source], deadline, self.clock.pause, tries=tries, everything=everything)
        assert self.clock.now <= deadline + 1e-9, "the budget was exceeded"
        return sent

    @property
    def lines(self) -> list[str]:
        """Everything that any stream took, stream by stream."""
        return [line.decode() for client in self.clients for line in client.lines]


class _Timed(ScriptedClient):
    """Passes calls on; each takes its time, and none goes on beyond its deadline, as `Client` promises."""

    def __init__(self, client: ScriptedClient, clock: Clock) -> None:
        super().__init__()
        self._client = client
        self._clock = clock

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        if self._clock.now + CALL_S > deadline:
            self._clock.now = max(self._clock.now, deadline)
            raise failure(CONNECT)
        self._clock.now += CALL_S
        return self._client.put(stream, records, deadline)

    def abort(self) -> None:
        self._client.abort()


def test_everything_is_sent_in_order() -> None:
    scene = Scene(ScriptedClient())
    scene.write("a", "b", "c")
    assert scene.send()
    assert scene.lines == ["a", "b", "c"]
    assert (scene.delivery.calls, scene.delivery.retries, scene.said) == (1, 0, [])


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_written_meanwhile_is_for_the_next_time_unless_there_is_none(everything: bool) -> None:
    """Who writes without pause is not sent a line a call, and does not keep a flush from ending."""

    def take_and_hear_more(records: Sequence[bytes], deadline: float) -> list[str | None]:
        scene.write("b")
        return [None] * len(records)

    scene = Scene(ScriptedClient(take_and_hear_more))
    scene.write("a")
    assert scene.send(everything=everything)
    assert scene.lines == (["a", "b"] if everything else ["a"])
    assert scene.send()
    assert scene.lines == ["a", "b"]


def test_too_much_for_the_time_is_no_failure() -> None:
    def take_slowly(records: Sequence[bytes], deadline: float) -> list[str | None]:
        scene.clock.now = deadline
        return [None] * len(records)

    scene = Scene(ScriptedClient(take_slowly))
    scene.write(*map(str, range(MAX_BATCH_RECORDS + 1)))
    assert not scene.send()
    assert scene.delivery.error is None
    assert (scene.delivery.calls, len(scene.lines)) == (1, MAX_BATCH_RECORDS)


def test_only_refused_records_are_sent_again() -> None:
    client = ScriptedClient([None, "ServiceUnavailableException", None])
    scene = Scene(client)
    scene.write("a", "b", "c")
    assert scene.send()
    assert [put.records for put in client.puts] == [(b"a\n", b"b\n", b"c\n"), (b"b\n",)]
    assert len(scene.clock.pauses) == 1


@pytest.mark.parametrize("kind", [THROTTLED, SERVER, TIMEOUT, RESET, CONNECT])
def test_a_call_that_failed_is_tried_again_after_a_pause(kind: str) -> None:
    scene = Scene(ScriptedClient(failure(kind), failure(kind)))
    scene.write("a")
    assert scene.send()
    assert scene.lines == ["a"]
    assert len(scene.clock.pauses) == 2
    assert scene.delivery.retries == 2


def test_a_connection_found_dead_is_replaced_at_once() -> None:
    scene = Scene(ScriptedClient(failure(STALE)))
    scene.write("a")
    assert scene.send()
    assert scene.clock.pauses == []


def test_a_connection_found_dead_again_and_again_is_retried_with_pauses() -> None:
    scene = Scene(ScriptedClient(default=failure(STALE)))
    scene.write("a")
    assert not scene.send()
    assert scene.delivery.calls < 40


def test_when_time_is_up_what_is_left_stays() -> None:
    scene = Scene(ScriptedClient(default=failure(THROTTLED)))
    scene.write("a", "b")
    assert not scene.send()
    assert not scene.source.empty
    assert scene.delivery.error is not None
    scene.clients[0].default = None
    assert scene.send()
    assert scene.lines == ["a", "b"]


def test_one_try_is_one_try() -> None:
    client = ScriptedClient(default=failure(THROTTLED))
    scene = Scene(client)
    scene.write("a")
    assert not scene.send(tries=1)
    assert len(client.puts) == 1
    assert scene.clock.pauses == []


def test_a_permanent_refusal_is_not_retried_within_a_flush() -> None:
    client = ScriptedClient(default=failure(REFUSED, "AccessDeniedException"))
    scene = Scene(client)
    scene.write("a")
    assert not scene.send()
    assert len(client.puts) == 1
    client.default = None
    assert scene.send()
    assert scene.lines == ["a"]


def test_progress_within_a_flush_makes_the_next_pause_short_again() -> None:
    throttled: Codes = ["ServiceUnavailableException"]
    client = ScriptedClient(*[failure(THROTTLED)] * 4, [None, *throttled], throttled, throttled)
    scene = Scene(client)
    scene.write("a", "b")
    assert scene.send(budget_s=60)
    assert scene.lines == ["a", "b"]
    assert max(scene.clock.pauses[4:]) <= 0.2


def test_an_aborted_delivery_returns_at_once() -> None:
    def abort(records: Sequence[bytes], deadline: float) -> Codes:
        scene.delivery.abort()
        raise failure(TIMEOUT, ambiguous=True)

    client = ScriptedClient(abort)
    scene = Scene(client)
    scene.write("a")
    assert not scene.send()
    assert len(client.puts) == 1


# ---- what can never be taken -----------------------------------------------------------------------------------------


def test_of_a_batch_that_is_refused_for_one_record_only_that_one_is_given_up() -> None:
    client = ScriptedClient(default=refuses(b"bad"))
    scene = Scene(client)
    good = [f"good {number}" for number in range(20)]
    scene.write(*good[:13], "bad", *good[13:])
    assert scene.send()
    (note,) = scene.said
    assert "never take a record of 4 bytes with 1 lines (InvalidArgumentException)" in note
    assert scene.lines == good
    assert len(client.puts) < 15, "halves, not single records"


def test_several_culprits_in_one_batch_are_all_found() -> None:
    scene = Scene(ScriptedClient(default=refuses(b"bad")))
    scene.write("bad 1", "good 1", "bad 2", "bad 3", "good 2")
    assert scene.send()
    assert scene.lines == ["good 1", "good 2"]
    assert len(scene.said) == 3


def test_a_culprit_alone_in_the_very_first_call_does_not_block_what_comes_behind() -> None:
    """It cannot be told yet from a stream that takes nothing; as soon as another line is there, it can."""
    scene = Scene(ScriptedClient(default=refuses(b"bad")))
    scene.write("bad")
    assert not scene.send()
    scene.write("good")
    assert scene.send()
    assert scene.lines == ["good"]
    assert len(scene.said) == 1


def test_a_stream_that_takes_nothing_costs_no_line() -> None:
    client = ScriptedClient(default=failure(INVALID, "InvalidArgumentException"))
    scene = Scene(client)
    for number in range(3):
        scene.write(f"a{number}", f"b{number}")
        assert not scene.send()
    assert scene.said == []
    client.default = None
    assert scene.send()
    assert scene.lines == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_record_that_is_refused_for_good_within_an_answer_is_given_up() -> None:
    scene = Scene(ScriptedClient([None, "InvalidKMSResourceException"]))
    scene.write("good", "bad")
    assert scene.send()
    assert scene.lines == ["good"]
    assert len(scene.said) == 1


def test_records_refused_for_good_by_a_stream_that_never_took_any_stay() -> None:
    client = ScriptedClient(default=lambda records, deadline: ["InvalidKMSResourceException"] * len(records))
    scene = Scene(client)
    scene.write("a", "b")
    assert not scene.send()
    client.default = None
    assert scene.send()
    assert scene.lines == ["a", "b"]


def test_bisecting_keeps_the_budget() -> None:
    """What was found out about single records by the deadline is kept, and the next flush goes on from there."""
    client = ScriptedClient(default=refuses(b"bad"))
    scene = Scene(client)
    scene.write("first", *["bad"] * 400, "last")
    flushes = 1
    while not scene.send():
        flushes += 1
        assert flushes < 10, "it makes no progress"
    assert scene.lines == ["first", "last"]


# ---- several streams -------------------------------------------------------------------------------------------------


def test_when_a_stream_fails_the_next_one_takes_over_and_keeps_the_lead() -> None:
    broken, healthy = ScriptedClient(default=failure(REFUSED)), ScriptedClient()
    scene = Scene(broken, healthy)
    scene.write("a")
    assert scene.send()
    scene.write("b")
    assert scene.send()
    assert healthy.lines == [b"a", b"b"]
    assert len(broken.puts) == 1


def test_streams_take_turns_until_one_takes_it() -> None:
    clients = [ScriptedClient(default=failure(THROTTLED)) for _ in range(3)]
    scene = Scene(*clients)
    scene.write("a")
    assert not scene.send()
    assert all(len(client.puts) > 1 for client in clients), "each has its share of the time"
    clients[1].default = None
    assert scene.send()
    assert clients[1].lines == [b"a"]


def test_environments_begin_at_different_streams_so_that_a_fleet_spreads_over_quotas() -> None:
    targets = [Target(name, ScriptedClient()) for name in "abc"]
    first = [Delivery(targets, report=lambda _: None).targets[0].stream for _ in range(100)]
    assert set(first) == set("abc")


def test_a_hanging_stream_leaves_time_for_the_others() -> None:
    def hang(records: Sequence[bytes], deadline: float) -> Codes:
        scene.clock.now = max(scene.clock.now, deadline)
        raise failure(TIMEOUT, ambiguous=True)

    healthy = ScriptedClient()
    scene = Scene(ScriptedClient(default=hang), ScriptedClient(default=hang), healthy)
    scene.write("a")
    assert scene.send()
    assert healthy.lines == [b"a"]


def test_clients_are_made_ready_and_forgotten_together() -> None:
    clients = [ScriptedClient(), ScriptedClient()]
    delivery = Delivery([Target(f"s{n}", client) for n, client in enumerate(clients)], report=lambda _: None)
    delivery.warm_up()
    delivery.forget()
    delivery.abort()
    assert all((client.warmed_up, client.forgotten) == (1, 1) and client.aborted.is_set() for client in clients)


# ---- any schedule of faults ------------------------------------------------------------------------------------------

SCHEDULES = 400


def clear_steps(dice: random.Random) -> Step:
    """An answer, or a failure after which nothing was taken."""
    if dice.random() < 0.3:
        return None
    if dice.random() < 0.5:
        return dice.choice(CLEAR_FAILURES)
    share = dice.random()
    return lambda records, deadline: [
        None if dice.random() < share else dice.choice(["ServiceUnavailableException", "InternalFailure"])
        for _ in records
    ]


def run_schedule(seed: int, step: Callable[[random.Random, Scene, int], Step]) -> Scene:
    """Lines come in bursts, streams fail and heal; in the end all are healthy, and everything must go out."""
    dice = random.Random(seed)
    clients = [ScriptedClient() for _ in range(dice.randint(1, 3))]
    scene = Scene(*clients, max_lines=dice.choice((1, 3, 500)), seed=seed)
    written: list[str] = []
    for _ in range(dice.randint(1, 8)):
        for number, client in enumerate(clients):
            client.steps.extend(step(dice, scene, number) for _ in range(dice.randint(0, 4)))
        lines = [f"line {len(written) + number}" for number in range(dice.randint(0, 30))]
        scene.write(*lines)
        written += lines
        scene.send(tries=dice.choice((1, MANY)), budget_s=dice.choice((0.0, 0.05, 0.5, BUDGET_S)))
    for client in clients:
        client.steps.clear()
    assert scene.send()
    assert scene.source.empty
    counts = Counter(scene.lines)
    assert sorted(counts) == sorted(written), f"seed {seed}: lost {set(written) - set(counts)}"
    for client in clients:
        for record in client.taken:
            order = [int(line.split()[1]) for line in record.decode().splitlines()]
            assert order == list(range(order[0], order[-1] + 1)), f"seed {seed}: lines out of order within a record"
    return scene


def test_without_an_unclear_answer_every_line_is_taken_exactly_once() -> None:
    for seed in range(SCHEDULES):
        scene = run_schedule(seed, lambda dice, scene, number: clear_steps(dice))
        assert set(Counter(scene.lines).values()) <= {1}, f"seed {seed}: a line was taken twice"


def test_only_what_was_in_an_unclear_call_is_ever_repeated() -> None:
    """A reply that is lost after the records were taken: they come again, in whole calls, and nothing else does."""
    for seed in range(SCHEDULES):
        unclear: Counter[str] = Counter()

        def step(dice: random.Random, scene: Scene, number: int, unclear: Counter[str] = unclear) -> Step:
            if dice.random() < 0.6:
                return clear_steps(dice)

            def taken_but_unanswered(records: Sequence[bytes], deadline: float) -> Codes:
                scene.clients[number].taken += records
                unclear.update(b"".join(records).decode().splitlines())
                raise dice.choice(AMBIGUOUS_FAILURES)

            return taken_but_unanswered

        scene = run_schedule(seed, step)
        for line, count in Counter(scene.lines).items():
            assert count <= 1 + unclear[line], f"seed {seed}: {line} was repeated without need"
