"""The ids of an invocation's trace, as OpenTelemetry and W3C write them; pure, nothing of the function's is touched.

A traceparent in the client context goes first (the runtime client shows it as ``context.w3c()`` from 4.2 on), then the
header X-Amzn-Trace-Id. What is not well formed is left out.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_HEX = frozenset("0123456789abcdef")


def fields(event: Any) -> dict[str, str | bool]:
    """What is known of ``traceId`` (32 hexadecimal digits), ``spanId`` (16), ``sampled``, ``xrayTraceId`` (``1-…-…``)
    and ``invocationId`` (one for each attempt, where a retry has the same request id). `event` is the runtime client's.
    """
    found = of_xray(event.x_amzn_trace_id)
    context = getattr(event, "client_context", None)
    if isinstance(context, str) and '"traceparent"' in context:
        w3c = of_traceparent(_traceparent(context))
        if w3c:  # the span that it names belongs to its trace, not to X-Ray's
            for key in ("traceId", "spanId", "sampled"):
                found.pop(key, None)
            found.update(w3c)
    invocation_id = getattr(event, "invocation_id", None)  # from awslambdaric 4.0.2 on
    if invocation_id and isinstance(invocation_id, str):
        found["invocationId"] = invocation_id
    return found


def of_xray(header: str | None) -> dict[str, str | bool]:
    """``Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1``.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    found: dict[str, str | bool] = {}
    parts = dict(part.strip().partition("=")[::2] for part in (header or "").split(";"))
    root = parts.get("Root", "")
    version, _, rest = root.partition("-")
    start, _, unique = rest.partition("-")
    if version != "1" or not _is_id(start, 8) or not _is_id(unique, 24):
        return found
    found["traceId"] = start + unique
    if _is_id(parts.get("Parent", ""), 16):
        found["spanId"] = parts["Parent"]
    if parts.get("Sampled") in ("0", "1"):
        found["sampled"] = parts["Sampled"] == "1"
    found["xrayTraceId"] = root
    return found


def of_traceparent(value: object) -> dict[str, str | bool]:
    """``00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`` (https://www.w3.org/TR/trace-context/#traceparent-header)."""
    parts = value.split("-") if isinstance(value, str) else []
    if len(parts) < 4 or not _is_hex(parts[0], 2) or parts[0] == "ff" or not _is_hex(parts[3], 2):
        return {}
    if not _is_id(parts[1], 32) or not _is_id(parts[2], 16):
        return {}
    return {"traceId": parts[1], "spanId": parts[2], "sampled": bool(int(parts[3], 16) & 1)}


def _traceparent(client_context: str) -> object:
    import json  # the runtime client has imported it

    try:
        context: object = json.loads(client_context)
    except ValueError:
        return None
    w3c: Mapping[str, object] | object = context.get("w3c") if isinstance(context, dict) else None
    return w3c.get("traceparent") if isinstance(w3c, dict) else None


def _is_id(text: str, digits: int) -> bool:
    """An id of zeros alone means none, in W3C's form and in X-Ray's."""
    return _is_hex(text, digits) and text.strip("0") != ""


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text)
