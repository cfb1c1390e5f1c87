"""Medians, quartiles and paired differences."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stats import added, quantile, quantiles, summary

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


@given(VALUES, st.floats(0, 1), st.floats(0, 1))
def test_a_quantile_lies_among_the_values_and_grows_with_its_share(
    values: list[float], one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert min(values) <= quantile(values, less) <= quantile(values, more) + 1e-6
    assert quantile(values, more) <= max(values)


@given(VALUES)
def test_the_quantile_in_the_middle_is_the_median(values: list[float]) -> None:
    assert quantile(values, 0.5) == pytest.approx(median(values))


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_summary_says_median_quartiles_and_how_many() -> None:
    assert summary([5.0, 1.0, 3.0, 2.0, 4.0]) == {"median": 3.0, "q1": 2.0, "q3": 4.0, "n": 5}


def test_what_is_added_is_compared_pair_by_pair_so_that_the_drift_of_the_machine_cancels() -> None:
    bare = [10.0, 20.0, 40.0]
    assert added([value + 3 for value in bare], bare)["median"] == 3.0


def test_pairs_that_are_missing_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        added([1.0], [1.0, 2.0])


def test_quantiles_go_from_the_least_to_the_greatest() -> None:
    assert quantiles([4.0, 2.0, 3.0], steps=2) == [2.0, 3.0, 4.0]
