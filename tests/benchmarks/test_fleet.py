"""Small simulated fleets: everything arrives, soon, and the page tells what was simulated."""

from __future__ import annotations

import json

import pytest

from benchmarks import fleet
from benchmarks.fleet import BURST, OUTAGE, Fleet, Scenario, World
from log_capture.sending.retry import LONGEST_PROBE_S


def test_lives_take_turns_in_the_order_of_simulated_time() -> None:
    world = World()
    seen: list[tuple[float, str]] = []

    def life(name: str, *pauses: float) -> None:
        for pause in pauses:
            world.sleep(pause)
            seen.append((world.now, name))

    world.run([lambda: life("a", 1, 1, 1), lambda: life("b", 0.5, 2), lambda: life("c", 2.75)])
    assert seen == [(0.5, "b"), (1, "a"), (2, "a"), (2.5, "b"), (2.75, "c"), (3, "a")]


def test_what_a_life_raises_ends_the_run_with_it() -> None:
    world = World()

    def fails() -> None:
        world.sleep(1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        world.run([fails, lambda: world.sleep(2)])


@pytest.mark.parametrize("scenario", [BURST, OUTAGE], ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("batched", [False, True], ids=["before-return", "batched"])
def test_a_fleet_within_its_quota_drains_within_a_probe_and_loses_nothing(scenario: Scenario, batched: bool) -> None:
    result = Fleet(30, scenario, batched=batched).run()
    assert (result["lost"], result["dropped"]) == (0, 0)
    an_invocation_s = 12.0  # the longest pause between two invocations of some environment
    assert result["drain_s"] <= LONGEST_PROBE_S + fleet.BATCH_AGE_S * batched + an_invocation_s
    if scenario is BURST:
        assert result["repeated"] == 0


def test_a_fleet_beyond_its_quota_is_throttled_and_still_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "BYTES_PER_S", 300_000)
    monkeypatch.setattr(fleet, "CALLS_PER_S", 20)
    result = Fleet(30, BURST).run()
    assert result["throttled"] > 0
    assert (result["lost"], result["dropped"]) == (0, 0)
    assert result["drain_s"] >= 0.9 * result["least_drain_s"] > 0


def test_the_same_seed_gives_the_same_fleet() -> None:
    assert Fleet(10, OUTAGE, seed=7).run() == Fleet(10, OUTAGE, seed=7).run()


def test_the_page_tells_the_results() -> None:
    rows = json.loads(fleet.RESULTS.read_text())
    assert (fleet.DOCS / "sharing-a-stream.md").read_text() == fleet.page(rows)
    assert {row["lost"] for row in rows} == {0}
