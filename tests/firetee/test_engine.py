"""What the settings make of a line is what the layer says of it."""

from __future__ import annotations

import pytest

from firetee.engine import Policy


@pytest.mark.parametrize(
    ("settings", "stream", "level", "text", "sent"),
    [
        ({}, "stdout", None, "hello", "hello"),
        ({"FIRETEE_EXCLUDE": "health"}, "stdout", None, "health check", None),
        ({"FIRETEE_EXCLUDE": "health"}, "stdout", None, "order 17", "order 17"),
        ({"FIRETEE_INCLUDE": "order"}, "stderr", None, "health check", None),
        ({"FIRETEE_MIN_LEVEL": "WARNING"}, "log", "INFO", "a frame", None),
        ({"FIRETEE_MIN_LEVEL": "WARNING"}, "stdout", None, '{"level": "debug", "message": "x"}', None),
        ({"FIRETEE_MIN_LEVEL": "WARNING"}, "stdout", None, "of no level", "of no level"),
        ({"FIRETEE_REDACT": "[0-9]{4}"}, "stdout", None, "card 1234", "card ***"),
        ({"FIRETEE_DISABLED": "true"}, "stdout", None, "hello", None),
        ({"FIRETEE_EVENTS": "platform"}, "stdout", None, "hello", None),
    ],
)
def test_a_line_is_sent_changed_or_held_back(
    settings: dict[str, str], stream: str, level: str | None, text: str, sent: str | None
) -> None:
    assert Policy(settings).sent(stream, level, text) == sent


@pytest.mark.parametrize(
    ("settings", "level", "text", "waits"),
    [
        ({}, "DEBUG", "a frame", False),
        ({"FIRETEE_HOLD": "below INFO"}, "DEBUG", "a frame", True),
        ({"FIRETEE_HOLD": "below INFO"}, "INFO", "a frame", False),
        ({"FIRETEE_HOLD": "unlevelled"}, None, "of no level", True),
    ],
)
def test_a_line_waits_or_does_not(settings: dict[str, str], level: str | None, text: str, waits: bool) -> None:
    assert Policy(settings).holds("log", level, text) is waits
