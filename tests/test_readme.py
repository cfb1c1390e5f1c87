"""What README.md says about the settings is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wrapper.config import SETTINGS, Setting

README = (Path(__file__).parents[1] / "README.md").read_text()

#: `| `VARIABLE` | default | meaning |`; one that is not there is a dash.
ROW = re.compile(r"^\| `(FIRETEE_\w+)` \| (?:`([^`]*)`|\u2013) \| (.+) \|$", re.MULTILINE)
ROWS = {variable: (default, meaning) for variable, default, meaning in ROW.findall(README)}


def test_the_table_has_every_setting_once_in_the_order_of_the_code() -> None:
    assert [row[0] for row in ROW.findall(README)] == [setting.variable for setting in SETTINGS]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_the_table_names_the_default(setting: Setting) -> None:
    assert ROWS[setting.variable][0] == setting.default


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_what_is_quoted_as_a_value_is_one(setting: Setting) -> None:
    """In "`value`: what it does" the value is one that the setting takes."""
    for value in re.findall(r"(?:[.;] |^)`([^`]+)`:", ROWS[setting.variable][1]):
        if value == "batched" and setting.field != "flush":
            continue  # there it says when the setting matters
        setting.read(value)


@pytest.mark.parametrize("variable", sorted({*re.findall(r"\bFIRETEE_[A-Z_]+\b", README)}))
def test_every_variable_that_is_mentioned_exists(variable: str) -> None:
    assert variable in {setting.variable for setting in SETTINGS}


def test_a_variable_that_stands_in_for_another_is_mentioned_there() -> None:
    for setting in SETTINGS:
        if setting.fallback is not None:
            assert f"`{setting.fallback}`" in ROWS[setting.variable][1]
