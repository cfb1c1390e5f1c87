"""Managed Instances: the emulator's mode for them, in a mount namespace of its own.

The emulator insists on /var/task and /var/runtime/bootstrap, and starts the runtime as uid 993. So it gets a /var of
its own, and a home folder in which nothing but the Python is seen, for Pythons that live in root's home.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firetee import runtimes
from firetee.emulator import INVOKE_PATH, _free_ports, rie
from tests.end_to_end.harness import STREAM, Stage
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN

#: What the emulator runs the runtime as (RIE 1.30).
UID = 993
START_S = 20.0

_SET_UP = """set -e
mount -t tmpfs tmpfs /var
mkdir -p /var/task /var/runtime /var/tmp /var/python
mount --bind "$PYTHON_PREFIX" /var/python
case "$PYTHON_PREFIX" in
"$HOME"/*)
    mount -t tmpfs -o mode=755 tmpfs "$HOME"
    mkdir -p "$PYTHON_PREFIX"
    mount --bind /var/python "$PYTHON_PREFIX" ;;
esac
mount --bind "$FOLDER/task" /var/task
cp "$FOLDER/bootstrap" /var/runtime/bootstrap
exec "$@"
"""


class Managed:
    """A running instance with `workers` processes; `invoke` may be called by as many threads."""

    def __init__(self, stage: Stage, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.stage = stage
        self.folder = folder
        self.tmp = folder / "tmp"
        self._port = port
        self._process = process

    def invoke(self, event: object, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. While no worker asks for an event the emulator refuses, and is asked again."""
        deadline = time.monotonic() + START_S
        while True:
            status, body = self._invoke(event, headers)
            if b"Runtime.Unavailable" not in body or time.monotonic() > deadline:
                return status, body
            time.sleep(0.02)  # nothing tells when a worker asks

    def _invoke(self, event: object, headers: Mapping[str, str] | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", INVOKE_PATH, json.dumps(event).encode(), dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def shutdown(self) -> None:
        """SIGTERM, as when the instance ends; waits for the end."""
        self._process.terminate()
        self._process.wait(20)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.stage.firehose.lines(STREAM)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8", "backslashreplace")


@contextmanager
def managed(
    stage: Stage, source: str, *, workers: int = 2, wrapped: bool = True, env: Mapping[str, str] | None = None
) -> Iterator[Managed]:
    """An instance. Needs root and the right to make a mount namespace: says so, and fails, where that is missing."""
    allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    if os.geteuid() != 0 or allowed.returncode != 0:
        raise RuntimeError(
            "the test of Managed Instances needs root and a mount namespace (the emulator wants a /var of its own and "
            f"another user): run it as root, in a container with --privileged. unshare says: {allowed.stderr.strip()}"
        )
    folder = Path(tempfile.mkdtemp(prefix="firetee-managed-"))
    try:
        folder.chmod(0o755)
        with _started(stage, folder, textwrap.dedent(source), workers, wrapped, env or {}) as instance:
            yield instance
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(
    stage: Stage, folder: Path, source: str, workers: int, wrapped: bool, env: Mapping[str, str]
) -> Iterator[Managed]:
    (folder / "task").mkdir()
    (folder / "task" / "app.py").write_text(source)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    shutil.copytree(stage.layer, folder / "opt")
    for name in ("stdout", "stderr"):
        (folder / name).touch()
        (folder / name).chmod(0o666)
    runtime = runtimes.runtime(stage.python, stage.ric)
    (folder / "bootstrap").write_text(f"#!/bin/sh\nexec {runtime}/bootstrap >>{folder}/stdout 2>>{folder}/stderr\n")
    (folder / "bootstrap").chmod(0o755)
    (folder / "set-up").write_text(_SET_UP)
    port, api_port = _free_ports(2)
    prefix = stage.python.path.resolve().parent.parent
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(Path.home()),
        "FOLDER": str(folder),
        "PYTHON_PREFIX": str(prefix),
        "LANG": "en_US.UTF-8",
        "LAMBDA_DISABLE_PREVIEW_WARN": "true",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_ENDPOINT_URL_FIREHOSE": stage.firehose.url,
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "20",
        "AWS_LAMBDA_MAX_CONCURRENCY": str(workers),
        "AWS_EXECUTION_ENV": stage.python.execution_env,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "_HANDLER": "app.handler",
        "TMPDIR": str(folder / "tmp"),
        "FIRETEE_JOURNAL_DIR": str(folder / "tmp"),
        "FIRETEE_STREAM": STREAM,
        **({"AWS_LAMBDA_EXEC_WRAPPER": str(folder / "opt" / "bin" / "exec-wrapper")} if wrapped else {}),
        **env,
    }
    command = [
        "unshare", "--mount", "--propagation", "private", "sh", str(folder / "set-up"),
        str(rie()), "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{api_port}", "/var/runtime/bootstrap",
    ]  # fmt: skip
    with (folder / "rie.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        instance = Managed(stage, folder, port, process)
        _wait_until_it_listens(instance, port, process)
        yield instance
    finally:
        for pid in _descendants(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.kill()
        process.wait()


def _wait_until_it_listens(instance: Managed, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.connect()
            return
        except OSError:
            time.sleep(0.02)  # nothing tells when another process listens
        finally:
            connection.close()
    raise RuntimeError(f"the emulator does not start:\n{instance.read('rie.log')}")


def _descendants(pid: int) -> list[int]:
    """The processes below `pid`, the youngest first."""
    try:
        children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [each for child in children for each in (*_descendants(child), child)]
