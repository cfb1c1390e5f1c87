"""What `make suites` makes of three reports."""

from __future__ import annotations

from pathlib import Path

from tests.suites.__main__ import PINS, SUITES, differences, read


def test_a_report_says_what_became_of_each_test(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a" name="one"/>'
        '<testcase classname="a" name="two"><failure/></testcase>'
        '<testcase classname="b" name="one"><skipped/></testcase></testsuite></testsuites>'
    )
    assert read(report) == {"a::one": "passed", "a::two": "failure", "b::one": "skipped"}


def test_what_differs_bare_already_is_flaky_and_what_is_missing_differs() -> None:
    bare = {"steady": "passed", "flaky": "passed", "harmed": "passed", "gone": "skipped"}
    again = {**bare, "flaky": "failure"}
    teed = {"steady": "passed", "flaky": "failure", "harmed": "failure", "new": "passed"}
    assert differences(bare, again, teed) == ({"harmed", "gone", "new"}, {"flaky"})


def test_every_suite_is_pinned() -> None:
    pinned = {line.partition("==")[0] for line in PINS.read_text().splitlines()}
    assert set(SUITES) <= pinned
