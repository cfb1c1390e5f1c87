"""The harness itself, on a function without firetee: what the other tests here compare with."""

from __future__ import annotations

import pytest

from tests.end_to_end.harness import Stage, steady

SOURCE = """
    import logging
    def handler(event, context):
        print("working on", event["order"])
        logging.getLogger().warning("order %s", event["order"])
        raise ValueError(context.aws_request_id)
"""


def test_a_bare_function_is_seen_the_same_way_twice(stage: Stage) -> None:
    first, second = (stage.run(SOURCE, [{"order": 1}, {"order": 2}], wrapped=False) for _ in range(2))
    assert first.observed == second.observed
    assert first.stdout == b"working on 1\nworking on 2\n"
    assert first.lines == []


@pytest.mark.newest_python
def test_a_function_that_differs_is_seen_as_different(stage: Stage) -> None:
    one, two = (stage.run(SOURCE, [{"order": order}], wrapped=False) for order in (1, 2))
    assert one.observed.stdout != two.observed.stdout
    assert one.observed.frames != two.observed.frames
    assert one.observed.responses == two.observed.responses


def test_steady_text_has_no_ids_times_and_addresses() -> None:
    text = "2026-11-23T22:56:12.609Z 21d97c48-27b7-4045-862b-c617e2dac742 at 127.0.0.1:9001 for 17"
    assert steady(text) == "<time> <uuid> at <address> for 17"
