"""Each pattern is run by the engine that is fast and safe for it, or refused with a line that says why."""

from __future__ import annotations

import re
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.automaton import Automaton
from log_capture.envelope.patterns import Backtracking, Everything, compile_patterns, is_harmless, split_patterns

HARMLESS = [
    "ERROR",
    "(?i)healthcheck",
    r"password=\S+",
    r"(?<=password=)\S+",
    r'"password"\s*:\s*"[^"]*"',
    r"AKIA[0-9A-Z]{16}",
    r"\b\d{4}[- ]?\d{4}[- ]?\d{4}[- ]?\d{4}\b",
    r"(?:\d{4}-){3}\d{4}",
    r"^START",
    r"<[^<>]*>",
    ".*",
    "ERROR|WARN",
    "(GET|POST) /ping",
    "(?i)error|warn|fatal|critical",
    r"(?:https?://)?[a-z]{3}\.example\.com/\S*",
    r"^(?:DEBUG|INFO)\s",
    "(?:ab){0,3}c",
    r"\b(?:\d{4}[ -]?){3}\d{4}\b",
    "(?:a|b|cd)(?:e|fg)",
]
BACKTRACKING = [
    r"(a+)+$",
    r"(a|aa)+$",
    r"(.*a){20}",
    r"(\w+\s?)*$",
    r"\s+$",
    r"^\s*$",
    ".*error",
    r"[\w.+-]+@[\w-]+\.[\w.]+",
    r"password=\S+;",
    r"a?a?a?a?a?a?a?aaaaaaa",
    r"x[ax]*y",
    r"<[^>]*>",
    r"\d{1,200}\d{1,200}x",
    "(?:a|ab)*c",
    "(?:a*|b)c",
    r"(?:GET|POST) .*ping",
    "(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)b",
    "(?:ab){0,100}c",
]


@pytest.mark.parametrize("pattern", HARMLESS)
def test_harmless_patterns_are_run_by_re(pattern: str) -> None:
    (ready,), problems = compile_patterns("FIRETEE_REDACT", pattern)
    assert isinstance(ready, Backtracking)
    assert not problems


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_patterns_that_may_backtrack_are_run_by_the_automaton(pattern: str) -> None:
    (ready,), problems = compile_patterns("FIRETEE_REDACT", pattern)
    assert isinstance(ready, Automaton)
    assert not problems


#: Texts of one repeated piece, with and without an end that spoils the match: the worst that is known for each.
PIECES = st.sampled_from(
    [
        "ab",
        "cd",
        "GET",
        "GET /pin",
        "aaa.example.com",
        "http://",
        "DEBUG",
        "ERR",
        "a",
        "ax",
        "x",
        '"',
        '"password"',
        '"password":',
        "password=",
        "1",
        "1111-",
        "<",
        " ",
        "A",
        "AKIA",
        "\n",
    ]
)


@pytest.mark.parametrize("pattern", HARMLESS)
@given(piece=PIECES, end=st.sampled_from(["", "!", '"', " ", "\n", "1"]))
def test_re_takes_linear_time_on_a_harmless_pattern(pattern: str, piece: str, end: str) -> None:
    """Quadratic time on 100,000 characters would be tens of seconds; the bound is for a busy machine."""
    compiled = re.compile(pattern)
    text = piece * (100_000 // len(piece)) + end
    before = thread_time()
    for _ in compiled.finditer(text):
        pass
    assert thread_time() - before < 5


SIMPLE = st.sampled_from(
    ["a", "b", "[ab]", "a*", "b+", "[ab]*", "[^a]*", "a?", "(?:ab){2}", "a{1,3}", "$", "^", "c", r"\b"]
)
PATTERNS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map("".join),
        st.lists(inner, min_size=2, max_size=4).map(lambda ways: f"(?:{'|'.join(ways)})"),
        st.tuples(inner, st.sampled_from(["?", "{0,2}", "{2}", "{1,2}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)


@given(PATTERNS)
def test_whatever_is_called_harmless_takes_linear_time(pattern: str) -> None:
    """Quadratic time on 30,000 characters would be seconds for each text."""
    if is_harmless(pattern):
        compiled = re.compile(pattern)
        before = thread_time()
        for text in ("a" * 30_000, "b" * 30_000, "ab" * 15_000, "aab" * 10_000, "abc" * 10_000):
            compiled.search(text + "d")
            sum(1 for _ in compiled.finditer(text))
        assert thread_time() - before < 5


@given(PATTERNS, st.text("abcd\n", max_size=12))
def test_on_a_harmless_pattern_re_and_the_automaton_find_the_same(pattern: str, text: str) -> None:
    if is_harmless(pattern):
        found, automaton = Backtracking(re.compile(pattern)), Automaton(pattern)
        assert found.found(text) == automaton.found(text)
        if re.compile(pattern).fullmatch("") is None:
            assert found.spans(text) == automaton.spans(text)


@pytest.mark.parametrize("pattern", [r"(\w)\1+", r"a(?=.*b)c*d", r"(?<!x)\s+$"])
def test_a_pattern_that_nothing_can_run_in_bounded_time_is_refused(pattern: str) -> None:
    ready, problems = compile_patterns("FIRETEE_EXCLUDE", pattern)
    assert not ready
    (problem,) = problems
    assert problem.startswith(f"FIRETEE_EXCLUDE: the pattern {pattern!r} cannot be run in bounded time (")
    assert problem.endswith("it is ignored")
    assert "\n" not in problem


def test_a_refused_redaction_matches_everything_so_that_nothing_is_given_away() -> None:
    (ready,), (problem,) = compile_patterns("FIRETEE_REDACT", r"(\w)\1+", withhold=True)
    assert isinstance(ready, Everything)
    assert ready.found("")
    assert ready.spans("text") == [(0, 4)]
    assert ready.spans("") == []
    assert problem.endswith("every line is sent as ***")


def test_a_pattern_that_does_not_compile_costs_one_line_and_the_others_still_work() -> None:
    ready, problems = compile_patterns("FIRETEE_REDACT", "a+;;(;;b+", withhold=True)
    assert [pattern.found(text) for pattern in ready for text in "ab"] == [True, False, False, True]
    (problem,) = problems
    assert problem.startswith("FIRETEE_REDACT: the pattern '(' does not compile (")
    assert problem.endswith("): it is ignored")


@pytest.mark.parametrize(
    ("value", "expected"), [(None, []), ("", []), ("a", ["a"]), (" a ;; b\nc;;\n;d", ["a", "b", "c", ";d"])]
)
def test_patterns_are_one_a_line_or_separated_by_two_semicolons(value: str | None, expected: list[str]) -> None:
    assert split_patterns(value or "") == expected


def test_a_pattern_that_makes_re_warn_is_no_concern_of_the_function() -> None:
    """Warnings are errors in these tests, as they may be in a function."""
    ready, problems = compile_patterns("FIRETEE_INCLUDE", "[[]a]")
    assert len(ready) == 1
    assert not problems
