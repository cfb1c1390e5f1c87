"""The page about searching shows what was measured."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from benchmarks import search


def test_the_page_shows_the_results() -> None:
    assert search.table(json.loads(search.RESULTS.read_text())) in search.PAGE.read_text()


def test_lines_are_the_same_each_time_and_of_two_functions() -> None:
    begin = datetime(2026, 11, 23, tzinfo=timezone.utc)
    made = [json.loads(line) for line in search.lines(begin, 60)]
    assert made == [json.loads(line) for line in search.lines(begin, 60)]
    assert {line["function"] for line in made} == {"orders", "bills"}
    assert [line["seq"] for line in made if line["level"] == "ERROR"] == [0, 50]
    assert made[1]["time"] == "2026-11-23T00:00:00.001000Z"
