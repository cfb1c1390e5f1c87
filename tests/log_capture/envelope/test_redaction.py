"""What takes the place of what is redacted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.patterns import compile_replacements
from log_capture.envelope.redaction import Redaction
from log_capture.envelope.secret_keys import SecretKeys


def redaction(setting: str, *keys: str) -> Redaction:
    replacements, problems = compile_replacements("FIRETEE_REDACT", setting)
    assert problems == []
    return Redaction(replacements, SecretKeys(keys) if keys else None)


@pytest.mark.parametrize(
    ("setting", "text", "expected"),
    [
        (r"\d{4}", "card 1234", "card ***"),
        (r"\d{4}=>", "card 1234.", "card ."),
        (r"\d{4}=>N", "card 1234 or 5678", "card N or N"),
        (r"\d{12}(\d{4})=>…\1", "card 4111111111111111", "card …1111"),
        (r"<(?P<first>\w)\w+@=><\g<first>…@", "to <eva@example.com>", "to <e…@example.com>"),
        (r"a=[>]b=>c", "x a=>b", "x c"),
        (r"x=>y=>z", "x=>y", "z"),
        (r"(a+)+b=>N", "aab", "N"),
        ("alice=>bob;;user=(.*)=>U", "user=alice", "***"),
        ("a=>b;;b=>c", "ab", "bc"),
    ],
)
def test_a_text_takes_the_place_of_each_match(setting: str, text: str, expected: str) -> None:
    assert redaction(setting).redacted(text, is_object=False) == expected


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        (r"\d{12}(\d{4})=>…\1", {"card": "4111111111111111", "n": 4111111111111111}, {"card": "…1111", "n": "…1111"}),
        (r'secret=>a "quote"', {"a": "a secret"}, {"a": 'a a "quote"'}),
        (r'"a": "[^"]*"=>"a": "b"', {"a": "x", "n": 1}, {"***": "***", "n": 1}),
    ],
)
def test_a_json_object_stays_one(setting: str, value: Any, expected: Any) -> None:
    assert json.loads(redaction(setting).redacted(json.dumps(value), is_object=True)) == expected


def test_secret_keys_go_before_patterns_are_asked() -> None:
    using = redaction("x+=>y;;(.)(.)z=>\\2\\1", "key")
    assert using.redacted("key=xx xx abz", is_object=False) == "key=*** y ba"


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        (r"(a+)+b=>\1", "the pattern may backtrack"),
        (r"(a)=>\2", "invalid group reference 2"),
        (r"(a)=>\g<name>", "name"),
        (r"a=>\q", "bad escape"),
    ],
)
def test_a_text_that_cannot_be_is_told_and_nothing_is_shown(setting: str, why: str) -> None:
    replacements, (problem,) = compile_replacements("FIRETEE_REDACT", setting)
    assert problem.startswith("FIRETEE_REDACT: the text '\\")
    assert why in problem
    assert Redaction(replacements).redacted("aab", is_object=False) in ("***", "*********b", "******b")


def test_a_pattern_that_is_refused_hides_all_whatever_should_take_its_place() -> None:
    replacements, (problem,) = compile_replacements("FIRETEE_REDACT", r"(\w)\1+=>x")
    assert "every line is sent as ***" in problem
    assert Redaction(replacements).redacted("a b", is_object=False) == "***"


@given(
    st.lists(st.sampled_from(["a", "[ab]c", "(a)(b)?", "c", "b"]), min_size=1, max_size=3), st.text("abc ", max_size=12)
)
def test_what_one_pattern_hides_no_other_shows(patterns: list[str], text: str) -> None:
    """All but the last show what they match."""
    setting = ";;".join([*(pattern + r"=>\g<0>" for pattern in patterns), "b=>."])
    assert "b" not in redaction(setting).redacted(text, is_object=False)
