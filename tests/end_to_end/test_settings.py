"""Settings, good and bad: a bad one is a line that names it; without a stream, or disabled, the function runs bare."""

from __future__ import annotations

import pytest

from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Step

pytestmark = pytest.mark.newest_python

SOURCE = 'def handler(event, context):\n    print("hello")\n    return 1\n'

BAD = {
    "FIRETEE_FLUSH": ("sometimes", "before-return"),
    "FIRETEE_FLUSH_TIMEOUT_MS": ("soon", "2000"),
    "FIRETEE_LINGER_MS": ("-1", "1000"),
    "FIRETEE_BATCH_AGE_MS": ("1.5", "10000"),
    "FIRETEE_BATCH_BYTES": ("1 MB", "1048576"),
    "FIRETEE_FORMAT": ("xml", "json"),
    "FIRETEE_COMPRESSION": ("zip", "none"),
    "FIRETEE_AGGREGATE": ("maybe", "true"),
    "FIRETEE_EVENTS": ("everything", "function,platform"),
    "FIRETEE_RELEASE": ("errors", "error,timeout,crash,level:ERROR"),
    "FIRETEE_BUFFER_BYTES": ("1", "16777216"),
    "FIRETEE_OVERFLOW": ("explode", "drop"),
    "FIRETEE_CLIENT": ("curl", "auto"),
    "FIRETEE_LOG_LEVEL": ("LOUD", "WARNING"),
    "FIRETEE_DISABLED": ("perhaps", "false"),
}


def test_each_bad_value_is_one_line_with_variable_value_and_default(stage: Stage) -> None:
    result = stage.run(SOURCE, [{}, {}], env={name: value for name, (value, _) in BAD.items()})
    lines = result.stderr.decode().splitlines()
    assert len(lines) == len(BAD)
    for name, (value, default) in BAD.items():
        (line,) = (line for line in lines if line.startswith(f"[firetee] {name}="))
        assert repr(value) in line
        assert line.endswith(f"; using {default}")
    assert result.records() == ["hello", "hello"]
    assert result.stdout == b"hello\nhello\n"


def test_a_stream_that_is_no_arn_is_named(stage: Stage) -> None:
    result = stage.run(SOURCE, env={"FIRETEE_STREAM": "arn:aws:kinesis:eu-west-1:1:stream/x"})
    assert result.responses[0].body == b"1"
    assert b"FIRETEE_STREAM=" in result.stderr
    assert stage.firehose.calls == []


def test_without_a_stream_one_line_says_so_and_the_function_runs_bare(stage: Stage) -> None:
    bare, teed = stage.both(SOURCE, [{}, {}], env={"FIRETEE_STREAM": ""}, shutdown=False)
    (message,) = teed.stderr.decode().splitlines()
    assert message.startswith("[firetee] no delivery stream: set FIRETEE_STREAM")
    assert teed.observed.responses == bare.observed.responses
    assert teed.stdout == bare.stdout
    assert stage.firehose.calls == []
    assert "Internal agent" not in teed.log


@pytest.mark.parametrize("value", ["true", "1", "YES", "on"])
def test_disabled_is_as_if_it_were_not_there(stage: Stage, value: str) -> None:
    bare, teed = stage.both(SOURCE, [{}], env={"FIRETEE_DISABLED": value, "FIRETEE_FLUSH": "bad"}, shutdown=False)
    assert teed.observed == bare.observed
    assert stage.firehose.calls == []
    assert "Internal agent" not in teed.log


def test_events_choose_what_is_sent(stage: Stage) -> None:
    assert {line["type"] for line in stage.run(SOURCE, env={"FIRETEE_EVENTS": "function"}).lines} == {"function"}
    only_platform = stage.run(SOURCE, env={"FIRETEE_EVENTS": "platform"}).lines
    assert only_platform
    assert all(line["type"].startswith("platform.") for line in only_platform)
    single = stage.run(SOURCE, [{}, {}], env={"FIRETEE_EVENTS": "function,platform.report"}).lines
    assert [line["type"] for line in single] == ["function", "platform.report"] * 2


def test_tags_are_on_every_record(stage: Stage) -> None:
    lines = stage.run(SOURCE, env={"FIRETEE_TAGS": "team=web,stage=prod"}).lines
    assert [line["tags"] for line in lines] == [{"team": "web", "stage": "prod"}] * len(lines)


def test_json_lines_stay_text_if_asked(stage: Stage) -> None:
    source = "def handler(event, context):\n    print('{\"a\": 1}')\n"
    assert stage.run(source, env={"FIRETEE_PARSE_JSON": "false"}).records() == ['{"a": 1}']


def test_filters_leave_no_gap_in_the_numbers(stage: Stage) -> None:
    source = """
        def handler(event, context):
            for number in range(10):
                print("line", number, "password=x")
    """
    env = {"FIRETEE_EXCLUDE": "line [0-4]", "FIRETEE_INCLUDE": "line", "FIRETEE_REDACT": r"password=\S+;;nothing"}
    result = stage.run(source, env=env)
    assert result.records() == [f"line {number} ***" for number in range(5, 10)]
    assert [line["seq"] for line in result.lines] == list(range(len(result.lines)))


def test_lines_below_the_least_level_are_not_sent(stage: Stage) -> None:
    source = """
        import logging
        logging.getLogger().setLevel("DEBUG")
        def handler(event, context):
            logging.info("low")
            logging.error("high")
            print("of no known level")
    """
    texts = [str(record) for record in stage.run(source, env={"FIRETEE_MIN_LEVEL": "WARNING"}).records()]
    assert [text.rpartition("\t")[2] for text in texts] == ["high", "of no known level"]


def test_a_full_journal_drops_counts_and_says_where(stage: Stage) -> None:
    source = """
        def handler(event, context):
            for number in range(3000):
                print("line", number, "x" * 80)
    """
    stage.firehose.latency_s = 0.3  # the function is quicker
    env = {"FIRETEE_BUFFER_BYTES": "65536"}
    result = stage.run(source, [{}], env=env)
    drops = [line["record"] for line in result.lines if line["type"] == "platform.logsDropped"]
    assert drops
    # The line at which the journal was full may be there in part: it counts as dropped.
    whole = [record for record in result.records() if str(record).endswith("x" * 80)]
    assert sum(drop["droppedRecords"] for drop in drops) + len(whole) == 3000
    assert [line["seq"] for line in result.lines] == list(range(len(result.lines)))
    assert len(result.stderr.splitlines()) == len({line["environment"] for line in result.lines})


def test_a_full_journal_can_wait_for_room(stage: Stage) -> None:
    source = """
        def handler(event, context):
            for number in range(3000):
                print("line", number, "x" * 80)
    """
    env = {"FIRETEE_BUFFER_BYTES": "65536", "FIRETEE_LINGER_MS": "60000", "FIRETEE_OVERFLOW": "block"}
    result = stage.run(source, [{}], env=env)
    assert len(result.records()) == 3000
    assert result.stderr == b""


def test_several_streams_stand_in_for_each_other(stage: Stage) -> None:
    stage.firehose.add_stream("second")
    stage.firehose.always(Step("server_error"), STREAM)
    stage.run(SOURCE, env={"FIRETEE_STREAM": f"{STREAM},second"})
    assert "hello" in [line["record"] for line in stage.firehose.lines("second")]
