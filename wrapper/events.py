"""Platform events, as Lambda's Telemetry API words them; pure.

Each function returns an event's type and the JSON text of its record, after the ``Event`` schema of version
2022-12-13 ("Lambda Telemetry API Event schema reference", Lambda guide). A field that is None is left out, and so
is what only the platform knows (the billed duration, ids of its own spans). Three things are ours: the ``firetee``
object in a report and in ``platform.initStart``, the ``process`` object in a report, and the type
``firetee.timeoutWarning``.

Durations are given and sent in milliseconds, sent with three decimals at most as the platform does. The text is
ASCII: whatever is in a stack, it can be stored.
"""

from __future__ import annotations

from json.encoder import JSONEncoder, encode_basestring_ascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    #: Type, and the record as JSON.
    Event = tuple[str, str]
    Tags = Mapping[str, object]

_encode_any = JSONEncoder(separators=(",", ":")).encode


def init_start(
    *,
    initialization_type: str,
    runtime_version: str | None = None,
    function_name: str | None = None,
    function_version: str | None = None,
    release: Mapping[str, str] | None = None,
) -> Event:
    """``platform.initStart``. `initialization_type`: on-demand, provisioned-concurrency or snap-start. `release`: the
    version and the content hash of this firetee."""
    return _event(
        "platform.initStart",
        initializationType=initialization_type,
        phase="init",
        runtimeVersion=runtime_version,
        functionName=function_name,
        functionVersion=function_version,
        firetee=release,
    )


def init_runtime_done(*, initialization_type: str, status: str, error_type: str | None = None) -> Event:
    """``platform.initRuntimeDone``. `status`: success, failure, error or timeout."""
    return _event(
        "platform.initRuntimeDone",
        initializationType=initialization_type,
        phase="init",
        status=status,
        errorType=error_type,
    )


def tags(trace_id: str | None = None, tenant_id: str | None = None) -> Tags:
    """What each event of an invocation carries. `trace_id` is the value of the header X-Amzn-Trace-Id."""
    tracing = {"type": "X-Amzn-Trace-Id", "value": trace_id} if trace_id else None  # a ``TraceContext``
    return {"tracing": tracing, "tenantId": tenant_id}


def start(request_id: str, of: Tags, *, version: str | None = None) -> Event:
    """``platform.start``."""
    return _event("platform.start", requestId=request_id, version=version, **of)


def runtime_done(
    request_id: str,
    of: Tags,
    *,
    status: str,
    duration_ms: float | None = None,
    produced_bytes: int | None = None,
    error_type: str | None = None,
) -> Event:
    """``platform.runtimeDone``. `status`: success, failure, error or timeout."""
    return _event(
        "platform.runtimeDone",
        requestId=request_id,
        status=status,
        errorType=error_type,
        metrics=_known(durationMs=_ms(duration_ms), producedBytes=produced_bytes),
        **of,
    )


def report(
    request_id: str,
    of: Tags,
    *,
    status: str,
    duration_ms: float | None = None,
    memory_size_mb: int | None = None,
    max_memory_used_mb: int | None = None,
    init_duration_ms: float | None = None,
    restore_duration_ms: float | None = None,
    error_type: str | None = None,
    process: Mapping[str, object] | None = None,
    firetee: Mapping[str, object] | None = None,
) -> Event:
    """``platform.report``, without the billed duration.

    `process`: what it used, see `PlatformEvents.report`. `firetee`: what it did, see `Capture.statistics`.
    """
    return _event(
        "platform.report",
        requestId=request_id,
        status=status,
        errorType=error_type,
        metrics=_known(
            durationMs=_ms(duration_ms),
            memorySizeMB=memory_size_mb,
            maxMemoryUsedMB=max_memory_used_mb,
            initDurationMs=_ms(init_duration_ms),
            restoreDurationMs=_ms(restore_duration_ms),
        ),
        **of,
        process=process,
        firetee=firetee,
    )


def restore_start(
    *, runtime_version: str | None = None, function_name: str | None = None, function_version: str | None = None
) -> Event:
    """``platform.restoreStart`` (SnapStart)."""
    return _event(
        "platform.restoreStart",
        runtimeVersion=runtime_version,
        functionName=function_name,
        functionVersion=function_version,
    )


def restore_runtime_done(*, status: str, error_type: str | None = None) -> Event:
    """``platform.restoreRuntimeDone`` (SnapStart). `status`: success, failure, error or timeout."""
    return _event("platform.restoreRuntimeDone", status=status, errorType=error_type)


def timeout_warning(request_id: str, *, remaining_ms: float, stacks: Iterable[Mapping[str, object]]) -> Event:
    """``firetee.timeoutWarning``: `remaining_ms` before the deadline; `stacks` is one object a thread."""
    return _event("firetee.timeoutWarning", requestId=request_id, remainingMs=_ms(remaining_ms), stacks=list(stacks))


def _event(kind: str, **fields: object) -> Event:
    return kind, _encode(fields)


def _encode(fields: Mapping[str, Any]) -> str:
    """JSON of what is known, as `json` would write it but for the spaces.

    Three of these are made in each invocation, and setting up the general encoder takes longer than all of this.
    """
    known = []
    for key, value in fields.items():
        kind = type(value)
        if value is None:
            continue
        if kind is str:
            text = encode_basestring_ascii(value)
        elif kind is int or kind is float:
            text = repr(value)
        elif kind is dict:
            text = _encode(value)
        else:
            text = _encode_any(value)
        known.append(f'"{key}":{text}')
    return f"{{{','.join(known)}}}"


def _known(**fields: object) -> dict[str, object] | None:
    return {key: value for key, value in fields.items() if value is not None} or None


def _ms(duration_ms: float | None) -> float | None:
    return None if duration_ms is None else round(float(duration_ms), 3)
