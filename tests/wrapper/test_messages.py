"""firetee's own messages are one line each on stderr, past Python's streams."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from wrapper.messages import Messages


@pytest.fixture
def pipe() -> Iterator[tuple[int, Callable[[], str]]]:
    """A descriptor to write to, and what was written to it."""
    read, write = os.pipe2(os.O_NONBLOCK)

    def written() -> str:
        try:
            return os.read(read, 65536).decode()
        except BlockingIOError:
            return ""

    yield write, written
    os.close(read)
    os.close(write)


def failing(text: str) -> BaseException:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_a_message_is_one_line_with_a_prefix(pipe: tuple[int, Callable[[], str]]) -> None:
    fd, written = pipe
    Messages("WARNING", fd).warning("two\nlines \udcff")
    assert written() == "[firetee] two lines \\udcff\n"


@pytest.mark.parametrize(("level", "shown"), [("TRACE", 2), ("DEBUG", 2), ("INFO", 1), ("WARNING", 1), ("ERROR", 0)])
def test_only_messages_of_the_level_and_above_are_shown(
    level: str, shown: int, pipe: tuple[int, Callable[[], str]]
) -> None:
    fd, written = pipe
    messages = Messages(level, fd)
    messages.debug("d")
    messages.warning("w")
    assert written().count("\n") == shown


def test_a_bug_is_told_once_and_where_it_is(pipe: tuple[int, Callable[[], str]]) -> None:
    fd, written = pipe
    messages = Messages("WARNING", fd)
    for _ in range(3):
        messages.failed(failing("oops"))
    text = written()
    assert text.count("\n") == 1
    assert "internal error in failing, line " in text
    assert "ValueError: oops" in text


def test_bugs_without_end_are_not_told_without_end(pipe: tuple[int, Callable[[], str]]) -> None:
    fd, written = pipe
    messages = Messages("WARNING", fd)
    for number in range(100):
        messages.failed(failing(str(number)))
    assert written().count("\n") == 20


def test_messages_are_also_records_where_that_is_wanted(pipe: tuple[int, Callable[[], str]]) -> None:
    fd, _ = pipe
    messages = Messages("WARNING", fd)
    records: list[str] = []
    messages.warning("early")
    messages.also(records.append)
    messages.warning("look")
    messages.debug("not shown, not recorded")
    assert records == ["WARNING early", "WARNING look"]


def test_a_closed_stderr_is_nobody_s_problem() -> None:
    messages = Messages("WARNING", -1)
    records: list[str] = []
    messages.also(records.append)
    messages.warning("to nobody")
    assert records == ["WARNING to nobody"]
