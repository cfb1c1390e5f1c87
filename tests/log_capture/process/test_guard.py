"""Exceptions of ours and of the function's are told apart by where they were raised."""

from __future__ import annotations

import json
import signal
from types import FrameType

import pytest

from log_capture.envelope.lines import Assembler
from log_capture.journal.journal_file import JournalFile, left_behind
from log_capture.process.guard import is_ours


class TimeIsUp(Exception):
    """What a function's own signal handler raises."""


def caught(call: object, *args: object) -> BaseException:
    assert callable(call)
    with pytest.raises(BaseException) as info:  # noqa: PT011 - whatever it is
        call(*args)
    return info.value


def test_what_our_code_raises_is_ours() -> None:
    assert is_ours(caught(Assembler().feed, [None]))


def test_what_the_standard_library_raises_for_our_code_is_ours() -> None:
    assert is_ours(caught(json.loads, "{"))


def test_what_the_function_raises_is_not_ours() -> None:
    def function() -> None:
        raise TimeIsUp

    assert not is_ours(caught(function))


def test_an_exception_without_a_traceback_is_ours() -> None:
    assert is_ours(ValueError("never raised"))


def test_a_signal_handler_that_raises_in_the_middle_of_our_code_is_the_function_s() -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    def report(text: str) -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        file = JournalFile("/missing")
        error = caught(report, "")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert file.problem
    assert isinstance(error, TimeIsUp)
    assert not is_ours(error)
    assert list(left_behind("/missing", report)) == []
