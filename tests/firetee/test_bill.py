"""What a month of lines costs."""

from __future__ import annotations

import pytest

from firetee.bill import ENVELOPE, GB, STEP, Load, Prices, cloudwatch_bytes, firehose_bytes, monthly


def load(lines: float = 10, *, invocations: int = 1, line_bytes: float = 200, together: float = 1) -> Load:
    return Load(invocations, lines, line_bytes, memory_mb=1024, added_ms=1000, together=together)


def test_one_short_line_is_billed_as_five_kilobytes() -> None:
    assert firehose_bytes(load(1)) == STEP


def test_no_line_costs_nothing_at_firehose() -> None:
    assert firehose_bytes(load(0)) == 0


def test_many_lines_are_billed_for_little_more_than_their_bytes() -> None:
    plain = 500 * (200 + ENVELOPE)
    assert plain <= firehose_bytes(load(500)) < plain + STEP


@pytest.mark.parametrize(("lines", "records"), [(500, 1), (501, 2), (1500, 3)])
def test_a_record_holds_500_lines(lines: int, records: int) -> None:
    tiny = Load(1, lines, 0, 128, 0)
    assert firehose_bytes(tiny) % (records * STEP) == 0
    assert firehose_bytes(tiny) >= lines * ENVELOPE


def test_flushing_several_invocations_together_shares_the_rounding() -> None:
    apart, together = load(1, invocations=100), load(1, invocations=100, together=10)
    assert firehose_bytes(apart) == 100 * STEP
    assert firehose_bytes(together) == 10 * STEP


def test_the_duration_is_billed_by_memory() -> None:
    assert monthly(load(invocations=10), Prices())["duration"] == pytest.approx(10 * Prices.lambda_gb_second)


def test_cloudwatch_is_billed_for_lambdas_own_lines_too() -> None:
    none = cloudwatch_bytes(load(0))
    assert none > 0
    assert monthly(load(0), Prices())["cloudwatch"] == pytest.approx(none / GB * 0.50)


def test_with_one_line_firetee_costs_no_less_than_the_own_delivery_and_with_ten_it_does() -> None:
    def dollars(lines: float) -> dict[str, float]:
        return monthly(Load(1_000_000, lines, 200, memory_mb=128, added_ms=0), Prices())

    one, ten = dollars(1), dollars(10)
    assert one["firetee"] / one["delivery"] > 0.8
    assert ten["firetee"] / ten["delivery"] < 0.5
