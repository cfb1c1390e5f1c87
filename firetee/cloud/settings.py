"""What firetee itself thinks of `FIRETEE_*` variables: asked before they are set, and by the doctor.

The layer's own reading of its settings is asked: two readings would drift apart.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from firetee import layer

PREFIX = "FIRETEE_"
_PATTERNS = ("FIRETEE_INCLUDE", "FIRETEE_EXCLUDE", "FIRETEE_REDACT")
#: Its patterns may have a text that takes the place of a match: ``pattern=>text``.
_REPLACES = "FIRETEE_REDACT"
_CHOICES = re.compile(r"is (?:none|not a list) of ([^;]+);")


def problems(env: Mapping[str, str]) -> tuple[str, ...]:
    """Each value that firetee would not take, as one line; with the likely one where it is a choice."""
    found = [_with_hint(problem) for problem in _module().Config.from_environ(env).problems]
    for variable in _PATTERNS:
        for part in re.split(r"\n|;;", env.get(variable, "")):
            pattern, arrow, text = part.strip().rpartition("=>") if variable == _REPLACES else (part.strip(), "", "")
            try:
                re.compile(pattern if arrow else text or pattern).sub(text if arrow else "", "")
            except (re.error, IndexError) as error:
                pattern = part.strip()
                found.append(f"{variable}={pattern!r} is not a regular expression: {error}")
    return tuple(found)


def unknown(env: Mapping[str, str]) -> tuple[str, ...]:
    """The names that begin like a setting's and are none."""
    return tuple(sorted(key for key in env if key.startswith(PREFIX) and key not in known()))


def known() -> frozenset[str]:
    """The names of all settings."""
    return frozenset(each.variable for each in _module().SETTINGS)


def did_you_mean(text: str, choices: Iterable[str]) -> str:
    """A question that names the likeliest of the choices, or nothing."""
    close = get_close_matches(text.lower(), {each.lower(): each for each in choices}, 1, 0.6)
    return f"Did you mean {next(each for each in choices if each.lower() == close[0])}?" if close else ""


def _with_hint(problem: str) -> str:
    choices, value = _CHOICES.search(problem), re.search(r"=(['\"])(.*?)\1", problem)
    if choices is None or value is None:
        return problem
    hint = did_you_mean(value.group(2).split(",")[0], [each.strip() for each in choices.group(1).split(",")])
    return f"{problem}. {hint}".removesuffix(". ")


@functools.cache
def _module() -> Any:
    spec = importlib.util.spec_from_file_location("firetee_settings", layer.sources() / "wrapper" / "config.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
