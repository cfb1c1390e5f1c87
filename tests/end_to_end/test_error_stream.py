"""`FIRETEE_STREAM_ERRORS`: errors and failures also go to a second stream, which holds up nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Step, access_denied

pytestmark = pytest.mark.newest_python

SECOND = "alerts"
ENV = {"FIRETEE_STREAM_ERRORS": SECOND}
SOURCE = """
    import json, logging
    def handler(event, context):
        print("plain", event["n"])
        logging.warning("a warning")
        print(json.dumps({"level": "fatal", "message": "as JSON %d" % event["n"]}))
        if event["n"] == 2: raise ValueError("bad")
"""


def named(lines: list[dict[str, Any]]) -> list[str]:
    """Types of events; messages of lines."""
    found = []
    for line in lines:
        record = line["record"]
        if line["type"] != "function":
            found.append(line["type"])
        else:
            found.append(record if isinstance(record, str) else record.get("errorMessage") or record["message"])
    return found


@pytest.mark.parametrize("client", ["direct", "boto3"])
def test_errors_and_failures_are_in_both_streams_and_all_else_in_one(stage: Stage, client: str) -> None:
    stage.firehose.add_stream(SECOND)
    bare, teed = stage.both(SOURCE, [{"n": 1}, {"n": 2}], env={**ENV, "FIRETEE_CLIENT": client}, shutdown=True)
    assert (teed.stdout, teed.observed.responses) == (bare.stdout, bare.observed.responses)
    second = stage.firehose.lines(SECOND)
    assert named(second) == ["as JSON 1", "as JSON 2", "bad", "platform.runtimeDone"]
    assert all(line in teed.lines for line in second), "they are the same envelopes"
    assert named(teed.lines).count("plain 1") == 1


def test_in_the_text_format_the_lines_alone_are_in_both(stage: Stage) -> None:
    stage.firehose.add_stream(SECOND)
    with stage.environment(SOURCE, env={**ENV, "FIRETEE_FORMAT": "text"}) as emulator:
        emulator.invoke({"n": 1})
    assert b"".join(stage.firehose.records(SECOND)) == b'{"level": "fatal", "message": "as JSON 1"}\n'


def test_a_second_stream_that_takes_nothing_costs_one_line_and_nothing_of_the_first(stage: Stage) -> None:
    stage.firehose.add_stream(SECOND)
    stage.firehose.always(access_denied(), SECOND)
    bare, teed = stage.both(SOURCE, [{"n": 1}, {"n": 3}, {"n": 4}], env=ENV, shutdown=False)
    assert (teed.stdout, teed.observed.responses) == (bare.stdout, bare.observed.responses)
    (message,) = [line for line in teed.stderr.decode().splitlines() if line.startswith("[firetee]")]
    assert "FIRETEE_STREAM_ERRORS" in message
    assert "AccessDenied" in message
    assert "FIRETEE_STREAM" in message
    assert [line["record"] for line in teed.lines if line["record"] in ("plain 1", "plain 3", "plain 4")] == [
        "plain 1", "plain 3", "plain 4",
    ]  # fmt: skip
    assert stage.firehose.lines(SECOND) == []


def test_a_first_stream_that_takes_nothing_does_not_keep_errors_from_the_second(stage: Stage) -> None:
    stage.firehose.add_stream(SECOND)
    stage.firehose.always(Step("server_error"), STREAM)
    stage.run(SOURCE, [{"n": 1}], env={**ENV, "FIRETEE_FLUSH_TIMEOUT_MS": "5000"}, shutdown=False)
    assert "as JSON 1" in json.dumps(stage.firehose.lines(SECOND))
