"""What the platform would report of this process, measured from inside; the shapes are in `events.py`.

The runtime's own thread calls it, the sender's thread at a timeout. What only the platform knows (billed duration) is
left out.
"""

from __future__ import annotations

from resource import RUSAGE_SELF, getrusage
from time import perf_counter

from log_capture.release import CONTENT, VERSION

from . import events
from .usage import cpu_ms, in_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .events import Event


class PlatformEvents:
    """Makes the events of one process, in the order in which things happen."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._initialization_type = environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") or "on-demand"
        self._function = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self._version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self._runtime = environ.get("AWS_EXECUTION_ENV")
        memory = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self._memory_mb = int(memory) if memory.isdigit() else None
        self._init_started = perf_counter()
        self._init_ms: float | None = None
        self._restore_started = 0.0
        self._restore_ms: float | None = None
        self._request_id = ""
        self._tags = events.tags()
        self._started = 0.0
        self._cpu_ms = (0.0, 0.0)  # user and system, when the invocation started
        self._status = "success"
        self._error_type: str | None = None
        self._produced: int | None = None
        self._duration_ms: float | None = None

    def init_start(self) -> Event:
        """The process has started."""
        return events.init_start(
            initialization_type=self._initialization_type,
            runtime_version=self._runtime,
            function_name=self._function,
            function_version=self._version,
            release={"version": VERSION, "content": CONTENT},
        )

    def init_runtime_done(self, status: str, error_type: str | None = None) -> Event:
        """The function's modules are imported, or could not be."""
        self._init_ms = (perf_counter() - self._init_started) * 1000
        return events.init_runtime_done(
            initialization_type=self._initialization_type, status=status, error_type=error_type
        )

    def start(self, request_id: str, trace_id: str | None, tenant_id: str | None) -> Event:
        """An invocation starts."""
        self._request_id, self._tags = request_id, events.tags(trace_id, tenant_id)
        self._status, self._error_type, self._produced = "success", None, None
        self._cpu_ms = cpu_ms()
        self._started = perf_counter()
        return events.start(request_id, self._tags, version=self._version)

    def answered(self, size: int | None) -> None:
        """The handler returned; `size` of the response in bytes."""
        self._produced = size

    def failed(self, error_type: str | None) -> None:
        """The handler raised."""
        self._status, self._error_type = "error", error_type

    def runtime_done(self, status: str | None = None) -> Event:
        """The response is out, or `status` says why there will be none."""
        self._duration_ms = (perf_counter() - self._started) * 1000
        self._status = status or self._status
        return events.runtime_done(
            self._request_id,
            self._tags,
            status=self._status,
            duration_ms=self._duration_ms,
            produced_bytes=self._produced,
            error_type=self._error_type,
        )

    def report(self, did: Mapping[str, object]) -> Event:
        """The invocation is over; `did` is what firetee did in it.

        The object ``process``: ``cpuUserMs`` and ``cpuSystemMs`` of this invocation, all threads and firetee's work up
        to the report included, and what is `in_use` now.
        """
        (user, system), (user_before, system_before) = cpu_ms(), self._cpu_ms
        used = {"cpuUserMs": round(user - user_before, 3), "cpuSystemMs": round(system - system_before, 3), **in_use()}
        init_ms, self._init_ms = self._init_ms, None  # in the first report only, as the platform has it
        restore_ms, self._restore_ms = self._restore_ms, None
        return events.report(
            self._request_id,
            self._tags,
            status=self._status,
            duration_ms=self._duration_ms,
            memory_size_mb=self._memory_mb,
            max_memory_used_mb=-(-getrusage(RUSAGE_SELF).ru_maxrss // 1024),  # KiB on Linux
            init_duration_ms=init_ms,
            restore_duration_ms=restore_ms,
            error_type=self._error_type,
            process=used,
            firetee=did,
        )

    def timeout_warning(self, left_s: float, stacks: list[dict[str, object]]) -> Event:
        """The deadline is near: where every thread is."""
        return events.timeout_warning(self._request_id, remaining_ms=left_s * 1000, stacks=stacks)

    def restore_start(self) -> Event:
        """A snapshot was restored into this process."""
        self._restore_started = perf_counter()
        self._init_ms = None  # it was another process's, billed once
        return events.restore_start(
            runtime_version=self._runtime, function_name=self._function, function_version=self._version
        )

    def restore_runtime_done(self, status: str, error_type: str | None = None) -> Event:
        """The after-restore hooks have run, or one of them raised."""
        self._restore_ms = (perf_counter() - self._restore_started) * 1000
        return events.restore_runtime_done(status=status, error_type=error_type)
