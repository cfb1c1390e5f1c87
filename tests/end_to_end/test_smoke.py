"""The main job, on every Python: output is in Firehose before the answer, and the outside world sees no difference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.harness import STREAM, Stage

SOURCE = """
    import logging, sys
    print("imported")
    def handler(event, context):
        print("order", event["order"])
        print("careful", file=sys.stderr)
        logging.getLogger().warning("stock is low")
        if event["order"] == 13:
            raise ValueError("unlucky")
        return {"order": event["order"]}
"""
EVENTS = [{"order": 12}, {"order": 13}, {"order": 14}]


@pytest.mark.parametrize("telemetry", [True, False], ids=["telemetry-fd", "no-telemetry-fd"])
@pytest.mark.parametrize("module", [False, True], ids=["bootstrap", "module"])
def test_the_outside_world_sees_no_difference(stage: Stage, telemetry: bool, module: bool) -> None:
    bare, teed = stage.both(SOURCE, EVENTS, telemetry=telemetry, module=module, shutdown=False)
    assert teed.observed == bare.observed
    assert "order 12" in teed.records()


def test_a_line_is_in_firehose_before_the_answer_comes(stage: Stage) -> None:
    with stage.environment(SOURCE) as emulator:
        for event in EVENTS:
            emulator.invoke(event)
            texts: list[Any] = [line["record"] for line in stage.firehose.lines(STREAM)]
            assert f"order {event['order']}" in texts


def test_every_line_has_its_number_without_a_gap(stage: Stage) -> None:
    result = stage.run(SOURCE, EVENTS)
    assert [line["seq"] for line in result.lines] == list(range(len(result.lines)))
    assert len({line["environment"] for line in result.lines}) == 1
