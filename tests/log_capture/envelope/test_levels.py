"""Levels have one set of names, wherever they come from."""

from __future__ import annotations

from typing import Any

import pytest

from log_capture.envelope.levels import level_of_record, level_of_text, normalised


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("info", "INFO"),
        ("Warn", "WARNING"),
        ("warning", "WARNING"),
        ("FATAL", "CRITICAL"),
        ("err", "ERROR"),
        (" debug ", "DEBUG"),
        ("Success", "SUCCESS"),
    ],
)
def test_names_are_in_upper_case_and_written_out(name: str, expected: str) -> None:
    assert normalised(name) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"level": "info"}, "INFO"),
        ({"severity": "warn"}, "WARNING"),
        ({"levelname": "ERROR"}, "ERROR"),
        ({"log_level": "debug"}, "DEBUG"),
        ({"log.level": "fatal"}, "CRITICAL"),
        ({"level": "info", "severity": "ERROR"}, "INFO"),
        ({"level": 20}, "INFO"),
        ({"level": 50}, "CRITICAL"),
        ({"level": 60}, None),
        ({"level": 35}, None),
        ({"level": True}, None),
        ({"level": None}, None),
        ({"level": ""}, None),
        ({"level": "x" * 100}, None),
        ({"level": ["info"]}, None),
        ({"level": {"name": "INFO", "no": 20}}, "INFO"),
        ({"text": "...", "record": {"level": {"name": "SUCCESS", "no": 25}}}, "SUCCESS"),
        ({"record": "text"}, None),
        ({"message": "level"}, None),
    ],
)
def test_a_json_line_may_name_its_level(record: dict[str, Any], expected: str | None) -> None:
    assert level_of_record(record) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[INFO]\t2026-11-23T13:50:32.480Z\t6d68ca91\thello", "INFO"),
        ("[WARNING]\t...", "WARNING"),
        ("[ERROR] ValueError: no\nTraceback (most recent call last):", "ERROR"),
        ("[FATAL] out of memory", "CRITICAL"),
        ("[INFO]hello", None),
        ("[INFO]", None),
        ("[17] hello", None),
        ("INFO hello", None),
        ("[", None),
        ("", None),
        ("[" + "x" * 100 + "] hello", None),
    ],
)
def test_lambda_s_text_format_begins_with_the_level(text: str, expected: str | None) -> None:
    assert level_of_text(text) == expected
