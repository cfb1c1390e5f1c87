"""Puts the parts together: what `__main__.py` recites, step by step."""

from __future__ import annotations

import atexit
import os
import sys
from functools import partial

from log_capture.capture import Capture
from log_capture.sending.loop import Watch

from .config import Config
from .extension import RegistrationError, register
from .hooks import ClientFinder, wrap_client
from .lifecycle import Lifecycle
from .messages import Messages
from .private import load_function_wrapper
from .signals import SigtermWatch
from .telemetry import PlatformEvents
from .workers import on_child_exit, on_worker_exit, wait_for_workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


#: How long the parent of Managed Instances' workers waits for them at SIGTERM: a little longer than they may take.
_WORKERS_S = 0.45
#: How long a child of `multiprocessing`'s waits at its end for an answer that is under way (a choice: a healthy
#: Firehose answers within tens of ms).
_CHILD_S = 0.5


class Boot:
    """One start of a runtime process with log capture; every step may raise, and then the function runs bare.

    `payload` is our private folder.
    """

    def __init__(self, payload: str) -> None:
        self._payload = payload
        self._pid = os.getpid()
        self._forks_workers = "AWS_LAMBDA_MAX_CONCURRENCY" in os.environ  # Managed Instances
        self.config = Config.from_environ(os.environ)
        self.messages = Messages(self.config.log_level)
        for problem in self.config.problems:
            self.messages.warning(problem)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do; says so if there should be and is not."""
        if self.config.disabled:
            return False
        if not self.config.streams:
            self.messages.warning(
                "no delivery stream: set FIRETEE_STREAM to its name or ARN, or FIRETEE_DISABLED=true to silence this; "
                "the function runs without log capture"
            )
            return False
        return True

    def start_capture(self) -> None:
        """The tees are in place when this returns, and the sender's thread runs."""
        function_wrapper = load_function_wrapper(os.path.join(self._payload, "wrapt"))
        self._function_wrapper = function_wrapper
        environ, config = dict(os.environ), self.config
        self.capture = capture = Capture(
            config,
            environ=environ,
            function=environ.get("AWS_LAMBDA_FUNCTION_NAME"),
            version=environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
            report=self.messages.warning,
            failed=self.messages.failed,
            on_deadline=self._warn_of_timeout,
        )
        self.messages.also(capture.message if "extension" in config.events else _nothing)
        events = PlatformEvents(environ) if config.events - {"function", "extension"} else None
        self.lifecycle = Lifecycle(config, capture, events, self.messages)
        self.lifecycle.init_starts()
        capture.hide_journals(function_wrapper)
        if "function" in config.events:
            if config.capture == "fd":
                capture.take_descriptors(sys, function_wrapper)
                self.messages.fd = capture.originals.get(2, 2)
            capture.tee_streams(sys)
            capture.capture_children(function_wrapper)
            if not self._forks_workers:  # in which the runtime puts other files on fds 1 and 2, to be captured
                capture.watch_redirects(function_wrapper)

    def _warn_of_timeout(self) -> None:
        self.lifecycle.warn_of_timeout()

    def hook_runtime(self) -> None:
        """The runtime client's methods are wrapped as soon as the runtime imports it."""
        sys.meta_path.insert(0, ClientFinder(partial(self.lifecycle.safely, self._wrap_client)))
        atexit.register(self.lifecycle.safely, self.lifecycle.exit)  # the first to be registered is the last to run

    def _wrap_client(self, module: Any) -> None:
        wrap_client(module, self.lifecycle, self._function_wrapper)

    def listen_for_the_end(self) -> None:
        """Start the sender's thread, which hears of SIGTERM too; forked children get one and a journal of their own."""
        self._watch = SigtermWatch(self._function_wrapper)
        self._start_sender(send_left=os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start")
        self.lifecycle.on_init_end = self._listen_in_worker
        self.lifecycle.on_restore = self._start_sender
        os.register_at_fork(
            before=partial(self.lifecycle.safely, self._before_fork),
            after_in_parent=partial(self.lifecycle.safely, self._after_fork_in_parent),
            after_in_child=partial(self.lifecycle.safely, self._after_fork_in_child),
        )

    def _start_sender(self, *, send_left: bool = False) -> None:
        watch = None
        try:
            self._watch.start()
            watch = Watch(self._watch.descriptor, self._sigterm, self._watch.listen)
        except (AttributeError, ImportError, TypeError, ValueError) as error:  # another `faulthandler` than we know
            self.messages.warning(
                f"SIGTERM is not heard on this Python ({error}): what is written just before the environment shuts "
                "down may be lost with it"
            )
        self.capture.start(send_left=send_left, watch=watch)

    def _before_fork(self) -> None:
        if self.capture.before_fork():
            self._watch.stop()  # nobody would hear it; the child's end is its own business, too

    def _after_fork_in_parent(self) -> None:
        self.capture.after_fork()
        if self._forks_workers:  # it writes nothing more, and must hear of SIGTERM all the same
            self.capture.shipper.nudge()

    def _after_fork_in_child(self) -> None:
        """A child sends what it writes by itself; SIGTERM ends it as if we were not there."""
        if self.capture.exec_follows:
            self.capture.mute()
            return
        is_worker, self._forks_workers = self._forks_workers, False
        self._watch.stop()
        self.capture.renew(forked=True, holds=is_worker)
        self.capture.send_freely()
        on_child_exit(partial(self.lifecycle.safely, self.capture.hand_over, _CHILD_S))

    def _listen_in_worker(self) -> None:
        """Managed Instances: this process is a forked worker, which runs invocations of its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self.capture.streams_replaced()
            self._start_sender()
            on_worker_exit(self.lifecycle.exit)

    def _sigterm(self) -> None:
        """On the sender's thread: SIGTERM came."""
        if self._watch.came():
            try:
                if self._forks_workers:
                    wait_for_workers(_WORKERS_S)
                self.lifecycle.terminate()
            finally:
                self._watch.end()  # which returns if a handler of the function's deals with the signal
            self.lifecycle.linger_on()

    def register_extension(self) -> None:
        """From here on Lambda gives the process time, and a SIGTERM, before it is killed."""
        runtime_api = os.environ.get("AWS_LAMBDA_RUNTIME_API")
        if runtime_api:
            try:
                self._next_event = register(runtime_api)
            except (OSError, RegistrationError) as error:
                self.messages.warning(
                    f"not registered as an extension ({error}): what is written just before the environment shuts "
                    "down may be lost with it"
                )


def _nothing(*_: object) -> None:
    """Where nothing is to be done."""
