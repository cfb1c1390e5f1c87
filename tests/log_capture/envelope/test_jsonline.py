"""A line is an object only if every reader agrees on what it says."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.jsonline import MAX_DEPTH, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=5)


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]), st.text(" \t\r\n", max_size=3))
def test_every_json_object_is_recognised_however_it_is_written(
    value: dict[str, object], ascii_only: bool, indent: int | None, blanks: str
) -> None:
    text = blanks + json.dumps(value, ensure_ascii=ascii_only, indent=indent) + blanks
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "{}}",
        '{"a":1} x}',
        '{"a":1}{"b":2}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1,"a":2}',
        '{"x":[{"a":1,"a":2}]}',
        '{"a":"line\nbreak"}',
        '{"a":1,}',
        "{'a':1}",
        "{a:1}",
        '{{"a":1}}',
        "[1]",
        '"{}"',
        "17",
        "null",
        '{"a":"\\x"}',
        '{"a":tru}',
        "\ufeff{}",
        "\u00a0{}",
        "{1:2}",
    ],
)
def test_what_is_not_strictly_one_object_stays_text(text: str) -> None:
    assert parse(text) is None


def test_a_number_with_more_digits_than_int_takes_is_valid_json() -> None:
    assert parse('{"a":' + "9" * 5_000 + "}") is not None
    assert parse('{"a":' + "9" * 5_000 + "} x}") is None


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_an_object_is_nested_so_deep_at_most(depth: int, expected: bool) -> None:
    text = '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)
    assert (parse(text) is not None) == expected


def test_brackets_inside_strings_are_no_depth() -> None:
    text = json.dumps({"a": '[{"\\' * 1000, "b": [[]] * 1000})
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize("opening", ['{"a":', '{"a":[['])
def test_deep_nesting_cannot_exhaust_the_stack_even_if_the_function_lifted_the_recursion_limit(opening: str) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        assert parse(opening * 300_000 + "}") is None
    finally:
        sys.setrecursionlimit(limit)
