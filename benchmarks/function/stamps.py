"""Times of each invocation, taken below the runtime client's methods, where neither firetee nor the others have a hook.

A row is `[answered, asked]`, nanoseconds from the arrival of the event: until the response was posted, and until the
runtime asked for the next event. On Lambda the first is what the caller waits for and the second what is billed.
"""

import time

import runtime_client

_now = time.perf_counter_ns
_next, _result, _error = runtime_client.next, runtime_client.post_invocation_result, runtime_client.post_error
_received = _answered = 0
rows: "list[list[int]]" = []


def _timed_next():  # type: ignore[no-untyped-def]
    global _received
    if _received:
        rows.append([_answered - _received, _now() - _received])
    event = _next()
    _received = _now()
    return event


def _timed_result(*args, **kwargs):  # type: ignore[no-untyped-def]
    global _answered
    result = _result(*args, **kwargs)
    _answered = _now()
    return result


def _timed_error(*args, **kwargs):  # type: ignore[no-untyped-def]
    global _answered
    result = _error(*args, **kwargs)
    _answered = _now()
    return result


def take() -> "list[list[int]]":
    """The rows so far, which are then forgotten."""
    taken = rows[:]
    rows.clear()
    return taken


runtime_client.next = _timed_next
runtime_client.post_invocation_result = _timed_result
runtime_client.post_error = _timed_error
