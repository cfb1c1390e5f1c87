"""Lines wait for the outcome of their invocation; what comes out does not depend on when anybody looked."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from log_capture.envelope.holding import Holding, Outcome, Rules

DEFAULT = (("error", ""), ("timeout", ""), ("crash", ""), ("level", "ERROR"))


def line(
    text: str, level: str | None = None, kind: str = "function", stream: str | None = "log"
) -> tuple[int, str, str | None, str | None, str, str]:
    return 0, kind, stream, level, text, ""


def ends(status: str = "success", **how: object) -> tuple[int, str, str | None, str | None, str, str]:
    kind, _, fields = Outcome(status, **how).entry().decode().partition("\0")  # type: ignore[arg-type]
    return 0, kind, None, None, fields, ""


def texts(lines: Iterable[tuple[int, str, str | None, str | None, str, str]]) -> list[str]:
    return [each[4] for each in lines]


@pytest.mark.parametrize(
    ("below", "unlevelled", "held"),
    [
        ("WARNING", False, ["debug", "info", '{"level":"info"}', "[INFO]\ttext"]),
        ("INFO", False, ["debug"]),
        (None, True, ["print", '{"n":1}']),
        ("INFO", True, ["debug", "print", '{"n":1}']),
    ],
)
def test_lines_are_held_by_their_level_wherever_it_stands(below: str | None, unlevelled: bool, held: list[str]) -> None:
    lines = [
        line("debug", "DEBUG"),
        line("info", "INFO"),
        line("warning", "WARNING"),
        line("notice", "NOTICE"),
        line('{"level":"info"}', stream="stdout"),
        line('{"level":"error"}', stream="stdout"),
        line("[INFO]\ttext"),
        line("print", stream="stdout"),
        line('{"n":1}', stream="stdout"),
        line('{"_aws":{"CloudWatchMetrics":[]}}', stream="stdout"),
        line("of ours", kind="extension", stream=None),
        line("{}", kind="platform.start", stream=None),
    ]
    holding = Holding(Rules(below, unlevelled, ()))
    passed = texts(holding.sift(lines))
    assert [text for text in texts(lines) if text not in passed] == held
    assert texts(holding.sift([ends("end")])) == held


@pytest.mark.parametrize(
    ("rule", "outcome", "released"),
    [
        (("error", ""), ends("error"), True),
        (("error", ""), ends("timeout"), False),
        (("timeout", ""), ends("timeout"), True),
        (("cold", ""), ends(cold=True), True),
        (("cold", ""), ends(), False),
        (("slow", "2000"), ends(duration_ms=2000), True),
        (("slow", "2000"), ends(duration_ms=1999.9), False),
        (("sampled", ""), ends(sampled=True), True),
        (("sampled", ""), ends(sampled=False), False),
        (("sampled", ""), ends(), False),
        (("sample", "0"), ends(sampled=True), True),
        (("sample", "1"), ends(sampled=False), False),
        (("sample", "1"), ends(request_id="a"), True),
        (("sample", "0"), ends(request_id="a"), False),
        (("crash", ""), ends(), False),
    ],
)
def test_each_rule_releases_what_it_is_about(
    rule: tuple[str, str], outcome: tuple[int, str, str | None, str | None, str, str], released: bool
) -> None:
    holding = Holding(Rules("WARNING", False, [rule]))
    assert holding.sift([line("a", "DEBUG"), line("b", "INFO")]) == []
    assert holding.waits
    assert texts(holding.sift([outcome])) == (["a", "b"] if released else [])
    assert not holding.waits


def test_a_line_of_the_level_releases_those_before_and_behind_it_and_none_of_the_next_invocation() -> None:
    holding = Holding(Rules("WARNING", False, DEFAULT))
    written = [line("a", "DEBUG"), line("bad", "ERROR"), line("b", "DEBUG"), ends(), line("c", "DEBUG"), ends()]
    assert texts(holding.sift(written)) == ["bad", "a", "b"]


def test_a_share_of_all_requests_is_a_sample_and_a_retry_is_as_its_first_try() -> None:
    rules = Rules("WARNING", False, [("sample", "0.1")])

    def chosen() -> list[bool]:
        return [rules.reason(Outcome("success", request_id=f"request {n}"), 0) is not None for n in range(10_000)]

    assert 900 < sum(chosen()) < 1100
    assert chosen() == chosen()


def test_the_report_says_how_much_was_held_and_why_it_was_released() -> None:
    holding = Holding(Rules("WARNING", False, DEFAULT))
    report = line('{"status":"error","firetee":{"lines":1}}', kind="platform.report", stream=None)
    out = holding.sift(
        [line("a", "DEBUG"), line("bé", "INFO"), ends("error"), report, line("c", "DEBUG"), ends(), report, report]
    )
    told = [json.loads(each[4])["firetee"] for each in out if each[1] == "platform.report"]
    assert told[0] == {"heldLines": 2, "heldBytes": 3, "released": "error", "lines": 1}
    assert told[1] == {"heldLines": 1, "heldBytes": 1, "released": None, "lines": 1}
    assert told[2] == {"heldLines": 0, "heldBytes": 0, "released": None, "lines": 1}


def test_what_is_released_early_is_told_and_an_error_before_counts_for_what_comes_after() -> None:
    holding = Holding(Rules("WARNING", False, DEFAULT))
    report = line('{"firetee":{"lines":1}}', kind="platform.report", stream=None)
    assert texts(holding.sift([line("a", "DEBUG"), line("bad", "ERROR")])) == ["bad"]
    kind, _, fields = holding.early().decode().partition("\0")
    early = (0, kind, None, None, fields, "")
    out = holding.sift([early, line("b", "DEBUG"), ends(), report])
    assert texts(out)[:2] == ["a", "b"]
    assert json.loads(out[-1][4])["firetee"]["released"] == "early,level:ERROR"
    # The next process after a crash begins with the note.
    another = Holding(Rules("WARNING", False, DEFAULT))
    assert another.sift([early], delivered=True) == []
    assert texts(another.sift([line("b", "DEBUG"), ends()])) == ["b"]


def test_a_forked_child_holds_nothing() -> None:
    holding = Holding(Rules("WARNING", True, DEFAULT))
    assert texts(holding.sift([ends("unheld"), line("a", "DEBUG"), line("b")])) == ["a", "b"]


@pytest.mark.parametrize(("release", "sent"), [(DEFAULT, ["a"]), ((("error", ""),), [])])
def test_what_a_dead_process_had_not_decided_is_sent_unless_crashes_do_not_count(
    release: tuple[tuple[str, str], ...], sent: list[str]
) -> None:
    holding = Holding(Rules("WARNING", False, release))
    assert holding.sift([line("a", "DEBUG")]) == []
    assert texts(holding.released()) == sent
    assert not holding.waits


def test_an_outcome_is_read_as_it_was_written() -> None:
    outcome = Outcome("error", duration_ms=12.5, cold=True, sampled=False, request_id="é-1", level="INFO")
    again = Outcome.unpacked(outcome.entry().decode().partition("\0")[2])
    for name in Outcome.__slots__:
        assert getattr(again, name) == getattr(outcome, name)
