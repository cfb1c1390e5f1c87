"""What a record says to a person."""

from __future__ import annotations

import pytest

from firetee.record import text_of


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ("plain words", "plain words"),
        ({"order": 17, "by": "Zoë"}, '{"order": 17, "by": "Zoë"}'),
        (
            {"errorType": "ValueError", "errorMessage": "m", "stackTrace": [], "text": "[ERROR] ValueError: m"},
            "[ERROR] ValueError: m",
        ),
        ({"errorType": "ValueError", "stackTrace": []}, '{"errorType": "ValueError", "stackTrace": []}'),
    ],
)
def test_an_error_is_shown_with_its_stack_and_other_objects_as_json(record: object, text: str) -> None:
    assert text_of(record) == text
