"""Filters hide what they are told to hide, everywhere it may stand, and nothing else."""

from __future__ import annotations

import json
import traceback
from time import thread_time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope import automaton
from log_capture.envelope.filters import Filters
from log_capture.envelope.render import Renderer

if TYPE_CHECKING:
    from log_capture.envelope.lines import Line

CARD = r"\b\d{4}[- ]?\d{4}[- ]?\d{4}[- ]?\d{4}\b"
EMAIL = r"[\w.+-]+@[\w-]+\.[\w.]+"


def filters(
    min_level: str | None = None, include: str | None = None, exclude: str | None = None, redact: str | None = None
) -> Filters:
    found, problems = Filters.compile(min_level=min_level, include=include, exclude=exclude, redact=redact)
    assert not problems
    assert found is not None
    return found


def sent(using: Filters | None, text: str, *, kind: str = "function", **settings: Any) -> list[Any]:
    """The records of the envelopes that come of one line."""
    level = settings.pop("level", None)
    one: Line = (1_795_441_832_480_123, kind, "stdout", level, text, "")
    out: list[bytes] = []
    Renderer(**{"format": "json", "environment": "e", "filters": using, **settings}).render_many([one], 0, out)
    return [json.loads(data)["record"] for data in out]


def test_without_settings_there_is_nothing_to_do() -> None:
    assert Filters.compile(min_level=None, include=None, exclude="", redact=" ;; ") == (None, [])


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", False), ("INFO", False), ("WARNING", True), ("ERROR", True), (None, True), ("NOTICE", True)],
)
def test_lines_whose_level_is_known_and_lower_are_not_sent(level: str | None, expected: bool) -> None:
    assert filters(min_level="warn").wants("text", level) == expected
    assert bool(sent(filters(min_level="WARNING"), "text", level=level)) == expected


def test_the_level_of_a_json_line_and_of_a_prefix_counts() -> None:
    assert sent(filters(min_level="ERROR"), '{"level":"info"}', level="ERROR") == []
    assert sent(filters(min_level="ERROR"), '{"level":"error"}', level="INFO") == [{"level": "error"}]


def test_lines_are_numbered_without_a_gap_where_some_are_not_sent() -> None:
    lines: list[Line] = [(0, "function", "stdout", None, text, "") for text in ("keep", "drop", "keep")]
    out: list[bytes] = []
    using = Renderer(format="json", environment="e", filters=filters(exclude="drop"))
    assert using.render_many(lines, 5, out) == 7
    assert [json.loads(data)["seq"] for data in out] == [5, 6]


@pytest.mark.parametrize(
    ("include", "exclude", "text", "expected"),
    [
        ("order", None, "order 17", True),
        ("order", None, "nothing", False),
        ("a;;b", None, "b", True),
        (None, "health", "GET /health", False),
        (None, "health;;ping", "GET /ping", False),
        (None, "health", "GET /", True),
        ("GET", "health", "GET /health", False),
        (EMAIL, None, "mail a@b.de", True),
        (None, EMAIL, "mail a@b.de", False),
        ("^$", None, "", True),
    ],
)
def test_include_and_exclude_search_the_text(
    include: str | None, exclude: str | None, text: str, expected: bool
) -> None:
    assert filters(include=include, exclude=exclude).wants(text, None) == expected


def test_include_and_exclude_see_the_text_before_it_is_redacted() -> None:
    assert sent(filters(include="secret", redact="secret"), "a secret") == ["a ***"]
    assert sent(filters(exclude="secret", redact="secret"), "a secret") == []


def test_platform_events_pass() -> None:
    using = filters(min_level="ERROR", include="nothing", redact=".*")
    assert sent(using, '{"requestId":"r"}', kind="platform.start") == [{"requestId": "r"}]
    assert sent(using, "text", kind="extension") == []


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [
        ("secret", "a secret, a secret", "a ***, a ***"),
        ("secret", "nothing", "nothing"),
        ("ab;;bc", "xabcx", "x***x"),
        ("ab;;cd", "abcd", "******"),
        (r"\d{4};;card \d{8}", "card 12345678", "***"),
        ("a*", "baab", "b***b"),
        (EMAIL, "mail ann@example.org now", "mail *** now"),
        (CARD, "card 4111 1111 1111 1111.", "card ***."),
        (r"(?<=password=)\S+", "password=abc x", "password=*** x"),
        ("(?i)TOKEN=\\w+", "Token=abc", "***"),
        ("ü+", "grüün", "gr***n"),
    ],
)
def test_each_match_is_sent_as_three_stars(patterns: str, text: str, expected: str) -> None:
    assert filters(redact=patterns).redacted(text, is_object=False) == expected


@pytest.mark.parametrize(
    ("patterns", "value", "expected"),
    [
        ("secret", {"a": "my secret"}, {"a": "my ***"}),
        ("secret", {"secret key": 1}, {"*** key": 1}),
        ("secret", {"a": [{"b": ["x", "secret"]}]}, {"a": [{"b": ["x", "***"]}]}),
        (r"^\d{16}$", {"a": "4111111111111111"}, {"a": "***"}),
        (r"\d{16}", {"card": 4111111111111111}, {"card": "***"}),
        ("true", {"admin": True}, {"admin": "***"}),
        (r'"password":\s*"[^"]*"', {"user": "u", "password": "p", "x": 1}, {"user": "u", "***": "***", "x": 1}),
        (r'(?<="password": ")[^"]*', {"password": "p q"}, {"password": "***"}),
        ("a/b", {"path": "a/b"}, {"path": "***"}),
        ("ü", {"a": "über"}, {"a": "***ber"}),
        (r"\u2028", {"a": "x\u2028y"}, {"a": "x***y"}),
        ('say "hi"', {"a": 'they say "hi" twice'}, {"a": "they *** twice"}),
        (r"line\ntwo", {"a": "line\ntwo"}, {"a": "***"}),
        (r"line\stwo", {"a": "one line\ntwo"}, {"a": "one ***"}),
        (r"secret;;\w+\\n", {"a": "a secret b\nc"}, {"a": "a *** ***c"}),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_redaction_reaches_into_json_and_leaves_json(
    patterns: str, value: Any, expected: Any, ascii_only: bool
) -> None:
    assert sent(filters(redact=patterns), json.dumps(value, ensure_ascii=ascii_only)) == [expected]


def test_what_is_not_redacted_in_json_stays_byte_for_byte() -> None:
    text = '{ "n": 1.10,"e":1e400 , "s":"\\u0041 \\/ secret", "t" : "x\\/y" }'
    assert filters(redact="secret").redacted(text, True) == '{ "n": 1.10,"e":1e400 , "s":"A / ***", "t" : "x\\/y" }'
    assert filters(redact="absent").redacted(text, True) is text


def test_a_secret_spelled_with_escapes_is_found() -> None:
    assert sent(filters(redact="secret"), '{"a":"\\u0073ecret"}') == [{"a": "***"}]


def test_json_whose_keys_collide_after_redaction_is_sent_as_text() -> None:
    (record,) = sent(filters(redact=r"\d+"), '{"1":"a","2":"b"}')
    assert record == '{"***":"a","***":"b"}'


SECRETS = st.sampled_from(["secret", 'se"cret', "se\\cret", "sécret", "12345"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.builds("{}{}{}".format, st.text(max_size=3), SECRETS, st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), st.booleans())
def test_no_secret_is_left_anywhere_in_a_json_line(value: dict[str, Any], ascii_only: bool) -> None:
    using = filters(redact=r's[eé]"?\\?cret;;1234')
    redacted = using.redacted(json.dumps(value, ensure_ascii=ascii_only), True)
    left = json.dumps(json.loads(redacted), ensure_ascii=False)
    for spelling in ("secret", 'se\\"cret', "se\\\\cret", "sécret", "1234"):
        assert spelling not in left


def test_redaction_covers_tracebacks() -> None:
    try:
        raise ValueError("cannot log in with password=hunter2")
    except ValueError:
        text = traceback.format_exc()
    (record,) = sent(filters(redact=r"password=\S+"), text)
    assert "hunter2" not in record
    assert record.endswith("ValueError: cannot log in with ***\n")


def test_redaction_comes_before_a_long_line_is_split() -> None:
    text = "x" * 500 + "secret" + "y" * 2_000
    for padding in range(0, 500, 7):
        parts = sent(filters(redact="secret"), "z" * padding + text, max_bytes=700)
        assert len(parts) > 1
        assert "".join(parts) == "z" * padding + text.replace("secret", "***")


def test_redaction_holds_for_the_text_format() -> None:
    out: list[bytes] = []
    using = Renderer(format="text", environment="e", filters=filters(redact="secret"))
    using.render_many(
        [(0, "function", "stdout", None, "a secret", ""), (0, "function", "log", None, '{"a":"secret"}', "")], 0, out
    )
    assert out == [b"a ***\n", b'{"a":"***"}\n']


def test_problems_name_their_variable_and_the_rest_still_works() -> None:
    found, problems = Filters.compile(min_level=None, include="(", exclude="[;;drop", redact="(a)\\1;;*")
    assert [problem.split(":")[0] for problem in problems] == [
        "FIRETEE_INCLUDE",
        "FIRETEE_EXCLUDE",
        "FIRETEE_REDACT",
        "FIRETEE_REDACT",
    ]
    assert found is not None
    assert found.wants("keep", None)
    assert not found.wants("drop", None)
    assert found.redacted("anything", False) == "***", "what a refused pattern would have hidden is not given away"


def test_a_text_that_proves_too_complex_is_kept_but_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "_MAX_WORK", 0)
    evil = "c(?:a|bb){20}a(?:a|bb)*"
    using = filters(include=evil, exclude=evil, redact=evil)
    monkeypatch.setattr(automaton, "_WORK_PER_CHARACTER", 0)
    assert using.wants("cab", None)
    assert using.redacted("cab", False) == "***"
    assert using.redacted('{"a":"cab"}', True) == '{"***":"***"}'


EVIL = [r"(a+)+$", r"(a|aa)+$", r"(.*a){20}!", r"(\w+\s?)*$", r"\s+$", EMAIL, r"<[^>]*>"]


@pytest.mark.parametrize("pattern", EVIL)
def test_a_megabyte_of_evil_text_costs_a_bounded_time(pattern: str) -> None:
    """With `re` alone each of these takes between a minute and for ever."""
    using = filters(include="a;; ;;<", exclude=pattern, redact=pattern)
    before = thread_time()
    for piece in ("a", "word ", " ", "a@", "<"):
        sent(using, piece * (200_000 // len(piece)) + "!")
        sent(using, json.dumps({"message": piece * (200_000 // len(piece)) + "!"}))
    assert thread_time() - before < 10
