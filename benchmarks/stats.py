"""Medians and their spread. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

Summary = dict[str, float]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed, interpolated. Raises `ValueError` for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def summary(values: Sequence[float]) -> Summary:
    """Median, quartiles, and how many values there were."""
    return {
        "median": round(median(values), 4),
        "q1": round(quantile(values, 0.25), 4),
        "q3": round(quantile(values, 0.75), 4),
        "n": len(values),
    }


def added(values: Sequence[float], bare: Sequence[float]) -> Summary:
    """What came on top of the bare function, from pairs measured one after the other: the machine's drift cancels."""
    return summary([value - floor for value, floor in zip(values, bare, strict=True)])


def quantiles(values: Sequence[float], steps: int = 50) -> list[float]:
    """`steps` + 1 quantiles from the least to the greatest, for a plot of the distribution."""
    return [round(quantile(values, step / steps), 4) for step in range(steps + 1)]
