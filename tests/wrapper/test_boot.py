"""Whether there is anything to do, and what is said if there should be and is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wrapper.boot import Boot

PAYLOAD = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("FIRETEE_") or variable in ("KINESIS_DELIVERY_STREAM", "AWS_LAMBDA_RUNTIME_API"):
            monkeypatch.delenv(variable)


def test_with_a_stream_it_is_wanted(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FIRETEE_STREAM", "logs")
    assert Boot(PAYLOAD).wanted
    assert capfd.readouterr().err == ""


def test_without_a_stream_one_line_says_what_to_set(capfd: pytest.CaptureFixture[str]) -> None:
    assert not Boot(PAYLOAD).wanted
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("[firetee] no delivery stream: set FIRETEE_STREAM")


def test_disabled_it_says_nothing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FIRETEE_DISABLED", "true")
    assert not Boot(PAYLOAD).wanted
    assert capfd.readouterr().err == ""


def test_each_bad_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FIRETEE_STREAM", "logs")
    monkeypatch.setenv("FIRETEE_FLUSH", "never")
    monkeypatch.setenv("FIRETEE_LINGER_MS", "x")
    assert Boot(PAYLOAD).wanted
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition("=")[0] for line in lines] == ["[firetee] FIRETEE_FLUSH", "[firetee] FIRETEE_LINGER_MS"]


def test_a_registration_that_fails_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
    Boot(PAYLOAD).register_extension()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("[firetee] not registered as an extension (")
