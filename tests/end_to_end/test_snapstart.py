"""SnapStart: what is sent before the snapshot, and what is new in each copy that is restored from it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firetee import runtimes
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.runtime_api import RuntimeApi
from tests.fakes.sts import ContainerCredentials

pytestmark = pytest.mark.newest_python

SOURCE = """
import os
from snapshot_restore_py import register_after_restore, register_before_snapshot

print("imported")

@register_before_snapshot
def before():
    print("before the snapshot")

@register_after_restore
def after():
    print("after the restore")
    if os.path.exists(os.environ["TMPDIR"] + "/fail"):
        raise RuntimeError("cannot be restored")

def handler(event, context):
    print("handled", event["number"])
    return event["number"]
"""


@contextmanager
def snapshot(stage: Stage, api: RuntimeApi, credentials: ContainerCredentials) -> Iterator[subprocess.Popen[bytes]]:
    """A runtime process on its way to the snapshot; its output goes to files in the stage's folder."""
    runtime = runtimes.runtime(stage.python, stage.ric)
    settings = {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_EXEC_WRAPPER": str(stage.layer / "bin" / "exec-wrapper"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_EXECUTION_ENV": stage.python.execution_env,
        "LAMBDA_DISABLE_PREVIEW_WARN": "true",
        "AWS_REGION": "eu-west-1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{credentials.url}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.AUTHORIZATION,
        "AWS_ENDPOINT_URL_FIREHOSE": stage.firehose.url,
        "FIRETEE_STREAM": STREAM,
        "FIRETEE_JOURNAL_DIR": str(stage.folder),
        "LAMBDA_TASK_ROOT": str(stage.write(SOURCE)),
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "_HANDLER": "app.handler",
        "TMPDIR": str(stage.folder),
    }
    with (stage.folder / "stdout").open("wb") as stdout, (stage.folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen([str(runtime / "bootstrap")], env=settings, stdout=stdout, stderr=stderr)
    try:
        assert api.waits_for_restore.wait(20), (stage.folder / "stderr").read_text()
        yield process
    finally:
        process.kill()
        process.wait()


def texts(stage: Stage) -> list[str]:
    return [line["record"] for line in stage.firehose.lines(STREAM) if line["type"] == "function"]


def test_a_life_with_a_snapshot_in_it(stage: Stage) -> None:
    with RuntimeApi() as api, ContainerCredentials() as credentials, snapshot(stage, api, credentials):
        before = stage.firehose.lines(STREAM)
        connections, fetched = stage.firehose.connections, credentials.fetched
        journals = list(stage.folder.glob(".firetee-*"))
        stage.firehose.drop_connections()  # they are not in the copy
        api.restore()
        answers = [api.invoke({"number": number}) for number in (1, 2)]
        after = stage.firehose.lines(STREAM)[len(before) :]
        assert stage.firehose.connections > connections
        assert credentials.fetched > fetched
        assert not set(journals) & set(stage.folder.glob(".firetee-*"))
    assert answers == [b"1", b"2"]
    assert len(api.registered) == 1
    assert [line["record"] for line in before if line["type"] == "function"] == ["imported", "before the snapshot"]
    assert [line["record"] for line in after if line["type"] == "function"] == [
        "after the restore",
        "handled 1",
        "handled 2",
    ]
    assert len({line["environment"] for line in before}) == len({line["environment"] for line in after}) == 1
    assert before[0]["environment"] != after[0]["environment"]
    assert [line["seq"] for line in after] == list(range(len(after)))
    platform = [(line["type"], line["record"]) for line in (*before, *after) if line["type"].startswith("platform.")]
    assert [kind for kind, _ in platform][:5] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.restoreStart",
        "platform.restoreRuntimeDone",
        "platform.start",
    ]
    assert platform[0][1]["initializationType"] == "snap-start"
    assert platform[3][1]["status"] == "success"
    report = next(record for kind, record in platform if kind == "platform.report")
    assert report["metrics"]["restoreDurationMs"] >= 0
    assert "initDurationMs" not in report["metrics"]
    assert (stage.folder / "stderr").read_text() == ""


def test_nothing_is_left_to_deliver_when_the_snapshot_is_taken(stage: Stage) -> None:
    with RuntimeApi() as api, ContainerCredentials() as credentials, snapshot(stage, api, credentials) as process:
        before = stage.firehose.lines(STREAM)
        process.kill()
        process.wait()
        again = RuntimeApi()
        with again, snapshot(stage, again, credentials):  # another copy's process, on the same files
            again.restore()
            again.invoke({"number": 1})
    lines = stage.firehose.lines(STREAM)
    keys = [(line["environment"], line["seq"]) for line in lines]
    assert len(keys) == len(set(keys))
    assert lines[: len(before)] == before


def test_a_restore_that_fails_is_heard(stage: Stage) -> None:
    with RuntimeApi() as api, ContainerCredentials() as credentials, snapshot(stage, api, credentials) as process:
        Path(stage.folder, "fail").touch()
        api.restore()
        assert process.wait(20) == 65
    lines = stage.firehose.lines(STREAM)
    assert texts(stage)[2] == "after the restore"
    assert "cannot be restored" in str(texts(stage)[3:])
    done = next(line["record"] for line in lines if line["type"] == "platform.restoreRuntimeDone")
    assert done["status"] == "error"
    assert [path for path, _ in api.errors] == ["/restore/error"]
