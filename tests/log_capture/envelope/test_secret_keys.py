"""Values of secret keys are hidden, whatever they look like; and what is not secret stays."""

from __future__ import annotations

import json
import string
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.secret_keys import SecretKeys

KEYS = SecretKeys(["password", "Authorization"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2", "password=***"),
        ("user=bob password=hunter2 ok=1", "user=bob password=*** ok=1"),
        ("a=1&PassWord=x%20y&b=2", "a=1&PassWord=***&b=2"),
        ("--password=hunter2 --verbose", "--password=*** --verbose"),
        ("db.password=hunter2", "db.password=***"),
        ('password="two words" user=bob', 'password="***" user=bob'),
        ("password='it\\'s' user=bob", "password='***' user=bob"),
        ('password="never closed', 'password="***'),
        ("password='''it's \nthis''', n=1", "password='''***''', n=1"),
        ('password="""x "y" z""" user=bob', 'password="""***""" user=bob'),
        ('password="""never closed" user=bob', 'password="""***'),
        ('password="", user="bob"', 'password="", user="bob"'),
        ("{'password': 'x y', 'n': 1}", "{'password': '***', 'n': 1}"),
        ("{'password': b'x', 'n': 1}", "{'password': b'***', 'n': 1}"),
        ("User(password={'a': ['}']}, n=1)", "User(password=***, n=1)"),
        (
            'request {"user": "bob", "password": "x \\" y", "n": 1}',
            'request {"user": "bob", "password": "***", "n": 1}',
        ),
        (r"{\"password\": \"x \\\" y\", \"n\": 1} of", r"{\"password\": \"***\", \"n\": 1} of"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("authorization=Bearer abc, next", "authorization=***"),
        ("AUTHORIZATION = AWS4-HMAC-SHA256 Credential=a, Signature=b\nnext=1", "AUTHORIZATION = ***\nnext=1"),
        ("password: a b\nuser: bob", "password: ***\nuser: bob"),
        ("params[password]=x&n=1", "params[password]=***&n=1"),
        ("'password' => 'x', 'n' => 1", "'password' => '***', 'n' => 1"),
        ("password=", "password="),
        ("password_hint=blue old-password=x mypassword=y passwords=z", None),
        ("the password is wrong", None),
        ("", None),
    ],
)
def test_in_text_the_value_goes_and_the_rest_stays(text: str, expected: str | None) -> None:
    assert KEYS.hidden(text, is_object=False) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"password": "x", "user": "bob"}, {"password": "***", "user": "bob"}),
        ({"a": [{"PASSWORD": 5}]}, {"a": [{"PASSWORD": "***"}]}),
        ({"/login?password=x&n=1": {"hits": 2}}, {"/login?password=***&n=1": {"hits": 2}}),
        ({"password": {"deep": ["x"]}, "n": 1}, {"password": "***", "n": 1}),
        ({"password": None, "n": []}, {"password": "***", "n": []}),
        ({"message": "login password=x"}, {"message": "login password=***"}),
        ({"body": '{"password": "x", "n": 1}'}, {"body": '{"password": "***", "n": 1}'}),
        ({"password=": "x"}, {"password=": "x"}),
        ({"a": "password", "b": "x"}, {"a": "password", "b": "x"}),
        ({"password_hint": "blue"}, {"password_hint": "blue"}),
    ],
)
def test_in_a_json_object_the_value_goes_at_any_depth(record: Any, expected: Any) -> None:
    for text in (json.dumps(record), json.dumps(record, indent=2), json.dumps(record, separators=(",", ":"))):
        assert json.loads(KEYS.hidden(text, is_object=True)) == expected


def test_a_key_that_is_spelled_with_escapes_is_found() -> None:
    assert json.loads(KEYS.hidden('{"\\u0070assword": "x"}', is_object=True)) == {"password": "***"}


def test_a_text_without_a_secret_is_the_same_object() -> None:
    for text in ('{"user": "bob"}', '{"password_hint": "blue"}'):
        assert KEYS.hidden(text, is_object=True) is text
        assert KEYS.hidden(text, is_object=False) is text


SECRETS = st.text(string.ascii_letters + string.digits + "\\\"' {}[]=:,é☃", min_size=1).map(lambda text: f"s{text}t")
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(string.ascii_letters + '"\\{}:,', max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", 'b"', "c\\", "password_"]), inner, max_size=3),
    ),
    max_leaves=8,
)


def planted(value: Any, secret: Any, here: bool) -> Any:
    """The value with the secret under a key somewhere in it."""
    if isinstance(value, dict) and value and not here:
        key = next(iter(value))
        return {**value, key: planted(value[key], secret, True)}
    if isinstance(value, list) and value and not here:
        return [planted(value[0], secret, True), *value[1:]]
    return {"before": value, "PassWord": secret, "after": value}


@given(
    JSON,
    st.one_of(SECRETS, st.lists(SECRETS, min_size=1), st.dictionaries(SECRETS, SECRETS, min_size=1)),
    st.booleans(),
)
def test_of_any_json_only_the_secret_is_gone(value: Any, secret: Any, here: bool) -> None:
    record = {"record": planted(value, secret, here)}
    expected = {"record": planted(value, "***", here)}
    for options in ({}, {"indent": 1}, {"ensure_ascii": False}):
        assert json.loads(KEYS.hidden(json.dumps(record, **options), is_object=True)) == expected


@given(SECRETS, st.integers(0, 2))
def test_json_in_a_string_of_json_in_text_gives_nothing_away(secret: str, depth: int) -> None:
    text = json.dumps({"password": secret, "n": 1})
    expected = json.dumps({"password": "***", "n": 1})
    for _ in range(depth):
        text, expected = json.dumps(text), json.dumps(expected)
    assert KEYS.hidden("got " + text, is_object=False) == "got " + expected


@given(SECRETS)
def test_a_dict_that_is_printed_gives_nothing_away(secret: str) -> None:
    assert KEYS.hidden(f"got { ({'password': secret, 'n': 1}) }", is_object=False).endswith(", 'n': 1}")
    assert secret[1:-1] not in KEYS.hidden(f"got { ({'password': secret}) }", is_object=False) or len(secret) < 6


@pytest.mark.parametrize(
    "piece",
    [
        "password=",
        "password",
        'password="',
        "password='\\",
        "password={",
        "\\",
        "password\\",
        "password ",
        '"password"',
        "(password=(",
    ],
)
def test_no_text_takes_more_than_linear_time(piece: str) -> None:
    """Quadratic time on 200,000 characters would be minutes; the bound is for a busy machine."""
    text = piece * (200_000 // len(piece))
    before = thread_time()
    KEYS.hidden(text, is_object=False)
    assert thread_time() - before < 5
