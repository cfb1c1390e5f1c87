"""Errors of the function's are sent before they are posted; errors of ours are one line that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from firetee.emulator import Emulator
from tests.end_to_end.harness import STREAM, Result, Stage
from tests.end_to_end.spy import SPY, moments
from tests.fakes.firehose import NOT_FOUND, Step, access_denied

TELEMETRY = pytest.mark.parametrize("telemetry", [True, False], ids=["telemetry-fd", "no-telemetry-fd"])
PRINTS = 'def handler(event, context):\n    print("a line")\n    return "answered"\n'


def error_lines(result: Result) -> list[dict[str, Any]]:
    return [line for line in result.lines if line["type"] == "function" and "[ERROR]" in str(line["record"])]


# ---- the function's ------------------------------------------------------------------------------------------------


@TELEMETRY
def test_an_error_of_the_handler_is_one_record_with_its_traceback(stage: Stage, telemetry: bool) -> None:
    source = """
        def deeper():
            raise ValueError("unlucky")
        def handler(event, context):
            print("before")
            deeper()
    """
    result = stage.run(source, telemetry=telemetry)
    (line,) = error_lines(result)
    assert (line["record"]["errorType"], line["record"]["errorMessage"]) == ("ValueError", "unlucky")
    assert "in handler" in line["record"]["stackTrace"][0]
    assert "in deeper" in line["record"]["stackTrace"][1]
    assert line["record"]["text"].startswith("[ERROR] ValueError: unlucky\nTraceback (most recent call last):\n")
    assert (line["level"], line["stream"]) == ("ERROR", "log")
    assert line["requestId"]
    (done,) = (line for line in result.lines if line["type"] == "platform.runtimeDone")
    assert (done["record"]["status"], done["record"]["errorType"]) == ("error", "ValueError")


def test_an_error_of_the_handler_is_taken_before_it_is_posted(stage: Stage) -> None:
    source = SPY + 'def handler(event, context):\n    print("before")\n    raise ValueError("unlucky")\n'
    with stage.environment(source) as emulator:
        emulator.invoke({})
        posted = next(m.time for m in moments(emulator) if m.name == "post_error")
    assert stage.firehose.calls[0].time < posted
    assert "unlucky" in str(stage.firehose.lines(STREAM))


INIT_ERRORS = {
    "import error": ("import nothing_of_this_name\n", "Runtime.ImportModuleError"),
    "syntax error": ("def handler(:\n", "Runtime.UserCodeSyntaxError"),
    "raises": ('raise ValueError("at import")\n', "ValueError"),
    "no handler": ("", "Runtime.HandlerNotFound"),
}


@TELEMETRY
@pytest.mark.newest_python
@pytest.mark.parametrize("name", INIT_ERRORS)
def test_an_error_of_the_init_arrives(stage: Stage, name: str, telemetry: bool) -> None:
    body, error_type = INIT_ERRORS[name]
    source = 'print("importing")\n' + body if name != "syntax error" else body
    result = stage.run(source, telemetry=telemetry)
    errors = error_lines(result)
    assert errors
    assert len(errors) == len({line["environment"] for line in errors})  # once for each process that tried
    if name != "syntax error":
        assert "importing" in result.records()
    if error_type.startswith("Runtime."):
        assert errors[0]["record"]["errorType"] == error_type
    assert "platform.initRuntimeDone" in [line["type"] for line in result.lines]


def test_what_was_printed_before_an_exit_at_import_arrives(stage: Stage) -> None:
    result = stage.run('import sys\nprint("leaving")\nsys.exit(9)\n', shutdown=False)
    assert "leaving" in result.records()


def test_an_exit_in_the_handler_is_flushed_before_the_process_ends(stage: Stage) -> None:
    source = 'import sys\ndef handler(event, context):\n    print("leaving")\n    sys.exit(3)\n'
    with stage.environment(source) as emulator:
        emulator.invoke({})
        texts = [line["record"] for line in stage.firehose.lines(STREAM) if line["type"] == "function"]
        journals = list(emulator.tmp.glob("firetee-*"))
        assert emulator.exits[0] == 3
    assert texts == ["leaving"]
    assert len(journals) <= len(emulator.runs) - 1  # the one that exited removed its own


# ---- ours ----------------------------------------------------------------------------------------------------------


def messages(seen: Emulator | Result) -> list[str]:
    lines = seen.stderr.decode().splitlines()
    assert all(line.startswith("[firetee] ") for line in lines), lines
    return lines


@pytest.mark.newest_python
@pytest.mark.parametrize("client", ["direct", "boto3"])
class TestFirehoseRefuses:
    def run(self, stage: Stage, client: str, **env: str) -> Result:
        settings = {"FIRETEE_CLIENT": client, "FIRETEE_FLUSH_TIMEOUT_MS": "200", **env}
        result = stage.run(PRINTS, [{}] * 4, env=settings)
        assert {answer.body for answer in result.responses} == {b'"answered"'}
        assert result.stdout == b"a line\n" * 4
        return result

    def test_access_denied_says_once_what_to_grant(self, stage: Stage, client: str) -> None:
        stage.firehose.otherwise = access_denied()
        (message,) = messages(self.run(stage, client))
        assert "AccessDeniedException" in message
        assert "grant the function's role firehose:PutRecordBatch" in message

    def test_a_missing_stream_says_once_what_to_create(self, stage: Stage, client: str) -> None:
        stage.firehose.otherwise = NOT_FOUND
        (message,) = messages(self.run(stage, client))
        assert "create the delivery stream" in message

    def test_wrong_credentials_say_once_what_to_check(self, stage: Stage, client: str) -> None:
        (message,) = messages(self.run(stage, client, AWS_ACCESS_KEY_ID="AKIDOTHER"))
        assert "AWS_ACCESS_KEY_ID" in message

    def test_a_wrong_secret_says_once_what_to_check(self, stage: Stage, client: str) -> None:
        (message,) = messages(self.run(stage, client, AWS_SECRET_ACCESS_KEY="wrong"))
        assert "AWS_SECRET_ACCESS_KEY" in message

    def test_an_endpoint_that_nobody_listens_at_is_one_line(self, stage: Stage, client: str) -> None:
        (message,) = messages(self.run(stage, client, AWS_ENDPOINT_URL_FIREHOSE="http://127.0.0.1:9"))
        assert "127.0.0.1" in message

    def test_a_name_that_does_not_resolve_is_one_line(self, stage: Stage, client: str) -> None:
        result = self.run(stage, client, AWS_ENDPOINT_URL_FIREHOSE="http://firehose.invalid:1234")
        (message,) = messages(result)
        assert "firehose.invalid" in message

    def test_a_firehose_that_fails_is_one_line_and_no_traceback(self, stage: Stage, client: str) -> None:
        stage.firehose.otherwise = Step("server_error")
        result = self.run(stage, client, FIRETEE_FLUSH_TIMEOUT_MS="2000")
        # On a busy machine the last call may run out of time instead, which is another fault, with a line of its own.
        (message,) = [each for each in messages(result) if "no answer in time" not in each]
        assert "Traceback" not in result.stderr.decode()
        assert "InternalFailure" in message or "ServiceUnavailable" in message


@pytest.mark.newest_python
def test_with_extension_events_the_messages_are_records_too(stage: Stage) -> None:
    stage.firehose.play(NOT_FOUND)
    env = {"FIRETEE_EVENTS": "function,extension", "FIRETEE_FLUSH_TIMEOUT_MS": "200"}
    result = stage.run(PRINTS, [{}, {}], env=env)
    (message,) = result.records("extension")
    assert message.startswith("WARNING ")
    assert "[firetee] " + message.removeprefix("WARNING ") in messages(result)


@pytest.mark.newest_python
def test_a_log_level_hides_them(stage: Stage) -> None:
    stage.firehose.otherwise = NOT_FOUND
    result = stage.run(PRINTS, env={"FIRETEE_LOG_LEVEL": "CRITICAL", "FIRETEE_FLUSH_TIMEOUT_MS": "200"})
    assert result.stderr == b""
