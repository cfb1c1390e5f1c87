"""Which durable execution an invocation belongs to; pure.

The platform says it in the event alone: ``{"DurableExecutionArn": ..., "CheckpointToken": ..., "InitialExecutionState":
{"Operations": [...], "NextMarker": ...}}`` (the class ``DurableExecutionInvocationInput`` of the Python SDK). So the
event is read, but only of a function that has imported that SDK.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

_SDK = "aws_durable_execution_sdk_python"


def fields(body: object, modules: Container[str]) -> dict[str, str | bool]:
    """``durableExecutionArn`` and ``durableFirstInvocation``, if `body` is a durable execution's event (JSON).

    `modules` are the imported ones. The first invocation's state holds the execution itself and nothing that a
    checkpoint has added; so does that of an attempt that follows one which died before its first checkpoint.
    """
    if _SDK not in modules or not isinstance(body, (str, bytes)):
        return {}
    import json  # the runtime client has imported it

    try:
        event = json.loads(body)
    except (ValueError, RecursionError):  # the runtime says so to the caller
        return {}
    if not isinstance(event, dict) or not isinstance(event.get("CheckpointToken"), str):
        return {}
    arn, state = event.get("DurableExecutionArn"), event.get("InitialExecutionState")
    if not isinstance(arn, str) or not isinstance(state, dict):
        return {}
    operations = state.get("Operations")
    first = not state.get("NextMarker") and (not isinstance(operations, list) or len(operations) < 2)
    return {"durableExecutionArn": arn, "durableFirstInvocation": first}
