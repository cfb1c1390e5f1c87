"""Settings are read once; a bad one costs one clear line and its default."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.levels import RANKS
from wrapper.config import LEVELS, SETTINGS, Config

ARN = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs"
OTHER_ARN = "arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/other"

DEFAULTS: dict[str, Any] = {
    "streams": (),
    "stream_errors": (),
    "flush": "before-return",
    "flush_timeout_ms": 2000,
    "linger_ms": 1000,
    "batch_age_ms": 10_000,
    "batch_bytes": 1_048_576,
    "format": "json",
    "compression": "none",
    "aggregate": True,
    "events": frozenset(("function", "platform")),
    "capture": "python",
    "buffer_bytes": 16_777_216,
    "overflow": "drop",
    "journal_dir": "/tmp",
    "min_level": None,
    "include": None,
    "exclude": None,
    "redact": None,
    "redact_keys": (),
    "hold": (None, False),
    "release": (("error", ""), ("timeout", ""), ("crash", ""), ("level", "ERROR")),
    "tags": (),
    "parse_json": True,
    "exec_wrapper": None,
    "role_arn": None,
    "client": "auto",
    "log_level": "WARNING",
    "disabled": False,
    "problems": (),
}


def values(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in Config.__slots__}


def test_without_a_variable_every_setting_has_its_default() -> None:
    assert values(Config.from_environ({})) == DEFAULTS


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    assert sorted(setting.field for setting in SETTINGS) == sorted(set(Config.__slots__) - {"problems"})
    assert set(Config.__annotations__) == set(Config.__slots__)


def test_a_config_is_frozen() -> None:
    config = Config.from_environ({})
    with pytest.raises(AttributeError, match="frozen"):
        config.flush = "batched"


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("FIRETEE_STREAM", "logs", "streams", ("logs",)),
        ("FIRETEE_STREAM", " a , b,,a ", "streams", ("a", "b")),
        ("FIRETEE_STREAM", f"{ARN},{OTHER_ARN}", "streams", (ARN, OTHER_ARN)),
        ("KINESIS_DELIVERY_STREAM", "old", "streams", ("old",)),
        ("FIRETEE_FLUSH", "batched", "flush", "batched"),
        ("FIRETEE_FLUSH", "After-Return", "flush", "after-return"),
        ("FIRETEE_FLUSH_TIMEOUT_MS", "0", "flush_timeout_ms", 0),
        ("FIRETEE_FLUSH_TIMEOUT_MS", " 86400000 ", "flush_timeout_ms", 86_400_000),
        ("FIRETEE_LINGER_MS", "1", "linger_ms", 1),
        ("FIRETEE_BATCH_AGE_MS", "60000", "batch_age_ms", 60_000),
        ("FIRETEE_BATCH_BYTES", "1", "batch_bytes", 1),
        ("FIRETEE_FORMAT", "text", "format", "text"),
        ("FIRETEE_COMPRESSION", "GZIP", "compression", "gzip"),
        ("FIRETEE_AGGREGATE", "false", "aggregate", False),
        ("FIRETEE_AGGREGATE", "0", "aggregate", False),
        ("FIRETEE_EVENTS", "extension, FUNCTION", "events", frozenset(("extension", "function"))),
        ("FIRETEE_CAPTURE", "fd", "capture", "fd"),
        ("FIRETEE_BUFFER_BYTES", "65536", "buffer_bytes", 65_536),
        ("FIRETEE_OVERFLOW", "block", "overflow", "block"),
        ("FIRETEE_JOURNAL_DIR", "/mnt/efs", "journal_dir", "/mnt/efs"),
        ("FIRETEE_MIN_LEVEL", "warn", "min_level", "WARNING"),
        ("FIRETEE_MIN_LEVEL", "Fatal", "min_level", "CRITICAL"),
        ("FIRETEE_INCLUDE", "order", "include", "order"),
        ("FIRETEE_EXCLUDE", "^$", "exclude", "^$"),
        ("FIRETEE_EVENTS", "Function, platform.REPORT", "events", frozenset(("function", "platform.report"))),
        ("FIRETEE_REDACT", "a;;b", "redact", "a;;b"),
        ("FIRETEE_HOLD", "below warn", "hold", ("WARNING", False)),
        ("FIRETEE_HOLD", "Unlevelled, Below INFO", "hold", ("INFO", True)),
        ("FIRETEE_RELEASE", "cold, slow:2000", "release", (("cold", ""), ("slow", "2000"))),
        ("FIRETEE_RELEASE", "LEVEL:warn,sample:0.01", "release", (("level", "WARNING"), ("sample", "0.01"))),
        ("FIRETEE_REDACT_KEYS", " password, Set-Cookie,,password", "redact_keys", ("password", "Set-Cookie")),
        ("FIRETEE_TAGS", " team = web ,stage=,x=a=b", "tags", (("team", "web"), ("stage", ""), ("x", "a=b"))),
        ("FIRETEE_PARSE_JSON", "no", "parse_json", False),
        ("FIRETEE_EXEC_WRAPPER", "/opt/otel-instrument", "exec_wrapper", "/opt/otel-instrument"),
        ("FIRETEE_ROLE_ARN", "arn:aws:iam::1:role/r", "role_arn", "arn:aws:iam::1:role/r"),
        ("FIRETEE_CLIENT", "boto3", "client", "boto3"),
        ("FIRETEE_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("FIRETEE_DISABLED", "on", "disabled", True),
        ("FIRETEE_DISABLED", "TRUE", "disabled", True),
    ],
)
def test_a_good_value_is_used(variable: str, text: str, field: str, value: object) -> None:
    assert values(Config.from_environ({variable: text})) == {**DEFAULTS, field: value}


BAD = [
    ("FIRETEE_STREAM", "arn:aws:s3:::bucket"),
    ("FIRETEE_STREAM", "good,arn:aws:firehose:eu-west-1:1:logs"),
    ("KINESIS_DELIVERY_STREAM", "arn:aws:kinesis:eu-west-1:1:stream/x"),
    ("FIRETEE_FLUSH", "sometimes"),
    ("FIRETEE_FLUSH_TIMEOUT_MS", "-1"),
    ("FIRETEE_FLUSH_TIMEOUT_MS", "2s"),
    ("FIRETEE_FLUSH_TIMEOUT_MS", "86400001"),
    ("FIRETEE_FLUSH_TIMEOUT_MS", "٣"),
    ("FIRETEE_LINGER_MS", "0"),
    ("FIRETEE_LINGER_MS", "1.5"),
    ("FIRETEE_BATCH_AGE_MS", "soon"),
    ("FIRETEE_BATCH_BYTES", "0"),
    ("FIRETEE_FORMAT", "xml"),
    ("FIRETEE_COMPRESSION", "zstd"),
    ("FIRETEE_AGGREGATE", "maybe"),
    ("FIRETEE_EVENTS", "function,everything"),
    ("FIRETEE_EVENTS", ","),
    ("FIRETEE_EVENTS", "platform.reports"),
    ("FIRETEE_HOLD", "WARNING"),
    ("FIRETEE_HOLD", "below"),
    ("FIRETEE_HOLD", "below LOUD"),
    ("FIRETEE_HOLD", "below INFO,below WARNING"),
    ("FIRETEE_RELEASE", "errors"),
    ("FIRETEE_RELEASE", "error:5"),
    ("FIRETEE_RELEASE", "level"),
    ("FIRETEE_RELEASE", "level:loud"),
    ("FIRETEE_RELEASE", "slow:fast"),
    ("FIRETEE_RELEASE", "sample:2"),
    ("FIRETEE_RELEASE", "sample:"),
    ("FIRETEE_CAPTURE", "all"),
    ("FIRETEE_BUFFER_BYTES", "65535"),
    ("FIRETEE_BUFFER_BYTES", "1e6"),
    ("FIRETEE_OVERFLOW", "wait"),
    ("FIRETEE_MIN_LEVEL", "LOUD"),
    ("FIRETEE_TAGS", "team"),
    ("FIRETEE_TAGS", "=web"),
    ("FIRETEE_PARSE_JSON", "2"),
    ("FIRETEE_CLIENT", "boto2"),
    ("FIRETEE_LOG_LEVEL", "chatty"),
    ("FIRETEE_DISABLED", "perhaps"),
]


@pytest.mark.parametrize(("variable", "text"), BAD)
def test_a_bad_value_is_one_line_that_names_variable_value_and_what_is_used_instead(variable: str, text: str) -> None:
    config = Config.from_environ({variable: text})
    (problem,) = config.problems
    (default,) = {setting.default for setting in SETTINGS if variable in (setting.variable, setting.fallback)}
    assert problem.startswith(f"{variable}={text!r} ")
    assert problem.endswith(f"; using {default}" if default else "; it is ignored")
    assert "\n" not in problem
    assert {**values(config), "problems": ()} == DEFAULTS


def test_a_bad_value_does_not_spoil_the_others() -> None:
    config = Config.from_environ({"FIRETEE_FLUSH": "x", "FIRETEE_LINGER_MS": "y", "FIRETEE_FORMAT": "text"})
    assert len(config.problems) == 2
    assert config.format == "text"


def test_the_stream_s_own_variable_comes_before_the_one_it_stands_in_for() -> None:
    assert Config.from_environ({"FIRETEE_STREAM": "new", "KINESIS_DELIVERY_STREAM": "old"}).streams == ("new",)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_an_empty_variable_counts_as_unset(setting: Any) -> None:
    assert values(Config.from_environ({setting.variable: "  "})) == DEFAULTS


@given(st.dictionaries(st.sampled_from([setting.variable for setting in SETTINGS]), st.text(max_size=30)))
def test_no_environment_makes_it_raise(environ: dict[str, str]) -> None:
    config = Config.from_environ(environ)
    assert all(isinstance(problem, str) for problem in config.problems)


def test_levels_are_named_as_where_lines_are_ranked() -> None:
    """The settings import nothing, so that the command line can read them by path: the names are there twice."""
    assert tuple(RANKS) == LEVELS
