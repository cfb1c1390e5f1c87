"""What arrives in Firehose, line by line: every way to write, and every field of the envelope."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import Step

TELEMETRY = pytest.mark.parametrize("telemetry", [True, False], ids=["telemetry-fd", "no-telemetry-fd"])

EVERY_WAY = """
    import logging, os, sys, threading, traceback, warnings
    print("at import")
    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)

    def in_a_thread():
        print("from a", "thread")

    def handler(event, context):
        print("printed", "in", "parts")
        print("two\\nlines")
        print("joined ", end="")
        print("up")
        sys.stdout.write("written\\n")
        sys.stdout.writelines(["one of many\\n", "two of many\\n"])
        sys.stdout.buffer.write(b"bytes \\xff\\n")
        sys.stdout.buffer.flush()
        sys.__stdout__.write("dunder\\n")
        print("to stderr", file=sys.stderr)
        sys.stderr.buffer.write(b"bytes to stderr\\n")
        sys.stderr.buffer.flush()
        print("t\\u00e9e \\U0001f600")
        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()
        logger.info("logged at info")
        logger.debug("not logged")
        logger.error("logged at\\nerror")
        context.log("by context.log")
        try:
            1 / 0
        except ZeroDivisionError:
            logger.exception("caught")
            traceback.print_exc()
        print("without an end", end="")
"""


def function_lines(lines: list[dict[str, Any]], stream: str) -> list[str]:
    return [line["record"] for line in lines if line["type"] == "function" and line["stream"] == stream]


@TELEMETRY
def test_every_way_to_write_arrives_once_and_in_order(stage: Stage, telemetry: bool) -> None:
    result = stage.run(EVERY_WAY, telemetry=telemetry)
    assert function_lines(result.lines, "stdout") == [
        "at import",
        "printed in parts",
        "two",
        "lines",
        "joined up",
        "written",
        "one of many",
        "two of many",
        "bytes \\xff",
        "dunder",
        "t\u00e9e \U0001f600",
        "from a thread",
        "without an end",
    ]
    stderr = function_lines(result.lines, "stderr")
    assert stderr[:3] == ["to stderr", "bytes to stderr", "Traceback (most recent call last):"]
    assert stderr[-1] == "ZeroDivisionError: division by zero"
    logged = function_lines(result.lines, "log")
    assert [text.split("\nTraceback")[0] for text in logged] == [
        "logged at info",
        "logged at\nerror",
        "by context.log",
        "caught",
    ]
    assert [line.get("level") for line in result.lines if line.get("stream") == "log"] == [
        "INFO",
        "ERROR",
        None,
        "ERROR",
    ]
    assert logged[-1].endswith("ZeroDivisionError: division by zero")


@TELEMETRY
def test_every_field_of_the_envelope_is_right(stage: Stage, telemetry: bool) -> None:
    before = datetime.now(timezone.utc)
    source = """
        import logging
        def handler(event, context):
            print("hello")
            logging.getLogger().warning("careful")
            return context.aws_request_id
    """
    result = stage.run(source, [{}, {}], telemetry=telemetry)
    after = datetime.now(timezone.utc)
    for number, answer in enumerate(result.responses):
        of_this = [line for line in result.lines if line.get("requestId") == answer.json()]
        hello, careful = (line for line in of_this if line["type"] == "function")
        for line, stream in ((hello, "stdout"), (careful, "log")):
            assert before <= datetime.fromisoformat(line.pop("time").replace("Z", "+00:00")) <= after
            assert isinstance(line.pop("seq"), int)
            assert re.fullmatch("[0-9a-f]{12}", line.pop("environment"))
            assert line.pop("coldStart", False) == (number == 0)
            assert (line.pop("type"), line.pop("stream")) == ("function", stream)
            assert line.pop("requestId") == answer.json()
            assert (line.pop("function"), line.pop("version")) == ("function", "$LATEST")
        assert hello == {"record": "hello"}
        assert careful == {"level": "WARNING", "record": "careful"}
    assert [line["seq"] for line in stage.firehose.lines(STREAM)] == list(range(len(result.lines)))


def test_a_frame_has_the_time_that_the_runtime_gave_it(stage: Stage) -> None:
    source = 'import logging\ndef handler(event, context):\n    logging.getLogger().error("late")\n'
    result = stage.run(source)
    (frame,) = result.frames
    (line,) = (line for line in result.lines if line["type"] == "function")
    exact = datetime.fromtimestamp(frame.time_us // 1_000_000, timezone.utc).replace(
        microsecond=frame.time_us % 1_000_000
    )
    assert datetime.fromisoformat(line["time"].replace("Z", "+00:00")) == exact
    assert frame.message.endswith("\t" + line["record"] + "\n")
    assert line["record"] == "late"


@pytest.mark.newest_python
def test_lambdas_own_json_logging_arrives_as_objects(stage: Stage) -> None:
    source = """
        import logging
        def handler(event, context):
            logging.getLogger().error("broken", extra={"order": 17})
    """
    result = stage.run(source, env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"})
    (record,) = result.records()
    assert record["message"] == "broken"
    assert record["order"] == 17
    assert record["level"] == "ERROR"


@pytest.mark.newest_python
def test_a_line_that_is_a_json_object_is_sent_as_one_and_shows_its_level(stage: Stage) -> None:
    source = """
        import json
        def handler(event, context):
            print(json.dumps({"level": "warning", "message": "low"}))
            print('{"not": json}')
    """
    result = stage.run(source)
    assert result.records() == [{"level": "warning", "message": "low"}, '{"not": json}']
    assert [line.get("level") for line in result.lines if line["type"] == "function"] == ["WARNING", None]


@pytest.mark.newest_python
def test_many_lines_travel_in_few_records_of_500_lines_at_most(stage: Stage) -> None:
    source = 'def handler(event, context):\n    for number in range(1234):\n        print("line", number)\n'
    with stage.environment(source) as emulator:
        emulator.invoke({})
        records = stage.firehose.records(STREAM)
    assert sum(record.count(b"\n") for record in records) == 1237  # with the three events before them
    assert all(record.count(b"\n") <= 500 and record.endswith(b"\n") for record in records)
    assert len(records) == 3
    assert len(stage.firehose.calls) == 1


@pytest.mark.newest_python
def test_without_aggregation_each_line_is_a_record(stage: Stage) -> None:
    source = 'def handler(event, context):\n    print("one")\n    print("two")\n'
    stage.run(source, env={"FIRETEE_AGGREGATE": "false"})
    assert {record.count(b"\n") for record in stage.firehose.records(STREAM)} == {1}


@pytest.mark.newest_python
def test_text_is_the_lines_alone(stage: Stage) -> None:
    source = 'import logging\ndef handler(event, context):\n    print("one")\n    print("{}")\n'
    with stage.environment(source, env={"FIRETEE_FORMAT": "text"}) as emulator:
        emulator.invoke({})
        emulator.shutdown()
    assert b"".join(stage.firehose.records(STREAM)) == b"one\n{}\n"


@pytest.mark.newest_python
def test_gzip_records_joined_are_one_valid_file(stage: Stage) -> None:
    source = 'def handler(event, context):\n    print("order", event["order"])\n'
    stage.run(source, [{"order": 1}, {"order": 2}], env={"FIRETEE_COMPRESSION": "gzip"})
    lines = gzip.decompress(b"".join(stage.firehose.records(STREAM))).splitlines()
    texts = [json.loads(line)["record"] for line in lines if json.loads(line)["type"] == "function"]
    assert texts == ["order 1", "order 2"]


@pytest.mark.newest_python
def test_a_line_longer_than_a_record_arrives_in_parts_that_join_to_it(stage: Stage) -> None:
    source = 'def handler(event, context):\n    print("\\u00e9" * 900_000)\n'
    result = stage.run(source)
    parts = [line for line in result.lines if "part" in line]
    assert len(parts) > 1
    assert [line["part"] for line in parts] == [[number, len(parts)] for number in range(1, len(parts) + 1)]
    assert "".join(line["record"] for line in parts) == "\u00e9" * 900_000


@pytest.mark.newest_python
def test_lines_of_many_threads_are_not_mixed(stage: Stage) -> None:
    source = """
        import threading
        def work(number):
            for turn in range(200):
                print("thread", number, "turn", turn)
        def handler(event, context):
            threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    """
    result = stage.run(source)
    expected = {f"thread {number} turn {turn}" for number in range(5) for turn in range(200)}
    assert len(result.records()) == len(expected)
    assert set(result.records()) == expected


@pytest.mark.newest_python
@pytest.mark.parametrize("client", ["direct", "boto3"])
def test_records_that_were_refused_are_sent_again_alone(stage: Stage, client: str) -> None:
    stage.firehose.play(Step("partial", [0, 2]), Step("throttle"), Step("partial", [1]))
    source = 'def handler(event, context):\n    for number in range(2000):\n        print("line", number)\n'
    result = stage.run(source, env={"FIRETEE_CLIENT": client})
    assert [call.records for call in stage.firehose.calls][:4] == [5, 2, 2, 1]
    assert sorted(result.records()) == sorted(f"line {number}" for number in range(2000))


@pytest.mark.newest_python
def test_the_stream_may_be_given_as_an_arn_or_by_the_older_name(stage: Stage) -> None:
    source = 'def handler(event, context):\n    print("hello")\n'
    arn = f"arn:aws:firehose:eu-west-1:123456789012:deliverystream/{STREAM}"
    elsewhere = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    assert stage.run(source, env={"FIRETEE_STREAM": arn, **elsewhere}).records() == ["hello"]
    older = {"FIRETEE_STREAM": "", "KINESIS_DELIVERY_STREAM": STREAM}
    assert stage.run(source, env=older).records() == ["hello"]


@pytest.mark.newest_python
def test_platform_events_tell_the_course_of_an_invocation(stage: Stage) -> None:
    result = stage.run("def handler(event, context): print('hello')", [{}, {}])
    course = ["platform.start", "function", "platform.runtimeDone", "platform.report"]
    assert [line["type"] for line in result.lines] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        *course,
        *course,
    ]
