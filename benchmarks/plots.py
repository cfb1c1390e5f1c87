"""The plots under docs/images/, from results.json alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks import cost
from benchmarks.variants import BY_NAME, FIELD

mpl.use("Agg")
from matplotlib import pyplot as plt

IMAGES = Path(__file__).parent.parent / "docs" / "images"
COLOURS = {
    "bare": "#9e9e9e",
    "before-return": "#d1495b",
    "after-return": "#e68a96",
    "batched": "#f2bcc3",
    "put-record": "#edae49",
    "datadog": "#774aa4",
    "sentry": "#30638e",
    "otel": "#00798c",
}


def draw(results: dict[str, Any]) -> None:
    """Draw what there is."""
    measured = results["measured"]
    IMAGES.mkdir(parents=True, exist_ok=True)
    # The same results give the same file.
    with mpl.rc_context(
        {"svg.hashsalt": "firetee", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        if "cold" in measured:
            _cold(measured["cold"])
        if "warm" in measured:
            _latency(measured["warm"])
        if "growth" in measured:
            _growth(measured["growth"])
        if {"warm", "cold", "bill"} <= measured.keys():
            _cost(measured)


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def _cold(cold: dict[str, Any]) -> None:
    figure, axes = plt.subplots(figsize=(7, 3))
    names = [each.name for each in FIELD][::-1]
    medians = [cold[name]["ms"]["median"] for name in names]
    low = [middle - cold[name]["ms"]["q1"] for name, middle in zip(names, medians, strict=True)]
    high = [cold[name]["ms"]["q3"] - middle for name, middle in zip(names, medians, strict=True)]
    colours = [COLOURS[name] for name in names]
    axes.barh([BY_NAME[name].title for name in names], medians, xerr=[low, high], color=colours, ecolor="#555555")
    axes.set_xlabel("cold start with one line, ms (median, quartiles)")
    _save(figure, "cold-start")


def _latency(warm: dict[str, Any]) -> None:
    figure, axes = plt.subplots(figsize=(8.5, 3.5))
    for each in FIELD:
        quantiles = warm[each.name]["lines"]["10"]["asked_quantiles_ms"]
        shares = [100 * step / (len(quantiles) - 1) for step in range(len(quantiles))]
        axes.plot(
            quantiles[:-1], shares[:-1], color=COLOURS[each.name], label=each.title
        )  # (the maximum is one outlier)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("invocation with 10 lines: at most so many ms")
    axes.set_ylabel("% of invocations")
    axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, "latency")


def _growth(growth: dict[str, Any]) -> None:
    figure, panels = plt.subplots(1, len(growth), figsize=(9, 3))
    for axes, (curve, points) in zip(panels, growth.items(), strict=True):
        at = [int(value) for value in points]
        for name, key in (("bare", "bare_ms"), ("before-return", "firetee_ms")):
            medians = [point[key]["median"] for point in points.values()]
            axes.plot(at, medians, marker=".", color=COLOURS[name], label=BY_NAME[name].title)
        axes.set_xscale("symlog" if 0 in at else "log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(curve)
    panels[0].set_ylabel("until the response is posted, ms")
    panels[0].legend(frameon=False)
    _save(figure, "growth")


def _cost(measured: dict[str, Any]) -> None:
    figure, axes = plt.subplots(figsize=(8, 3))
    names = [each.name for each in FIELD if each.name != "bare"][::-1]
    parts = {name: cost.per_million(measured, name) for name in names}
    left = [0.0] * len(names)
    shades = {"warm": "#d1495b", "cold": "#30638e", "firehose": "#edae49"}
    labels = {"warm": "warm duration", "cold": "cold starts", "firehose": "Firehose"}
    for part, label in labels.items():
        values = [max(0.0, parts[name][part]) for name in names]
        axes.barh([BY_NAME[name].title for name in names], values, left=left, color=shades[part], label=label)
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.set_xlabel("added to a million invocations of 10 lines, US$ (what others charge for lines: not counted)")
    axes.legend(frameon=False)
    _save(figure, "cost")
