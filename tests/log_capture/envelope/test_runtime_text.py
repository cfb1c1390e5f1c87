"""What the runtime says in its text format becomes fields; what only looks like it stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.runtime_text import error_of, message_of

CONTEXT = ',"requestId":"11-22","coldStart":true'
SECONDS = ("2026-11-23T13:50:32", "2026-11-23T13:50:31")


def logged(message: str, level: str = "INFO", when: str = "2026-11-23T13:50:32.048Z", request_id: str = "11-22") -> str:
    return f"[{level}]\t{when}\t{request_id}\t{message}"


@given(st.text())
def test_a_logged_line_is_its_message_whatever_that_holds(message: str) -> None:
    assert message_of(logged(message), "INFO", CONTEXT, SECONDS) == (message, "INFO")


@pytest.mark.parametrize(
    ("text", "level", "found"),
    [
        (logged("m", "WARNING"), "WARNING", ("m", "WARNING")),
        (logged("m", "WARNING"), None, ("m", "WARNING")),
        (logged("m", "NOTICE"), None, ("m", "NOTICE")),
        (logged("m", when="2026-11-23T13:50:32.5Z"), "INFO", ("m", "INFO")),  # milliseconds without zeros
        (logged("m", when="2026-11-23T13:50:31.999Z"), "INFO", ("m", "INFO")),
        (logged("m", request_id=""), "INFO", ("m", "INFO")),  # in init
    ],
)
def test_levels_times_and_ids_as_the_runtime_writes_them(text: str, level: str | None, found: tuple[str, str]) -> None:
    assert message_of(text, level, CONTEXT, SECONDS) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[INFO]",
        "[INFO] message",
        "[INFO]\tmessage",
        "[INFO]\tone\ttwo\tthree",
        logged("m", when="2026-11-23T13:50:30.000Z"),  # it waited in a queue: its own time must not be lost
        logged("m", when="2026-11-23T13:50:32"),
        logged("m", request_id="33-44"),  # of another invocation
        logged("m", "ERROR"),  # the frame says INFO
        "x" + logged("m"),
    ],
)
def test_what_says_more_than_the_envelope_or_something_else_stays(text: str) -> None:
    assert message_of(text, "INFO", CONTEXT, SECONDS) is None


def test_an_uncaught_error_is_an_object() -> None:
    entries = [
        '\u00a0\u00a0File "/var/task/app.py", line 3, in handler\n\u00a0\u00a0\u00a0\u00a0raise unlucky',
        '  File "/var/task/other.py", line 1, in f',
    ]
    text = "\n".join(["[ERROR] ValueError: un: lucky", "Traceback (most recent call last):", *entries])
    found = error_of(text)
    assert found is not None
    assert json.loads(found) == {
        "errorType": "ValueError",
        "errorMessage": "un: lucky",
        "stackTrace": entries,
        "text": text,
    }


def test_an_error_without_a_stack_or_a_message_has_an_empty_one() -> None:
    found = error_of("[ERROR] Runtime.ImportModuleError\nTraceback (most recent call last):")
    assert found is not None
    assert (json.loads(found)["errorMessage"], json.loads(found)["stackTrace"]) == ("", [])


@pytest.mark.parametrize(
    "text",
    [
        "[ERROR] it failed",
        "[ERROR] no type: at all\nTraceback (most recent call last):\n  File",
        '[ERROR] Failed: x\nTraceback (most recent call last):\n  File "a"\nValueError: y',  # of logging.exception
        "[WARNING] ValueError: x\nTraceback (most recent call last):",
    ],
)
def test_what_is_no_uncaught_error_is_none(text: str) -> None:
    assert error_of(text) is None
