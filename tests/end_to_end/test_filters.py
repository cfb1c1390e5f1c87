"""The filters on real output: what is not to be sent is not sent, and the function never waits for a pattern."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end.harness import Result, Stage

pytestmark = pytest.mark.newest_python

SOURCE = """
    import json, logging, sys
    logging.getLogger().setLevel("DEBUG")
    def handler(event, context):
        logging.debug("a debug line")
        logging.warning("a warning")
        print(json.dumps({"level": "debug", "message": "debug as JSON"}))
        print(json.dumps({"level": "error", "message": "error as JSON"}))
        print("no level: password=hunter2")
        print(json.dumps({"user": {"card": "4111 1111 1111 1111", "name": "Eva"}}))
        print("health check", file=sys.stderr)
        raise RuntimeError("token hunter2 refused")
"""


def texts(result: Result) -> list[str]:
    records: list[Any] = [line["record"] for line in result.lines if line["type"] == "function"]
    return [record if isinstance(record, str) else json.dumps(record) for record in records]


def run(stage: Stage, **env: str) -> Result:
    """Whatever is filtered, the outside world sees the same; and `seq` has no gap."""
    bare, teed = stage.both(SOURCE, env=env, shutdown=False)
    assert (teed.stdout, len(teed.frames)) == (bare.stdout, len(bare.frames))
    assert [line["seq"] for line in teed.lines] == list(range(len(teed.lines)))
    return teed


def test_lines_below_the_level_are_not_sent_and_lines_without_one_are(stage: Stage) -> None:
    joined = "\n".join(texts(run(stage, FIRETEE_MIN_LEVEL="WARNING")))
    assert "a warning" in joined
    assert "error as JSON" in joined
    assert "no level" in joined
    assert "debug" not in joined


def test_only_what_is_included_and_not_excluded_is_sent(stage: Stage) -> None:
    sent = texts(run(stage, FIRETEE_INCLUDE="JSON|health", FIRETEE_EXCLUDE="health"))
    assert [json.loads(text)["message"] for text in sent] == ["debug as JSON", "error as JSON"]


def test_a_text_takes_the_place_of_what_is_redacted(stage: Stage) -> None:
    sent = texts(run(stage, FIRETEE_REDACT=r"(?:\d{4} ){3}(\d{4})=>…\1;;hunter\d=>bait"))
    joined = "\n".join(sent)
    assert "hunter" not in joined
    assert "password=bait" in joined
    assert json.dumps("…1111") in joined


def test_values_of_secret_keys_are_hidden_in_text_json_and_tracebacks(stage: Stage) -> None:
    source = """
        import json, logging
        def handler(event, context):
            print("login user=eva password=hunter2 ok")
            print(json.dumps({"user": "eva", "credentials": [{"PASSWORD": {"plain": "hunter2"}}]}))
            logging.warning("headers %s", {"Authorization": "Bearer hunter2", "accept": "*/*"})
            raise RuntimeError("refused: password=hunter2")
    """
    bare, teed = stage.both(source, env={"FIRETEE_REDACT_KEYS": "password,authorization"}, shutdown=False)
    assert (teed.stdout, len(teed.frames)) == (bare.stdout, len(bare.frames))
    assert "hunter2" not in json.dumps([line for line in teed.lines if line["type"] == "function"])
    sent = texts(teed)
    assert sent[0] == "login user=eva password=*** ok"
    assert json.loads(sent[1]) == {"user": "eva", "credentials": [{"PASSWORD": "***"}]}
    assert sent[2].endswith("{'Authorization': '***', 'accept': '*/*'}")
    assert json.loads(sent[3])["errorMessage"] == "refused: password=***"


def test_redaction_covers_text_json_values_and_tracebacks(stage: Stage) -> None:
    sent = texts(run(stage, FIRETEE_REDACT=r"hunter\d;;(?:\d{4} ){3}\d{4}"))
    joined = "\n".join(sent)
    assert "hunter" not in joined
    assert "4111" not in joined
    assert "password=***" in joined
    assert {"user": {"card": "***", "name": "Eva"}} in [json.loads(text) for text in sent if text.startswith("{")]
    assert "token *** refused" in joined


def test_redaction_covers_a_line_that_is_sent_in_parts(stage: Stage) -> None:
    source = """
        def handler(event, context):
            print("a" * 1_000_000 + "hunter2" + "b" * 1_000_000 + "hunter2")
    """
    teed = stage.run(source, env={"FIRETEE_REDACT": r"hunter\d"})
    parts = [line for line in teed.lines if line["type"] == "function"]
    assert [line["part"] for line in parts] == [[n + 1, len(parts)] for n in range(len(parts))]
    assert "".join(line["record"] for line in parts) == "a" * 1_000_000 + "***" + "b" * 1_000_000 + "***"


def test_tags_are_on_every_record(stage: Stage) -> None:
    teed = run(stage, FIRETEE_TAGS="team=web,stage=prod")
    assert all(line["tags"] == {"team": "web", "stage": "prod"} for line in teed.lines)


def test_a_pattern_that_does_not_compile_costs_one_line_on_stderr(stage: Stage) -> None:
    teed = run(stage, FIRETEE_EXCLUDE="(unclosed")
    ours = [line for line in teed.stderr.decode().splitlines() if line.startswith("[firetee]")]
    assert len(ours) == 1
    assert "FIRETEE_EXCLUDE" in ours[0]
    assert "(unclosed" in ours[0]
    assert any("health check" in text for text in texts(teed))


def test_a_pattern_that_backtracks_catastrophically_does_not_hang_the_invocation(stage: Stage) -> None:
    source = """
        def handler(event, context):
            print("a" * 5000 + "!")
            return "done"
    """
    teed = stage.run(source, env={"FIRETEE_EXCLUDE": r"^(a+)+$", "FIRETEE_REDACT": r"(a|aa)+b"}, timeout_s=10)
    assert teed.responses[0].body == b'"done"'
    assert teed.responses[0].seconds < 8
    assert teed.records() == ["a" * 5000 + "!"]
