"""What is measured runs: the benchmark's function in the emulator, with its times, its lines and its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import bill, cold, loss
from benchmarks.ground import Ground, prepared
from benchmarks.variants import BARE, BATCHED, BEFORE_RETURN, PUT_RECORD, Variant
from firetee import runtimes


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with prepared(runtimes.installed()[-1], lambda text: None) as made:
        yield made


@pytest.mark.parametrize("variant", [BEFORE_RETURN, PUT_RECORD], ids=lambda each: str(each.name))
def test_a_variant_that_ships_has_its_lines_in_the_sink_when_it_answers(ground: Ground, variant: Variant) -> None:
    with ground.environment(variant) as environment:
        environment.invoke(lines=3, mark="first")
        environment.invoke(lines=2, mark="second")
        assert environment.sink.lines("first") == {0, 1, 2}
        assert environment.sink.lines("second") == {0, 1}


def test_each_invocation_has_a_row_and_the_answer_comes_before_the_next_event_is_asked_for(ground: Ground) -> None:
    with ground.environment(BARE) as environment:
        rows = environment.rows(3, lines=1)
        assert len(rows) == 3
        assert all(0 < answered < asked for answered, asked in rows)


def test_processor_time_and_memory_are_those_of_the_runtime(ground: Ground) -> None:
    with ground.environment(BARE) as environment:
        environment.invoke()
        before = environment.cpu_ms()
        environment.invoke(prints=20_000)
        assert before < environment.cpu_ms()
        assert 5 < environment.resident_mb() < 100


def test_a_function_that_fails_is_no_measurement(ground: Ground) -> None:
    with ground.environment(BARE) as environment, pytest.raises(RuntimeError, match="the function failed"):
        environment.invoke(lines="many")


def test_a_cold_start_is_compared_with_the_bare_function(ground: Ground) -> None:
    found = cold.measure(ground, 1, [BARE, BEFORE_RETURN])
    assert found["bare"]["added_ms"]["median"] == 0
    assert found["before-return"]["ms"]["median"] == pytest.approx(
        found["bare"]["ms"]["median"] + found["before-return"]["added_ms"]["median"],
        abs=0.001,  # each of them is rounded
    )


def test_what_dies_with_an_invocation_to_follow_loses_nothing_through_firetee(ground: Ground) -> None:
    assert loss.lost(ground, BEFORE_RETURN, "exit, then an invocation") == 0


def test_what_is_frozen_before_it_sent_loses_everything(ground: Ground) -> None:
    assert loss.lost(ground, BATCHED, "freeze") == loss.LINES


def test_bulk_output_is_billed_as_what_it_is(ground: Ground) -> None:
    ratios = bill.measure_bulk(ground, 3_000)
    assert 1 <= ratios["before-return"] < 1.05
    assert ratios["gzip"] < 0.2
