"""Where we hear of invocations: the methods of the runtime interface client, wrapped as soon as it is imported.

Not the handler itself: the client strips only its own leading frames from an error's stack, so ours would be seen.

The client is found by name when the runtime imports it; until then a finder stands in `sys.meta_path`, which is gone
before the function's own modules are imported.
"""

from __future__ import annotations

import sys

from log_capture.process.guard import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

    from .lifecycle import Lifecycle

    #: As wrapt calls a wrapper: with the wrapped callable, its instance, and its arguments.
    Around = Callable[[Any, Any, Any, Any], Any]

_CLIENT = "awslambdaric.lambda_runtime_client"
_BOOTSTRAP = "awslambdaric.bootstrap"


class ClientFinder:
    """Lets the other finders find the runtime client's modules, and wraps them when they have run.

    `wrap(module)` is called with each one; once both are there the finder removes itself.
    """

    def __init__(self, wrap: Callable[[ModuleType], None]) -> None:
        self._wrap = wrap
        self._missing = {_CLIENT, _BOOTSTRAP}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """As the import system calls it."""
        if name not in self._missing:
            return None
        self._missing.discard(name)
        finders = [finder for finder in sys.meta_path if finder is not self]
        if not self._missing:
            sys.meta_path[:] = finders
        for finder in finders:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader.exec_module = _afterwards(spec.loader.exec_module, spec.loader, self._wrap)
                return spec
        return None


def _afterwards(execute: Callable[[ModuleType], None], loader: Any, call: Callable[[ModuleType], None]) -> Any:
    """`loader.exec_module` for one time: the original one, `execute`, and then `call(module)`."""

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module  # the instance's, which hides the original
        execute(module)
        call(module)

    return exec_module


def _guarded(around: Around, failed: Callable[[BaseException], None]) -> Around:
    """`around`, but when it fails before it has called the original method, that is called all the same."""

    def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        called = False

        def original(*args: Any, **kwargs: Any) -> Any:
            nonlocal called
            called = True
            return wrapped(*args, **kwargs)

        try:
            return around(original, instance, args, kwargs)
        except Exception as error:
            if called or not is_ours(error):
                raise
            failed(error)
        return wrapped(*args, **kwargs)

    return call


def wrap_client(module: ModuleType, lifecycle: Lifecycle, function_wrapper: Any) -> None:
    """Wrap what `module` (one of the client's two) has of the methods that mark an invocation's course.

    `function_wrapper` is wrapt's `FunctionWrapper`. Every wrapper passes its arguments through as they are.
    """
    if module.__name__ == _CLIENT:
        client = getattr(module, "BaseLambdaRuntimeClient", None) or module.LambdaRuntimeClient
        for name, wrapper in (
            ("wait_next_invocation", lifecycle.around_next),
            ("post_invocation_result", lifecycle.around_result),
            ("post_invocation_error", lifecycle.around_error),
            ("post_init_error", lifecycle.around_init_error),
            ("restore_next", lifecycle.around_restore),
            ("report_restore_error", lifecycle.around_restore_error),
        ):
            if hasattr(client, name):
                setattr(client, name, function_wrapper(getattr(client, name), _guarded(wrapper, lifecycle.failed)))
    else:
        for name, attribute, wrapper in (
            ("FramedTelemetryLogSink", "__enter__", lifecycle.around_sink_enter),
            ("StandardLogSink", "log", lifecycle.around_log),
            ("StandardLogSink", "log_error", lifecycle.around_log_error),
        ):
            sink = getattr(module, name, None)
            if sink is not None and hasattr(sink, attribute):
                guarded = _guarded(wrapper, lifecycle.failed)
                setattr(sink, attribute, function_wrapper(getattr(sink, attribute), guarded))
