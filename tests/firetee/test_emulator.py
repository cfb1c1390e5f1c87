"""The emulator tells what a real runtime did: who wrote what where, how each process ended, and leaves none behind."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firetee import emulator
from firetee.emulator import Emulator, Frame, Function, Response, decode_frames
from firetee.runtimes import Python, installed

NEWEST = installed()[-1]
Environment = Callable[..., Emulator]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Makes an emulator for the source of a function."""

    def make(source: str, python: Python = NEWEST, env: dict[str, str] | None = None, **options: Any) -> Emulator:
        (tmp_path / "app.py").write_text(source)
        return Emulator(Function(tmp_path, env=env or {}, timeout_s=options.pop("timeout_s", 10)), python, **options)

    return make


TALKS = """
import logging, sys
def handler(event, context):
    print("to fd 1")
    print("to fd 2", file=sys.stderr)
    logging.getLogger().warning("to the log")
    return {"got": event}
"""


@pytest.mark.parametrize("python", installed(), ids=lambda python: python.minor)
def test_outputs_are_kept_apart_on_every_python(environment: Environment, python: Python) -> None:
    with environment(TALKS, python) as emulator:
        response = emulator.invoke({"order": 17})
        assert (response.status, response.json()) == (200, {"got": {"order": 17}})
    assert emulator.stdout == b"to fd 1\n"
    assert emulator.stderr == b"to fd 2\n"
    assert [frame.message.rpartition("\t")[2] for frame in emulator.frames] == ["to the log\n"]


def test_another_program_that_was_quicker_to_the_port_is_not_taken_for_the_emulator(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = [[other.getsockname()[1], emulator._free_ports(1)[0]], emulator._free_ports(2)]
        asked = []

        def offered(count: int) -> list[int]:
            asked.append(count)
            return ports[len(asked) - 1]

        monkeypatch.setattr(emulator, "_free_ports", offered)
        with environment(TALKS) as running:
            assert running.invoke({}).json() == {"got": {}}
        assert asked == [2, 2]


def test_without_a_telemetry_fd_logging_goes_to_stdout(environment: Environment) -> None:
    with environment(TALKS, telemetry=False) as emulator:
        emulator.invoke({})
    assert emulator.frames == []
    assert emulator.stdout.startswith(b"to fd 1\n[WARNING]")


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [
        ("os._exit(3)", 3),
        ("sys.exit(4)", 4),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    ],
)
def test_the_exit_of_each_process_is_told_and_the_next_one_starts(
    environment: Environment, ending: str, exit_code: int
) -> None:
    source = f"import os, signal, sys\ndef handler(event, context):\n    if event: {ending}\n    return os.getpid()\n"
    with environment(source) as emulator:
        first = emulator.invoke({}).json()
        assert emulator.invoke({"end": True}).status == 502
        second = emulator.invoke({}).json()
        assert emulator.exits == [exit_code, None]
        assert [run.pid for run in emulator.runs] == [first, second]


def test_a_timeout_kills_the_process_and_keeps_its_tmp(environment: Environment) -> None:
    source = """
import os, threading
def handler(event, context):
    path = os.path.join(os.environ["TMPDIR"], "kept")
    if os.path.exists(path):
        return "kept"
    open(path, "w").close()
    threading.Event().wait()
"""
    with environment(source, timeout_s=1) as emulator:
        assert emulator.invoke({}).body == b"Task timed out after 1.00 seconds"
        assert emulator.invoke({}).json() == "kept"
        assert emulator.exits == [-9, None]


REGISTERS = """
import http.client, os, signal, sys, threading
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
def ask(method, path, body, headers):
    connection = http.client.HTTPConnection(api)
    connection.request(method, "/2020-01-01/extension/" + path, body, headers)
    return connection.getresponse()
registered = ask("POST", "register", '{"events": []}', {"Lambda-Extension-Name": "test"})
identity = {"Lambda-Extension-Identifier": registered.getheader("Lambda-Extension-Identifier")}
threading.Thread(target=ask, args=("GET", "event/next", None, identity), daemon=True).start()
def handler(event, context):
    pass
"""


def test_shutdown_is_sigkill_for_a_runtime_without_an_extension(environment: Environment) -> None:
    with environment("def handler(event, context): pass") as emulator:
        emulator.invoke({})
        assert [run.exit_code for run in emulator.shutdown()] == [-9]


def test_shutdown_is_sigterm_for_a_runtime_that_registered(environment: Environment) -> None:
    with environment(REGISTERS) as emulator:
        emulator.invoke({})
        assert [run.exit_code for run in emulator.shutdown()] == [-15]


def test_the_exec_wrapper_gets_the_command_of_the_managed_runtime(environment: Environment, tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nfor word; do echo "${word##*/}"; done\nexec "$@"\n')
    wrapper.chmod(0o755)
    with environment(TALKS, wrapper=wrapper) as emulator:
        assert emulator.invoke({}).status == 200
    assert emulator.stdout == b"python\nbootstrap.py\nto fd 1\n"


def test_the_exec_wrapper_goes_in_front_of_an_images_entry_point(environment: Environment, tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nshift\necho "$@"\nexec "$0.python" "$@"\n')
    wrapper.chmod(0o755)
    (tmp_path / "wrapper.python").symlink_to(NEWEST.path)
    with environment(TALKS, wrapper=wrapper, module=True, options=["-X", "importtime"]) as emulator:
        emulator.invoke({}, timeout_s=5)
    assert emulator.stdout.startswith(b"-X importtime -m awslambdaric app.handler\n")


@pytest.mark.parametrize(("mode", "exit_code"), [(None, 127), (0o644, 126)])
def test_a_wrapper_that_cannot_run_ends_the_runtime_as_on_lambda(
    environment: Environment, tmp_path: Path, mode: int | None, exit_code: int
) -> None:
    wrapper = tmp_path / "wrapper"
    if mode is not None:
        wrapper.write_text("#!/bin/sh\n")
        wrapper.chmod(mode)
    with environment(TALKS, wrapper=wrapper) as emulator:
        assert emulator.invoke({}).status == 502
        assert emulator.exits[0] == exit_code


@pytest.mark.parametrize(("pythonpath", "layers"), [(None, True), ("/elsewhere", False)])
def test_layers_are_on_the_path_unless_pythonpath_is_set(
    environment: Environment, tmp_path: Path, pythonpath: str | None, layers: bool
) -> None:
    env = {"EMULATED_OPT": "/layers", **({"PYTHONPATH": pythonpath} if pythonpath else {})}
    with environment("import sys\ndef handler(event, context): return sys.path", env=env) as emulator:
        path = emulator.invoke({}).json()
    assert isinstance(path, list)
    assert path[0] == str(tmp_path)
    assert ("/layers/python" in path) is layers


def test_the_function_sees_lambdas_environment_and_nothing_of_this_machines(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THIS_MACHINE", "secret")
    with environment("import os\ndef handler(event, context): return dict(os.environ)", env={"MINE": "1"}) as emulator:
        seen = emulator.invoke({}).json()
    assert isinstance(seen, dict)
    assert "OF_THIS_MACHINE" not in seen
    assert seen["MINE"] == "1"
    assert seen["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{NEWEST.minor}"


def test_nothing_is_left_running_or_lying_about(environment: Environment) -> None:
    source = "import subprocess\ndef handler(event, context): return subprocess.Popen(['sleep', '600']).pid"
    with environment(source) as emulator:
        child = emulator.invoke({}).json()
        (run,) = emulator.runs
    assert not emulator.folder.exists()
    for pid in (child, run.pid, run.group):
        assert _has_ended(int(str(pid)))


def _has_ended(pid: int) -> bool:
    """Whether a process has ended, or does within seconds: the kernel takes a moment to end one that is killed."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        end = select.poll()
        end.register(process, select.POLLIN)
        return bool(end.poll(10_000))
    finally:
        os.close(process)


def frame(kind: int, message: bytes, time_us: int = 5) -> bytes:
    return struct.pack(">IIQ", kind, len(message), time_us) + message


def test_frames_carry_level_format_and_time() -> None:
    data = frame(0xA55A0003, b"plain") + frame(0xA55A0016, b"{}", 7) + frame(0xA55A001B, "grüße".encode())
    assert decode_frames(data) == [
        Frame("NOTSET", False, 5, "plain"),
        Frame("ERROR", True, 7, "{}"),
        Frame("CRITICAL", False, 5, "grüße"),
    ]


@pytest.mark.parametrize("data", [b"\xa5", frame(0xA55A0003, b"cut off")[:-1], b"no frame at all, but text"])
def test_what_is_not_whole_frames_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        decode_frames(data)


def test_a_folder_that_is_given_is_kept_with_what_is_in_it(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with environment(TALKS, folder=folder) as emulator:
        emulator.invoke({})
    assert (folder / "stdout").read_bytes() == b"to fd 1\n"
    assert os.listdir(folder / "tmp") == []


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b'{"errorMessage": "x", "errorType": "ValueError", "requestId": "1", "stackTrace": []}', "ValueError"),
        (200, b'{"errorMessage": "x", "errorType": "Runtime.ImportModuleError", "stackTrace": []}',
         "Runtime.ImportModuleError"),
        (200, b"Task timed out after 1.00 seconds", "timeout"),
        (502, b'{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: signal: killed"}', "crash"),
        (200, b'{"errorType": "of its own", "errorMessage": "returned by the handler"}', None),
        (200, b'"Task timed out after 1.00 seconds"', None),
        (200, b"null", None),
    ],
)  # fmt: skip
def test_an_invocation_that_failed_is_told_from_one_that_returned(status: int, body: bytes, error: str | None) -> None:
    assert Response(status, body, 0.01).error == error
