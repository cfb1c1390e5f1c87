"""The undo record survives its journey through tags."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firetee.cloud import undo
from firetee.cloud.errors import CloudError
from firetee.cloud.undo import UndoRecord

_text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
records = st.builds(UndoRecord, st.dictionaries(_text, _text, max_size=6), _text)

TAG_CHARACTERS = re.compile(r"^[\w\s_.:/=+\-@]*$")
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html#tag-restrictions"""


@given(records)
def test_what_is_written_down_is_read_back(record: UndoRecord) -> None:
    assert undo.decode(undo.encode(record)) == record


@given(records)
def test_every_tag_keeps_to_the_limits_of_tags(record: UndoRecord) -> None:
    for key, value in undo.encode(record).items():
        assert len(key) <= 128
        assert len(value) <= undo.MAX_TAG_VALUE
        assert TAG_CHARACTERS.match(key)
        assert TAG_CHARACTERS.match(value)


def test_a_long_record_is_spread_over_several_tags() -> None:
    record = UndoRecord({"FIRETEE_REDACT": random.Random(1).randbytes(1000).hex()})
    tags = undo.encode(record)
    assert len(tags) > 1
    assert undo.decode({"team": "web", **tags}) == record


def test_a_function_without_the_tag_has_no_record() -> None:
    assert undo.decode({"team": "web", "firetee:undoing": "x"}) is None


@pytest.mark.parametrize("damaged", ["", "???", "eJw=", "eJyrVirJzC1ILVKyUihJrShRqgUAOjYGJA=="])
def test_a_damaged_record_is_an_error_with_a_remedy(damaged: str) -> None:
    with pytest.raises(CloudError, match="cannot be read") as raised:
        undo.decode({undo.TAG: damaged})
    assert "Delete the tags" in raised.value.remedy
