"""The page and the plots say what results.json says, and say it where others are better."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cost, report, results
from benchmarks.__main__ import MEASUREMENTS
from benchmarks.goals import GOALS
from benchmarks.variants import BY_NAME, FIELD
from firetee import fetch

README = fetch.ROOT / "README.md"


@pytest.fixture
def found() -> dict[str, Any]:
    """The results as committed, to be changed at will."""
    return copy.deepcopy(results.load())


def test_the_page_is_what_the_results_give(found: dict[str, Any]) -> None:
    assert report.PAGE.read_text() == report.page(found), "run `make bench`, or `python -m benchmarks.report`"


def test_the_page_s_images_are_there() -> None:
    images = re.findall(r"!\[[^]]+\]\((.+?)\)", report.PAGE.read_text())
    assert images
    assert [image for image in images if not (report.PAGE.parent / image).is_file()] == []


def test_the_page_s_links_are_there() -> None:
    links = re.findall(r"(?<!!)\[[^]]+\]\((?!http)(.+?)\)", report.PAGE.read_text())
    assert [link for link in links if not (report.PAGE.parent / link).exists()] == []


def test_everything_was_measured_and_says_how_often(found: dict[str, Any]) -> None:
    assert found["measured"].keys() == MEASUREMENTS.keys() == found["conditions"].keys()
    assert all(condition["rounds"] >= 1 for condition in found["conditions"].values())


def test_the_results_name_the_machine_but_nothing_private_of_it(found: dict[str, Any]) -> None:
    assert found["machine"].keys() >= {"date", "processor", "cores", "kernel", "python", "versions"}
    assert str(Path.home()) not in json.dumps(found)
    assert str(fetch.ROOT) not in json.dumps(found)


def test_a_crowded_machine_is_said_to_be_one(found: dict[str, Any]) -> None:
    found["machine"]["load"] = found["machine"]["cores"] - 0.5
    assert "More was running" not in report.page(found)
    found["machine"]["load"] = found["machine"]["cores"] + 0.5
    assert "More was running than the machine has cores" in report.page(found)


def test_every_goal_has_a_row(found: dict[str, Any]) -> None:
    page = report.page(found)
    for goal in GOALS:
        assert f"| {goal.title} | " in page


def test_a_goal_is_met_at_its_limit_and_missed_beyond(found: dict[str, Any]) -> None:
    goal = next(goal for goal in GOALS if goal.title.startswith("cold start"))
    cold = found["measured"]["cold"]["before-return"]["added_ms"]
    cold["median"] = 40.0
    assert goal.met(found["measured"])
    cold["median"] = 40.1
    assert not goal.met(found["measured"])
    assert f"Missed: {goal.title}" in report.page(found)


def test_a_rate_is_met_at_its_limit_and_missed_below(found: dict[str, Any]) -> None:
    goal = next(goal for goal in GOALS if goal.least)
    rate = found["measured"]["sustained"]["printed"]["before-return"]["rate"]
    rate["median"] = 150_000
    assert goal.met(found["measured"])
    rate["median"] = 149_999
    assert not goal.met(found["measured"])


def test_where_another_is_better_the_page_says_so(found: dict[str, Any]) -> None:
    found["measured"]["cold"]["sentry"]["ms"]["median"] = 0.5
    title = BY_NAME["sentry"].title
    assert any(
        line.startswith("cold start, ms: ") and f"{title} (0.50" in line for line in report.beaten(found["measured"])
    )
    assert f"- cold start, ms: {title}" in report.page(found)


def test_side_by_side_has_a_row_for_everyone(found: dict[str, Any]) -> None:
    rows = report.page(found).splitlines()
    for variant in FIELD:
        assert any(row.startswith(f"| {variant.title} | ") for row in rows)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.234, "1.23"),
        (-1.234, "-1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (1e5, "100,000"),
    ],
)
def test_a_number_has_three_digits_that_count(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_a_million_invocations_cost_what_the_prices_say() -> None:
    measured = {
        "warm": {"x": {"lines": {"10": {"added_asked_ms": {"median": 10.0}}}}},
        "cold": {"x": {"added_ms": {"median": 100.0}}},
        "bill": {"x": {"delivered": 1_000, "billed_bytes": 5_120_000}},
    }
    parts = cost.per_million(measured, "x")
    assert parts["warm"] == pytest.approx(990_000 * 0.010 * 0.5 * 0.0000166667)
    assert parts["cold"] == pytest.approx(10_000 * 0.100 * 0.5 * 0.0000166667)
    assert parts["firehose"] == pytest.approx(10_000_000 * 5_120 / 2**30 * 0.029)


def test_who_has_no_firehose_pays_none() -> None:
    measured = {
        "warm": {"x": {"lines": {"10": {"added_asked_ms": {"median": 0.0}}}}},
        "cold": {"x": {"added_ms": {"median": 0.0}}},
        "bill": {},
    }
    assert sum(cost.per_million(measured, "x").values()) == 0


def test_the_readme_links_the_page() -> None:
    assert "docs/performance.md" in README.read_text()
