"""What happens when: init, invocations, errors, SIGTERM, exit, snapshot; and what each means for the lines.

The methods called `around_*` wrap the runtime client's (`hooks.py`). In each, our part runs under `safely`: whatever
goes wrong in it, the client's own method is called exactly once, and its result and its exceptions are passed on.
"""

from __future__ import annotations

import sys
from time import monotonic, time

from log_capture.envelope.render import context_fragment
from log_capture.process.guard import is_ours

from . import durable, trace
from .stacks import every_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from log_capture.capture import Capture

    from .config import Config
    from .messages import Messages
    from .telemetry import PlatformEvents

#: No wait goes on beyond this much before an invocation's deadline.
_MARGIN_S = 0.2
#: An invocation that gets this close to its deadline explains itself, or a tenth of its time if it is short.
_WARNING_S = 0.25
#: How long the final drain may take: Lambda gives a runtime with an internal extension 500 ms (Lambda guide,
#: "Shutdown phase").
_DRAIN_S = 0.4
#: How long a line waits that is written after SIGTERM, by the function's own handler (a choice: it has 500 ms).
_LAST_LINGER_S = 0.02
#: How long init waits for botocore to be imported, where it sends (a choice: Lambda gives init 10 s).
_PREPARE_S = 10.0


class Lifecycle:
    """Follows one runtime process. The `around_*` methods run on the thread that runs the runtime's loop."""

    def __init__(self, config: Config, capture: Capture, events: PlatformEvents | None, messages: Messages) -> None:
        self._config = config
        self._capture = capture
        self._events = events
        self.failed = messages.failed
        self._timeout_s = config.flush_timeout_ms / 1000
        self._deadline = 0.0  # of the invocation that runs, in monotonic seconds; 0 while none does
        self._waited_before = 0.0
        self._initialised = False
        self._invocations = 0
        self._oldest_pending = 0.0
        self._restoring = False
        self._status = "success"  # of the invocation that runs
        self._started = 0.0  # monotonic
        self._request_id = ""
        self._sampled: bool | None = None
        self._ending = False  # SIGTERM came: the last drain is under way, and nothing may cut it short
        self.on_init_end: Callable[[], None] | None = None
        self.on_restore: Callable[[], None] | None = None

    # ---- the runtime client's methods ----------------------------------------------------------------------------

    def around_next(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`wait_next_invocation`: called, the previous response is out; returning, an invocation starts."""
        self.safely(self._invocation_over if self._invocations else self._init_over)
        event = wrapped(*args, **kwargs)
        self.safely(self._invocation_starts, event)
        return event

    def around_result(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`post_invocation_result`: before it, the caller has nothing."""
        if self._events is not None:
            self.safely(self._handler_returned, args, kwargs)
        self.safely(self._before_response)
        return wrapped(*args, **kwargs)

    def around_error(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`post_invocation_error`: the handler raised."""
        self.safely(self._handler_failed, args, kwargs)
        self.safely(self._before_response)
        return wrapped(*args, **kwargs)

    def around_init_error(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`post_init_error`: the process exits after it."""
        self.safely(self._init_failed, args, kwargs)
        return wrapped(*args, **kwargs)

    def around_restore(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`restore_next` (SnapStart): called, the snapshot comes next; returning, a copy of it was restored."""
        self.safely(self._before_snapshot)
        result = wrapped(*args, **kwargs)
        self.safely(self._after_restore)
        return result

    def around_restore_error(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`report_restore_error`: an after-restore hook raised; the process exits after it."""
        self.safely(self._restore_failed, args, kwargs)
        return wrapped(*args, **kwargs)

    def around_sink_enter(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`FramedTelemetryLogSink.__enter__`: the file that frames go to is open."""
        result = wrapped(*args, **kwargs)
        self.safely(self._tap_frames, instance)
        return result

    def around_log(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`StandardLogSink.log`: one message to `sys.stdout`, which is one record however many lines it has."""
        text = args[0] if args else kwargs.get("msg")
        if not isinstance(text, str):
            return wrapped(*args, **kwargs)
        return self._capture.tee.message(lambda: wrapped(*args, **kwargs), text)

    def around_log_error(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """`StandardLogSink.log_error`: the lines of one error."""
        lines = args[0] if args else kwargs.get("message_lines")
        if not isinstance(lines, list):
            return wrapped(*args, **kwargs)
        return self._capture.tee.message(lambda: wrapped(*args, **kwargs), "\n".join(map(str, lines)))

    def safely(self, step: Callable[..., object], *args: object) -> None:
        """Run a step of ours; what it raises is reported and goes no further, unless it is the function's own."""
        try:
            step(*args)
        except Exception as error:
            if not is_ours(error):
                raise
            self.failed(error)

    # ---- init ------------------------------------------------------------------------------------------------------

    def init_starts(self) -> None:
        """The process has started."""
        self._capture.set_context(context_fragment(None, None, None, True))
        if self._events is not None:
            self._capture.event(*self._events.init_start())

    def _init_over(self) -> None:
        """The function's modules are imported: no request is in flight from here on until an invocation starts."""
        if self._events is not None and self._restoring:
            self._restoring = False
            self._capture.event(*self._events.restore_runtime_done("success"))
        if self._initialised:
            return
        self._initialised = True
        if self._events is not None:
            self._capture.event(*self._events.init_runtime_done("success"))
        self._capture.prepare(_PREPARE_S)
        self._capture.shipper.pause(monotonic() + self._timeout_s)
        if self.on_init_end is not None:
            self.on_init_end()

    def _init_failed(self, args: Any, kwargs: Any) -> None:
        if self._events is not None:
            self._capture.event(*self._events.init_runtime_done("error", _error_type(args, kwargs)))
        self._capture.cut()
        self._capture.conclude("error")
        self._capture.shipper.flush(monotonic() + self._timeout_s)

    # ---- invocations -----------------------------------------------------------------------------------------------

    def _invocation_starts(self, event: Any) -> None:
        capture = self._capture
        self._invocations += 1
        now = monotonic()
        left = int(event.deadline_time_in_ms) / 1000 - time() if event.deadline_time_in_ms else 0.0
        self._deadline = now + left if left else now + 86_400.0
        self._waited_before = capture.shipper.waited_s
        capture.wait_until = self._wait_until()
        capture.look_after_journal()
        request_id, trace_id = event.invoke_id, event.x_amzn_trace_id
        self._status, self._started, self._request_id = "success", now, request_id
        tenant_id = getattr(event, "tenant_id", None)
        ids = {**trace.fields(event), **durable.fields(getattr(event, "event_body", None), sys.modules)}
        sampled = ids.get("sampled")
        self._sampled = sampled if isinstance(sampled, bool) else None
        capture.set_context(context_fragment(request_id, ids, tenant_id, self._invocations == 1))
        if self._events is not None:
            capture.event(*self._events.start(request_id, trace_id, tenant_id))
        warning = min(_WARNING_S, left / 10) if left > 0 else 0.0
        capture.shipper.resume(self._deadline - warning if warning else 0.0, self._deadline)

    def _handler_returned(self, args: Any, kwargs: Any) -> None:
        result = args[1] if len(args) > 1 else kwargs.get("result_data")
        if self._events is not None and isinstance(result, (str, bytes)):
            if isinstance(result, str) and not result.isascii():
                result = result.encode("utf-8", "surrogatepass")
            self._events.answered(len(result))

    def _handler_failed(self, args: Any, kwargs: Any) -> None:
        self._status = "error"
        if self._events is not None:
            self._events.failed(_error_type(args[1:], kwargs))

    def _before_response(self) -> None:
        """The caller waits; with `before-return` it waits until its lines are in Firehose."""
        self._capture.look_for_unseen()
        if self._ending:  # what the handler waited for has ended by the same signal
            return
        self._capture.cut()
        self._conclude(self._status)
        if self._config.flush == "before-return" and self._capture.shipper.urgent:
            self._flush()

    def _conclude(self, status: str) -> None:
        self._capture.conclude(
            status,
            duration_ms=(monotonic() - self._started) * 1000,
            cold=self._invocations == 1,
            sampled=self._sampled,
            request_id=self._request_id,
        )

    def _invocation_over(self) -> None:
        """The response is out and the next event not asked for: nobody waits, but the time is billed."""
        if not self._deadline or self._ending:
            return
        capture, config = self._capture, self._config
        shipper = capture.shipper
        if shipper.empty:  # what waited was sent with the lines
            self._oldest_pending = 0.0
        if self._events is not None:
            capture.event(*self._events.runtime_done())
            capture.event(*self._events.report(capture.statistics()))
        if config.flush == "after-return":
            capture.cut()
            due = shipper.urgent
        else:
            due = shipper.urgent and config.flush == "before-return"
        if due or self._batch_is_due():
            self._flush()
        if shipper.empty:
            self._oldest_pending = 0.0
        elif not self._oldest_pending:
            self._oldest_pending = time()
        shipper.pause(self._wait_until())
        self._deadline = 0.0

    def _batch_is_due(self) -> bool:
        """Whether what waits is old or large enough; in every mode, for platform events have no flush of their own."""
        config = self._config
        old = self._oldest_pending and time() - self._oldest_pending >= config.batch_age_ms / 1000
        return bool(old) or self._capture.journal.backlog >= config.batch_bytes

    def _flush(self) -> None:
        self._capture.shipper.flush(self._wait_until())

    def _wait_until(self) -> float:
        """How long this invocation may still wait, as a `monotonic` time."""
        waited = self._capture.shipper.waited_s - self._waited_before
        return min(monotonic() + self._timeout_s - waited, self._deadline - _MARGIN_S)

    def warn_of_timeout(self) -> None:
        """On the sender's thread, shortly before the deadline: say where every thread is."""
        if self._events is not None and self._deadline:
            left = self._deadline - monotonic()
            self._capture.event(*self._events.timeout_warning(left, every_stack(self._capture.threads)))

    # ---- the end ----------------------------------------------------------------------------------------------------

    def terminate(self) -> None:
        """SIGTERM, on the sender's thread: the last chance to send."""
        self._ending = True
        is_timeout = self._deadline and monotonic() > self._deadline - _MARGIN_S
        self._capture.cut()
        if is_timeout:
            self._conclude("timeout")
        else:
            self._capture.conclude("end")
        if self._events is not None and is_timeout:
            self._capture.event(*self._events.runtime_done("timeout"))
            self._capture.event(*self._events.report(self._capture.statistics()))
        self._capture.shipper.drain(_DRAIN_S)

    def linger_on(self) -> None:
        """SIGTERM did not end the process: send at once what the function still writes, until it ends by itself."""
        self._ending = False
        self._capture.shipper.send_freely(_LAST_LINGER_S)

    def exit(self) -> None:
        """The interpreter exits by itself, after the function's own exit handlers and threads; called `safely`."""
        self._capture.cut()
        self._capture.conclude("end")
        if self._deadline:
            self._flush()
        else:
            self._capture.shipper.flush(monotonic() + self._timeout_s)
        self._capture.close()

    # ---- snapshots and forks ----------------------------------------------------------------------------------------

    def _before_snapshot(self) -> None:
        self._init_over()
        self._capture.cut()
        self._capture.conclude("snapshot")
        self._capture.shipper.flush(monotonic() + self._timeout_s)
        self._capture.shipper.pause(monotonic())

    def _after_restore(self) -> None:
        self._capture.renew(forked=False)
        if self.on_restore is not None:
            self.on_restore()
        self._capture.set_context(context_fragment(None, None, None, True))
        if self._events is not None:
            self._capture.event(*self._events.restore_start())
            self._restoring = True

    def _restore_failed(self, args: Any, kwargs: Any) -> None:
        if self._events is not None and self._restoring:
            self._capture.event(*self._events.restore_runtime_done("error", _error_type(args, kwargs)))
        self._capture.cut()
        self._capture.conclude("error")
        self._capture.shipper.flush(monotonic() + self._timeout_s)

    def _tap_frames(self, sink: Any) -> None:
        sink.file = self._capture.tee.frames(sink.file)


def _error_type(args: Any, kwargs: Any) -> str | None:
    """`errorType` of the error that the runtime posts: a dict, or its JSON text."""
    error = args[0] if args else kwargs.get("error_response_data")
    if isinstance(error, str):
        import json

        try:
            error = json.loads(error)
        except ValueError:  # the runtime posts whatever text it is given
            return None
    found = error.get("errorType") if isinstance(error, dict) else None
    return found if isinstance(found, str) else None
