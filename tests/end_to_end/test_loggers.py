"""Real loggers and their real packages: what they write arrives, as objects where it is JSON, with its level."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from firetee import fetch
from tests.end_to_end.harness import Result, Stage

#: The loggers and what they need; versions and hashes as locked in `requirements/test.txt`.
PACKAGES = ("aws-lambda-powertools", "jmespath", "loguru", "structlog", "typing-extensions")
LOCK = fetch.ROOT / "requirements" / "test.txt"


@pytest.fixture(scope="session")
def packages() -> str:
    """A folder with the packages, as a function would bundle them: pure Python, so one serves every version."""

    blocks = re.split(r"(?m)^(?=\S)", LOCK.read_text())
    wanted = "".join(block for block in blocks if block.partition("==")[0] in PACKAGES)

    def make(scratch: Path) -> None:
        lock, folder = scratch / "lock.txt", scratch / "packages"
        lock.write_text(wanted)
        fetch.pip("install", "--no-deps", "--require-hashes", f"--target={folder}", f"--requirement={lock}")
        folder.rename(target)

    target = fetch.cache_dir() / "loggers" / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    return str(fetch.once(target, make))


def function_lines(result: Result) -> list[dict[str, Any]]:
    return [line for line in result.lines if line["type"] == "function"]


def run(stage: Stage, packages: str, source: str, **options: Any) -> Result:
    """The function bare and wrapped: seen the same from outside. Returns the wrapped run."""
    paths = f"import sys; sys.path.insert(0, {packages!r})\n"
    bare, teed = stage.both(paths + source, shutdown=False, **options)
    assert bare.responses[0].body == b'"done"', bare.responses[0].body
    assert teed.responses[0].body == b'"done"', teed.responses[0].body
    assert (len(teed.stdout), len(teed.stderr), len(teed.frames)) == pytest.approx(
        (len(bare.stdout), len(bare.stderr), len(bare.frames)), abs=60
    )  # times and ids inside differ
    return teed


def test_the_standard_library_s_logging(stage: Stage) -> None:
    source = """
        import logging
        logging.getLogger().setLevel("INFO")
        def handler(event, context):
            logging.getLogger("shop").info("order %s\\nof two lines", 17)
            try:
                1 / 0
            except ZeroDivisionError:
                logging.exception("failed")
            logging.debug("not shown")
            context.log("from the context\\n")
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.observed == bare.observed
    first, second, third = function_lines(teed)
    assert (first["stream"], first["level"]) == ("log", "INFO")
    assert first["record"] == "order 17\nof two lines"
    assert second["level"] == "ERROR"
    assert "ZeroDivisionError: division by zero" in second["record"]
    assert "level" not in third
    assert third["record"] == "from the context"


def test_the_standard_library_s_logging_without_a_telemetry_fd(stage: Stage) -> None:
    source = """
        import logging
        def handler(event, context):
            logging.getLogger("shop").warning("order %s\\nof two lines", 17)
            raise ValueError("unlucky")
    """
    bare, teed = stage.both(source, telemetry=False, shutdown=False)
    assert teed.observed == bare.observed
    first, second = function_lines(teed)
    assert (first["record"], first["level"]) == ("order 17\nof two lines", "WARNING")
    assert second["record"]["text"].startswith("[ERROR] ValueError: unlucky")


@pytest.mark.newest_python
def test_lambda_s_own_json_format(stage: Stage) -> None:
    source = """
        import logging
        logging.getLogger().setLevel("INFO")
        def handler(event, context):
            logging.getLogger("shop").info("order", extra={"order": 17})
            logging.getLogger("shop").error("NaN", extra={"price": float("nan")})
            raise ValueError("unlucky")
    """
    bare, teed = stage.both(source, env={"AWS_LAMBDA_LOG_FORMAT": "JSON"}, shutdown=False)
    assert len(teed.frames) == len(bare.frames) == 3
    first, second, third = function_lines(teed)
    assert first["level"] == "INFO"
    assert (first["record"]["message"], first["record"]["order"]) == ("order", 17)
    assert second["level"] == "ERROR"
    assert isinstance(second["record"], str)  # NaN is no JSON: as it came
    assert second["record"] == teed.frames[1].message.rstrip("\n")
    assert third["record"]["errorMessage"] == "unlucky"
    assert third["level"] == "ERROR"


@pytest.mark.newest_python
def test_powertools(stage: Stage, packages: str) -> None:
    source = """if True:
        from aws_lambda_powertools import Logger
        logger = Logger(service="shop", level="DEBUG")

        @logger.inject_lambda_context(clear_state=True)
        def handler(event, context):
            logger.append_keys(order=17)
            logger.debug({"nested": ["žluť", 1.5]})
            try:
                1 / 0
            except ZeroDivisionError:
                logger.exception("failed")
            return "done"
    """
    debug, error = function_lines(run(stage, packages, source))
    assert (debug["stream"], debug["level"], error["level"]) == ("stdout", "DEBUG", "ERROR")
    assert debug["record"]["message"] == {"nested": ["žluť", 1.5]}
    assert debug["record"]["function_request_id"] == debug["requestId"]
    assert (error["record"]["order"], error["record"]["exception_name"]) == (17, "ZeroDivisionError")


@pytest.mark.newest_python
def test_structlog(stage: Stage, packages: str) -> None:
    source = """if True:
        import structlog
        structlog.configure(processors=[
            structlog.processors.add_log_level, structlog.processors.JSONRenderer()
        ])
        log = structlog.get_logger()

        def handler(event, context):
            log.bind(order=17).warning("accepted", late=True)
            return "done"
    """
    (line,) = function_lines(run(stage, packages, source))
    assert line["record"] == {"order": 17, "late": True, "event": "accepted", "level": "warning"}
    assert (line["stream"], line["level"]) == ("stdout", "WARNING")


@pytest.mark.newest_python
def test_loguru(stage: Stage, packages: str) -> None:
    source = """if True:
        import sys
        from loguru import logger
        logger.remove()
        logger.add(sys.stderr, format="{level} {message}", colorize=False)
        logger.add(sys.stdout, format="{message}", serialize=True)
        logger.add(print, format="sink {message}", enqueue=True)

        def handler(event, context):
            logger.bind(order=17).error("accepted")
            logger.complete()
            return "done"
    """
    lines = function_lines(run(stage, packages, source))
    assert len(lines) == 4  # and the empty line that `print` makes of a message with a newline
    by_stream = {(line["stream"], type(line["record"]).__name__): line for line in lines if line["record"]}
    assert by_stream["stderr", "str"]["record"] == "ERROR accepted"
    assert by_stream["stdout", "dict"]["record"]["record"]["extra"] == {"order": 17}
    assert by_stream["stdout", "str"]["record"] == "sink accepted"


@pytest.mark.newest_python
class TestJsonLines:
    SOURCE = """
        LINES = [
            '{"level": "error", "message": "an object"}',
            '  {"spaces": true}  ',
            '{"a": NaN}', '{"a": 1e999}', '{"a": 1}}', '{{"a": 1}}', '{"a": ', '[1, 2]', '"text"', '17', 'null', '{}',
            '{"deep": ' + '[' * 50 + ']' * 50 + '}', '{"a": "\\\\ud800"}', '{"a": 1, "a": 2}',
        ]
        def handler(event, context):
            for line in LINES:
                print(line)
    """

    def test_objects_are_objects_and_everything_else_is_text_byte_for_byte(self, stage: Stage) -> None:
        teed = stage.run(self.SOURCE)
        lines = function_lines(teed)
        texts = teed.stdout.decode().splitlines()
        assert len(lines) == len(texts)
        assert lines[0]["record"] == {"level": "error", "message": "an object"}
        assert lines[0]["level"] == "ERROR"
        assert lines[11]["record"] == {}
        for position in (2, 4, 5, 6, 7, 8, 9, 10):
            assert lines[position]["record"] == texts[position]

    def test_parsing_can_be_switched_off(self, stage: Stage) -> None:
        teed = stage.run(self.SOURCE, env={"FIRETEE_PARSE_JSON": "false"})
        assert [line["record"] for line in function_lines(teed)] == teed.stdout.decode().splitlines()
