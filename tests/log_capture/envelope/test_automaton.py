"""The automaton finds what `re` finds, and takes linear time where `re` would not come back."""

from __future__ import annotations

import random
import re
from time import thread_time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from log_capture.envelope import automaton
from log_capture.envelope.automaton import Automaton, TooComplexError, UnsupportedError

ATOMS = ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\s", "\n", r"\b", r"\B", "^", "$", r"\A", r"\Z", "(?i:A)", "(?m:$)"]
SUFFIXES = ["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}"]


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    many = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        many.map("".join),
        many.map(lambda ways: f"(?:{'|'.join(ways)})"),
        st.builds(lambda part, suffix: f"(?:{part}){suffix}", inner, st.sampled_from(SUFFIXES)),
    )


PATTERNS = st.recursive(st.sampled_from(ATOMS), _grown, max_leaves=8)
TEXTS = st.text("abA \n", max_size=12)


@given(PATTERNS, TEXTS)
@example("(?:a|ab)(?:c|bcd)(?:d*)", "abcd")
@example("a$", "a\n")
@example(r"\bab\b", "ab abab ab")
def test_a_text_has_a_match_exactly_when_re_says_so(pattern: str, text: str) -> None:
    assert Automaton(pattern).found(text) == (re.search(pattern, text) is not None)


@given(PATTERNS, TEXTS)
@example("(?:a|ab)(?:c|bcd)(?:d*)", "abcd")
@example("a.*?b", "aabab")
def test_matches_are_where_re_has_them_if_no_match_can_be_empty(pattern: str, text: str) -> None:
    # Which matches follow an empty one is a matter of taste; nothing is hidden in an empty match.
    assume(not any(re.fullmatch(pattern, part) for part in ("", "a", "b", "\n")) or "*" not in pattern)
    expected = [match.span() for match in re.finditer(pattern, text)]
    assume(all(start < end for start, end in expected))
    assert Automaton(pattern).spans(text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "hidden"),
    [
        (
            r"[\w.+-]+@[\w-]+\.[\w.]+",
            "mail ann@example.org, or bob.b+x@mail.example.com!",
            ["ann@example.org", "bob.b+x@mail.example.com"],
        ),
        (r"(?:password|token)=\S+", "token=abc password=1;2 x", ["token=abc", "password=1;2"]),
        (r"password=.*?;", "password=a;password=b;c;", ["password=a;", "password=b;"]),
        (r"(?i)BEARER\s+\S+", "bearer  x.y.z end", ["bearer  x.y.z"]),
        (r"^key:.*$(?#no flags)", "key: a\nkey: b", []),
        (r"(?m)^key:.*$", "key: a\nkey: b", ["key: a", "key: b"]),
        (r"ü+ß?", "müüße", ["üüß"]),
    ],
)
def test_ordinary_redactions_find_what_they_are_meant_to_find(pattern: str, text: str, hidden: list[str]) -> None:
    assert [text[start:end] for start, end in Automaton(pattern).spans(text)] == hidden


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (r"(a)\1", "a backreference"),
        (r"(a)?(?(1)b|c)", "a conditional group"),
        (r"a(?=b)", "lookaround"),
        (r"(?<!a)b", "lookaround"),
        (r"(?:(?:a{1,50}){1,50}){1,50}", "too large"),
    ],
)
def test_what_only_backtracking_can_do_is_refused_by_name(pattern: str, what: str) -> None:
    with pytest.raises(UnsupportedError, match=what):
        Automaton(pattern)


MEGABYTE = 1_000_000
EVIL = [
    (r"(a+)+$", "a" * MEGABYTE + "!"),
    (r"(a|a)*$", "a" * MEGABYTE + "!"),
    (r"(a|aa)+$", "a" * MEGABYTE + "!"),
    (r"(.*a){20}", "a" * MEGABYTE),
    (r"(.*a){20}!", "a" * MEGABYTE),
    (r"(\w+\s?)*$", "word " * (MEGABYTE // 5) + "!"),
    (r"\s+$", " " * MEGABYTE + "!"),
    (r"^(\d+|\d+x)*$", "1" * MEGABYTE),
    (r"[\w.+-]+@[\w-]+\.[\w.]+", "a" * MEGABYTE + "@"),
    (r"(a*)*b", "a" * MEGABYTE + "b"),
    (r"a(.*b)?c?", "a" * MEGABYTE),
    (r"x*y?z*!|x", "x" * MEGABYTE),
]


@pytest.mark.parametrize(("pattern", "text"), EVIL, ids=[pattern for pattern, _ in EVIL])
def test_a_megabyte_of_evil_text_takes_less_than_a_few_seconds(pattern: str, text: str) -> None:
    """`re` needs between hours and for ever; the bound is on processor time, which other processes do not use up."""
    machine = Automaton(pattern)
    before = thread_time()
    machine.found(text)
    machine.spans(text)
    assert thread_time() - before < 20


def test_states_that_never_repeat_are_given_up_after_a_bounded_amount_of_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(automaton, "_MAX_WORK", 50_000)
    machine = Automaton("c(?:a|b){20}a(?:a|b)*")
    text = "c" + "".join(random.Random(1).choices("ab", k=20_000))
    with pytest.raises(TooComplexError):
        machine.found(text)
    machine.found("ca" + "x" * 50_000)
    assert machine.found("c" + "a" * 21), "reading on earns a new chance"


def test_memory_is_bounded_by_making_states_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "_MAX_STATES", 10)
    machine = Automaton("c(?:a|b){6}a(?:a|b)*")
    text = "c" + "".join(random.Random(2).choices("ab", k=2_000))
    assert machine.found(text) == (text[7] == "a")
    assert len(machine._backward._states) <= 10
