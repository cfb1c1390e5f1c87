"""The layer's own word on a line: whether its settings let it pass, and as what text.

The layer's modules are asked, since a second reading of the settings would drift apart from theirs.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from firetee import layer

_NAME = "firetee_engine"


class Policy:
    """What the settings in a function's environment make of the lines that it writes."""

    def __init__(self, env: Mapping[str, str]) -> None:
        config = _module("wrapper.config").Config.from_environ(env)
        self._wanted = "function" in config.events and not config.disabled
        self._parses_json = config.parse_json
        self._filters: Any = _module("log_capture.envelope.filters").Filters.compile(
            min_level=config.min_level,
            include=config.include,
            exclude=config.exclude,
            redact=config.redact,
            redact_keys=config.redact_keys,
        )[0]

        below, unlevelled = config.hold
        self._holding: Any = None
        if below is not None or unlevelled:
            holding = _module("log_capture.envelope.holding")
            self._holding = holding.Holding(holding.Rules(below, unlevelled, config.release))

    def holds(self, stream: str, level: str | None, text: str) -> bool:
        """Whether a line waits for the outcome of its invocation."""
        return self._holding is not None and not self._holding.sift([(0, "function", stream, level, text, "")])

    def sent(self, stream: str, level: str | None, text: str) -> str | None:
        """A line as it is sent; None if the settings hold it back. `level`: a frame's own."""
        if not self._wanted:
            return None
        if self._filters is None:
            return text
        levels, record = _module("log_capture.envelope.levels"), None
        if self._parses_json:
            record = _module("log_capture.envelope.jsonline").parse(text)
        if record is not None:
            level = levels.level_of_record(record) or level
        elif level is None and stream == "log":
            level = levels.level_of_text(text)
        return self._filters.redacted(text, record is not None) if self._filters.wants(text, level) else None


@functools.cache
def _module(name: str) -> Any:
    """A module of the layer, under a name that is nobody else's."""
    package, _, rest = name.partition(".")
    root = f"{_NAME}_{package}"
    if root not in sys.modules:
        folder = layer.sources() / package
        spec = importlib.util.spec_from_file_location(
            root, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        module: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[root] = module
        spec.loader.exec_module(module)
    return importlib.import_module(f"{root}.{rest}")
