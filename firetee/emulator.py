"""One Lambda execution environment on this machine: AWS's runtime interface emulator (RIE) with a real runtime client.

    with Emulator(Function(task_root, "app.handler"), python, wrapper=layer / "bin/exec-wrapper") as emulator:
        response = emulator.invoke({"order": 17})
    emulator.stdout, emulator.stderr, emulator.frames, emulator.exits

The runtime's fd 1, fd 2 and telemetry fd go to files, apart from the emulator's own log. What RIE cannot do (freeze,
limit the init, answer before the runtime's next `/next`, pass a trace or tenant id on) this cannot either.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import platform
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from firetee import fetch, runtimes

SAM_CLI = "aws-sam-cli==1.170.0"  # Apache-2.0; its wheel carries the emulator for both architectures
SAM_CLI_SHA256 = "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"
WHEEL = fetch.Wheel(SAM_CLI, SAM_CLI_SHA256)
RIE_NAMES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64", "arm64": "aws-lambda-rie-arm64"}

NOT_LINUX = "AWS's emulator is a program for Linux, this is {}: use a Linux machine, a container or WSL"
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
#: RIE gives a registered runtime 600 ms after SIGTERM; a choice with room for a slow machine.
SHUTDOWN_S = 10.0
START_S = 10.0

FRAME_HEADER = struct.Struct(">IIQ")  # type, length of the message, microseconds since the epoch
LEVELS = {0: "NOTSET", 2: "DEBUG", 3: "INFO", 4: "WARNING", 5: "ERROR", 6: "CRITICAL"}
TELEMETRY_FD = 9


@functools.cache
def rie() -> Path:
    """The emulator's binary for this machine; fetched at the first call. Raises `FetchError`."""
    if platform.system() != "Linux":
        raise fetch.FetchError(NOT_LINUX.format(platform.system()))
    name = RIE_NAMES.get(platform.machine())
    if name is None:
        raise fetch.FetchError(f"AWS has no emulator for {platform.machine()}, only for x86_64 and aarch64")

    def make(scratch: Path) -> None:
        with zipfile.ZipFile(fetch.wheels([WHEEL])[0]) as wheel:
            binary = Path(wheel.extract(f"samcli/local/rapid/{name}", scratch))
        binary.chmod(0o755)
        binary.rename(target)

    target = fetch.cache_dir() / "rie" / f"{name}-{SAM_CLI_SHA256[:12]}"
    return fetch.once(target, make)


@dataclass(frozen=True)
class Function:
    """What a function's configuration says."""

    task_root: Path
    handler: str = "app.handler"
    env: Mapping[str, str] = field(default_factory=dict)
    name: str = "function"
    version: str = "$LATEST"
    memory_mb: int = 128
    timeout_s: int = 3


@dataclass(frozen=True)
class Response:
    """What the caller of an invocation gets."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> object:
        return json.loads(self.body)

    @property
    def error(self) -> str | None:
        """What went wrong in an invocation that failed: the error's type, `timeout` or `crash`; None if nothing did.

        The emulator answers 200 to errors and timeouts too. What a handler returns is JSON, so text is not from it; an
        error is told by the members that the runtime client gives it, and no others.
        """
        try:
            answer = json.loads(self.body)
        except ValueError:
            return "timeout" if self.body.startswith(b"Task timed out") else "crash"
        if isinstance(answer, dict):
            members = answer.keys() - {"requestId"}
            if members == {"errorType", "errorMessage", "stackTrace"}:
                return str(answer["errorType"])
            if members == {"errorType", "errorMessage"} and str(answer["errorType"]).startswith("Runtime."):
                return "crash"
        return None if self.status == 200 else "crash"


@dataclass(frozen=True)
class Frame:
    """One message on the telemetry log fd, as the runtime client frames it."""

    level: str
    is_json: bool
    time_us: int
    message: str


@dataclass(frozen=True)
class Run:
    """One runtime process. `exit_code` is as in `subprocess` (negative: a signal), None while it runs."""

    pid: int
    group: int
    exit_code: int | None


def decode_frames(data: bytes) -> list[Frame]:
    """The frames in the bytes of a telemetry fd. Raises `ValueError` where they are not whole frames."""
    frames = []
    position = 0
    while position < len(data):
        if len(data) - position < FRAME_HEADER.size:
            raise ValueError(f"half a frame header at byte {position}")
        kind, length, time_us = FRAME_HEADER.unpack_from(data, position)
        if kind >> 16 != 0xA55A:
            raise ValueError(f"no frame at byte {position}: type {kind:#x}")
        position += FRAME_HEADER.size
        if len(data) - position < length:
            raise ValueError(f"half a frame at byte {position}: {len(data) - position} of {length} bytes")
        message = data[position : position + length].decode("utf-8")
        frames.append(Frame(LEVELS[(kind & 0xFFFF) >> 2], kind & 3 == 2, time_us, message))
        position += length
    return frames


class Emulator:
    """An execution environment: started by `with`, killed with everything in it when the block ends.

    `wrapper`: what AWS_LAMBDA_EXEC_WRAPPER points at, None for the bare function.
    `telemetry`: give the runtime a telemetry log fd, as Lambda always does.
    `module`: start as container images do, `python OPTIONS -m awslambdaric HANDLER`, the wrapper in front.
    `folder`: where the environment keeps its files; by default one that is removed at the end. Its `tmp` stands for
    the environment's /tmp (TMPDIR and FIRETEE_JOURNAL_DIR point there, unless the function's settings do otherwise).
    Not for more than one thread: RIE panics on concurrent invocations.
    """

    def __init__(
        self,
        function: Function,
        python: runtimes.Python,
        *,
        ric: str = runtimes.DEFAULT_RIC,
        wrapper: Path | None = None,
        telemetry: bool = True,
        module: bool = False,
        options: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        self.function = function
        self._runtime = runtimes.runtime(python, ric)
        self._python = python
        self._wrapper = wrapper
        self._telemetry = telemetry
        self._module = module
        self._options = options
        self._own_folder = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="firetee-emulator-")) if folder is None else folder
        self.tmp = self.folder / "tmp"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._kept: dict[str, bytes] = {}
        self._ended: list[Run] | None = None

    # -- life

    def __enter__(self) -> Emulator:
        self.tmp.mkdir(parents=True, exist_ok=True)
        for name in ("stdout", "stderr", "frames", "runs", "exits", "rie.log"):
            (self.folder / name).touch()
        self._write_launcher()
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def invoke(self, event: object, *, timeout_s: float | None = None) -> Response:
        """Invoke the function and wait for its response. Raises `OSError` if the emulator died of it.

        `timeout_s`: most that the caller waits, by default the function's timeout and 10 s. Not while another runs.
        """
        return self.post(json.dumps(event).encode(), timeout_s=timeout_s)

    def post(
        self, payload: bytes, headers: Mapping[str, str] | None = None, *, timeout_s: float | None = None
    ) -> Response:
        """The same with the event as JSON, and with headers of Invoke's."""
        wait = self.function.timeout_s + 10 if timeout_s is None else timeout_s
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=wait)
        try:
            begun = time.perf_counter()
            connection.request("POST", INVOKE_PATH, payload, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            body = answer.read()
            return Response(answer.status, body, time.perf_counter() - begun)
        finally:
            connection.close()

    def shutdown(self) -> list[Run]:
        """End the environment as Lambda does: SIGTERM to RIE, which passes it on if an extension has registered.

        Returns the runtime processes that there were. Idempotent; the block may end as usual afterwards.
        """
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(SHUTDOWN_S)
        return self.runs

    # -- what was observed

    @property
    def stdout(self) -> bytes:
        """Every byte that reached fd 1 of the runtime, all its processes."""
        return self._read("stdout")

    @property
    def stderr(self) -> bytes:
        """Every byte that reached fd 2 of the runtime."""
        return self._read("stderr")

    @property
    def frames(self) -> list[Frame]:
        """What reached the telemetry log fd."""
        return decode_frames(self._read("frames"))

    @property
    def log(self) -> str:
        """The emulator's own log: for people, when something went wrong."""
        return self._read("rie.log").decode("utf-8", "replace")

    @property
    def runs(self) -> list[Run]:
        """The runtime processes so far, in order. One that left no exit code was killed with its whole group.

        One that the end of the block had to kill counts as running: that says nothing about the function.
        """
        if self._ended is not None:
            return self._ended
        exits = dict(line.split() for line in self._read("exits").decode().splitlines())
        runs = []
        for line in self._read("runs").decode().splitlines():
            group, pid = line.split()
            code = int(exits[group]) if group in exits else (None if _alive(int(group)) else 128 + signal.SIGKILL)
            runs.append(Run(int(pid), int(group), 128 - code if code is not None and code > 128 else code))
        return runs

    @property
    def exits(self) -> list[int | None]:
        """The exit codes of the runtime processes so far, in order: see `Run`."""
        return [run.exit_code for run in self.runs]

    # -- inside

    def _environment(self) -> dict[str, str]:
        """What Lambda sets, and the function's own settings. Nothing of this machine's environment but PATH."""
        function = self.function
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "emulated-session",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"2026/01/01/[{function.version}]emulated",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": self._python.execution_env,
            "LAMBDA_DISABLE_PREVIEW_WARN": "true",  # on Python 3.15 the runtime client logs a warning at each start
            "LAMBDA_TASK_ROOT": str(function.task_root),
            "LAMBDA_RUNTIME_DIR": str(self._runtime),
            "_HANDLER": function.handler,
            "TMPDIR": str(self.tmp),
            "FIRETEE_JOURNAL_DIR": str(self.tmp),
        }
        if self._module:
            del env["AWS_EXECUTION_ENV"]  # custom images have none
        elif self._wrapper is not None:
            env["AWS_LAMBDA_EXEC_WRAPPER"] = str(self._wrapper)
        return {**env, **function.env}

    def _command(self) -> list[str]:
        if not self._module:
            return [str(self._runtime / "bootstrap")]
        python = [str(self._runtime / "bin" / "python"), *self._options, "-m", "awslambdaric", self.function.handler]
        return python if self._wrapper is None else [str(self._wrapper), *python]

    def _write_launcher(self) -> None:
        """The command that RIE starts: sends the runtime's fds to files, notes pids and exit code, dies as it died.

        RIE sends SIGTERM to the group, so the launcher must outlive the runtime: it traps the signal, which, unlike
        ignoring it, is not inherited.
        """

        def note(name: str) -> str:
            return shlex.quote(str(self.folder / name))

        settings = {"_HANDLER": self.function.handler}
        outputs = f">>{note('stdout')} 2>>{note('stderr')}"
        if self._telemetry:
            settings["_LAMBDA_TELEMETRY_LOG_FD"] = str(TELEMETRY_FD)
            outputs += f" {TELEMETRY_FD}>>{note('frames')}"
        assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
        start = f'echo "$PPID $$" >>{note("runs")}; exec env {assignments} {shlex.join(self._command())} {outputs}'
        launcher = self.folder / "launch"
        launcher.write_text(
            "#!/bin/sh\n"
            "trap : TERM\n"
            f"/bin/sh -c {shlex.quote(start)}\n"
            "status=$?\n"
            f'echo "$$ $status" >>{note("exits")}\n'
            "trap - TERM\n"
            '[ "$status" -gt 128 ] && kill -s "$((status - 128))" "$$"\n'
            'exit "$status"\n'
        )
        launcher.chmod(stat.S_IRWXU)

    def _start(self) -> None:
        """Start RIE on two free ports and wait until it listens; tries again where others were quicker to the ports."""
        for _ in range(5):
            self._port, api_port = _free_ports(2)
            with (self.folder / "rie.log").open("ab") as log:
                command = [
                    str(rie()),
                    "--runtime-interface-emulator-address", f"127.0.0.1:{self._port}",
                    "--runtime-api-address", f"127.0.0.1:{api_port}",
                    str(self.folder / "launch"),
                ]  # fmt: skip
                self._process = subprocess.Popen(
                    command, cwd=self.function.task_root, env=self._environment(),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            if self._listens():
                return
        raise RuntimeError(f"the emulator does not start:\n{self.log}")

    def _listens(self) -> bool:
        """Whether RIE accepts connections; False when it ended instead, as it does where another has the port."""
        assert self._process is not None
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if _listens(self._process.pid, self._port):
                return True
            try:
                self._process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
            return False
        raise RuntimeError(f"the emulator does not listen within {START_S:g} s:\n{self.log}")

    def _read(self, name: str) -> bytes:
        return self._kept[name] if name in self._kept else (self.folder / name).read_bytes()

    def _close(self) -> None:
        """Kill what still runs, keep what was observed, remove the folder if it is ours."""
        if self._process is not None:
            # The runtime first: one that loses the emulator complains about it on its stdout.
            self._ended = self.runs
            for run in self._ended:
                if run.exit_code is None:
                    _kill_group(run.group)
            self._process.kill()
            self._process.wait()
            self._process = None
        for path in self.folder.iterdir():
            if path.is_file():
                self._kept[path.name] = path.read_bytes()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _listens(pid: int, port: int) -> bool:
    """Whether it is this process, not another that was quicker to the port, that accepts connections there."""
    listening = "0A"  # TCP_LISTEN (include/net/tcp_states.h)
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:  # a kernel without IPv6
            continue
        for fields in map(str.split, lines):
            if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    try:
        return any(os.readlink(fd) in inodes for fd in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # it has just ended, or closed one
        return False


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
