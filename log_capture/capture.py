"""Everything between the function's output and Firehose, put together; the one face that the wrapper sees.

One `Capture` a process. `renew` makes it anew in place (a forked child, a restored snapshot), so that the tees that
the function already holds go on working.
"""

from __future__ import annotations

from _thread import get_ident
from time import monotonic

from .envelope.pack import Packer, max_line_bytes
from .envelope.render import Renderer
from .firehose.choose import make_targets
from .journal.journal import Journal, new_environment
from .journal.journal_file import JournalFile, count_left_behind, left_behind
from .journal.memory import private
from .journal.ring import CONTEXT, CUT, EVENT, EXTENSION, HEADER_BYTES, STDERR, STDOUT
from .sending.delivery import Delivery
from .sending.shipper import Shipper
from .sending.source import Source
from .taps.children import Children
from .taps.hiding import Hiding
from .taps.redirects import Redirects
from .taps.tee import Tee
from .taps.unseen import Unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any

    from wrapper.config import Config

    from .envelope.filters import Filters
    from .envelope.holding import Holding, Rules
    from .journal.journal_file import LeftBehind
    from .sending.copies import Copies, Copying
    from .sending.loop import Watch
    from .taps.fd_tail import FdTail

#: How long a start waits for the delivery of what several dead processes left (a choice: many times what it takes).
_LEFT_S = 1.0
_NOTHING_DONE: Mapping[str, float] = {"lines": 0, "bytes": 0, "calls": 0, "retries": 0, "waitedMs": 0.0}


class Capture:
    """The journal, the tees in front of it and the shipper behind it.

    `environ` is a snapshot of the process's environment variables. `report(text)` tells the user one line;
    `failed(error)` takes an exception of our own. `on_deadline()` is called on the sender's thread, shortly before an
    invocation runs out of time.
    """

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        function: str | None,
        version: str | None,
        report: Callable[[str], None],
        failed: Callable[[BaseException], None],
        on_deadline: Callable[[], None],
    ) -> None:
        self._config = config
        self._environ = environ
        self._function = function
        self._version = version
        self._report = report
        self._failed = failed
        self._on_deadline = on_deadline
        self._filters = self._make_filters()
        self._rules = self._make_rules()
        self._packer = Packer(aggregate=config.aggregate, compression=config.compression)
        self._file = JournalFile(config.journal_dir)
        self._said_problem: str | None = None
        self._say_problem()
        self.environment = new_environment()
        batch_bytes = min(config.batch_bytes, config.buffer_bytes // 4)  # before it is full
        self.journal = Journal(
            private(HEADER_BYTES + config.buffer_bytes),
            environment=self.environment,
            mirror=self._file,
            nudge=self._hurry,
            watermark=batch_bytes if config.flush == "batched" else config.buffer_bytes // 8,
        )
        blocking = config.overflow == "block"
        self._ample = config.buffer_bytes - 2 * HEADER_BYTES
        self._record_as = self._append_as_or_wait if blocking else self.journal.append_as
        self.tee = Tee(self._append_or_wait if blocking else self.journal.append, failed)
        self.children: Children | None = None
        self.fd_tail: FdTail | None = None
        self._redirects: Redirects | None = None
        self._unseen: Unseen | None = None
        self._every_event = "platform" in config.events
        self._said_dropped = False
        self._context = b""
        self.wait_until = 0.0  # monotonic seconds: how long a full journal may hold up the function
        self._targets = make_targets(
            config.streams, environ=environ, requested=config.client, role_arn=config.role_arn, report=report
        )
        self._delivery = Delivery(self._targets, report=report)
        self._copies: Copies | None = None
        self._copy_delivery: Delivery | None = None
        if config.stream_errors:
            targets = make_targets(
                config.stream_errors, environ=environ, requested=config.client, role_arn=config.role_arn, report=report
            )
            self._targets = [*self._targets, *targets]
            self._copy_delivery = Delivery(targets, report=report)
        self.shipper = self._make_shipper()
        self._counted: tuple[float, ...] = (0, 0, 0, 0, 0)

    def start(self, *, send_left: bool = False, watch: Watch | None = None) -> None:
        """Start the sender's thread: it looks for what dead processes left, and makes ready what needs no packages.

        `send_left`: the network may be used already, for what they left. If two or more did, none of the last starts
        has lived long enough to send anything: so this waits for it. `watch`: what else the thread listens to.
        """
        light = all(target.client.light for target in self._targets)
        several = send_left and light and count_left_behind(self._config.journal_dir) > 2  # one of them is our own
        self.shipper.start(warm_up=light, send_left=send_left and light, watch=watch)
        if several:
            self.shipper.deliver_left(_LEFT_S)

    def prepare(self, seconds: float) -> None:
        """Make the clients ready that need packages, now that the function has imported its own. Waits; no network."""
        if not all(target.client.light for target in self._targets):
            self.shipper.prepare(seconds)

    def tee_streams(self, sys: ModuleType) -> None:
        """Put tees in the place of the standard streams; each stream keeps its identity across its names."""
        for name, kind in (("stdout", STDOUT), ("stderr", STDERR)):
            stream = getattr(sys, name)
            if stream is None:
                continue
            tee = self.tee.text(stream, kind, fileno=kind + 1 if kind + 1 in self.originals else None)
            setattr(sys, name, tee)
            if getattr(sys, f"__{name}__") is stream:
                setattr(sys, f"__{name}__", tee)
        if self.fd_tail is None:
            self._unseen = Unseen(sys, self._report)

    def take_descriptors(self, sys: ModuleType, function_wrapper: Any) -> None:
        """`FIRETEE_CAPTURE=fd`: take what native code writes, too. Before `tee_streams`."""
        from .taps.fd_tail import FdTail, LeftSpools  # at boot, but only where it is wanted

        self._left_spools = LeftSpools
        self.fd_tail = FdTail(
            self._file.stem,
            record=self._record_as,
            progress=self.journal.note_copied,
            failed=self._failed,
            function_wrapper=function_wrapper,
        )
        self.fd_tail.install(sys)
        self.tee.before_writes.append(self.fd_tail.before_write)

    def watch_redirects(self, function_wrapper: Any) -> None:
        """Leave to the function what it puts on fds 1 and 2 itself. After `take_descriptors`."""
        self._redirects = Redirects(self._redirected, self._failed)
        self._redirects.install(function_wrapper)

    def _redirected(self, kind: int, ours: bool) -> None:
        for step in self.tee.before_writes:  # the streams follow (`fd_tail.py`), behind what was written before
            step()
        self.tee.record_kind(kind, ours)

    def hide_journals(self, function_wrapper: Any) -> None:
        """Keep the folders of journals out of what the function lists. Before the function is imported."""
        Hiding(self._config.journal_dir, self._failed).install(function_wrapper)

    def capture_children(self, function_wrapper: Any) -> None:
        """Take the output of child processes too; `function_wrapper` is wrapt's. Before the function is imported."""
        self.children = Children(
            record=self._record_as,
            before_writes=self.tee.before_writes,
            failed=self._failed,
            function_wrapper=function_wrapper,
            originals=self.originals,
        )
        self.children.install()

    @property
    def originals(self) -> dict[int, int]:
        """What fds 1 and 2 were, where they lead to us."""
        return self.fd_tail.originals if self.fd_tail is not None else {}

    @property
    def threads(self) -> set[int]:
        """The idents of our own threads."""
        return {self.shipper.thread_id, self.children.thread_id if self.children is not None else 0}

    # ---- what the wrapper adds to the journal ----------------------------------------------------------------------

    def set_context(self, fragment: str) -> None:
        """The ids on everything written from now on; see `render.context_fragment`."""
        self._drain()
        self._context = fragment.encode()
        self.journal.append(CONTEXT, self._context)

    def event(self, kind: str, record: str) -> None:
        """A `platform.*` or `firetee.*` record, if it is wanted: its type and its JSON text."""
        if not self._every_event and kind not in self._config.events:
            return
        self.journal.append(EVENT, kind.encode() + b"\0" + record.encode())

    def message(self, text: str) -> None:
        """One of firetee's own messages, of the kind `extension`."""
        self.journal.append(EXTENSION, text.encode("utf-8", "backslashreplace"))

    def conclude(
        self,
        status: str,
        *,
        duration_ms: float = 0.0,
        cold: bool = False,
        sampled: bool | None = None,
        request_id: str = "",
    ) -> None:
        """What becomes of the lines that wait (`FIRETEE_HOLD`), by how an invocation ended; see `Outcome`."""
        if self._rules is not None:
            outcome = self._outcome(status, duration_ms=duration_ms, cold=cold, sampled=sampled, request_id=request_id)
            self.journal.append(EVENT, outcome.entry())

    def look_after_journal(self) -> None:
        """See that there is a file that survives this process, and say so once if there cannot be one."""
        self.journal.look_after()
        self._say_problem()

    def _say_problem(self) -> None:
        problem = self._file.problem
        if problem is not None and problem != self._said_problem:
            self._said_problem = problem
            self._report(problem)

    def look_for_unseen(self) -> None:
        """Say so if the function writes to streams that are not captured."""
        if self._unseen is not None:
            self._unseen.look()

    def cut(self) -> None:
        """The invocation is over: a line without an end is sent as it is."""
        self._drain()
        if not self.journal.empty:
            self.journal.append(CUT, b"")
        if self.journal.dropped_lines and not self._said_dropped:
            self._said_dropped = True
            self._report(
                f"the journal of {self._config.buffer_bytes:,} bytes is full and lines are dropped; "
                "platform.logsDropped records count them: raise FIRETEE_BUFFER_BYTES, or wait for room with "
                "FIRETEE_OVERFLOW=block"
            )

    # ---- another process -------------------------------------------------------------------------------------------

    def renew(self, *, forked: bool, holds: bool = True) -> None:
        """Begin anew, with an environment and a journal of its own: in a forked child, or after a restore.

        The old journal belongs to the parent, or was empty when the snapshot was taken. `holds`: whether lines may wait
        for the outcome of an invocation.
        """
        old = self._file
        self._file = JournalFile(self._config.journal_dir)
        self.environment = new_environment()
        memory = private(HEADER_BYTES + self._config.buffer_bytes)
        self.journal.renew(memory, environment=self.environment, mirror=self._file)
        self._delivery.forget()
        if self._copy_delivery is not None:
            self._copy_delivery.forget()
        if forked or self.shipper.halt():
            self.shipper.close()
        self.shipper = self._make_shipper()
        if self.fd_tail is not None:
            if forked:
                self.fd_tail.forked()
            else:
                self.fd_tail.begin_anew(self._file.stem)
        if self._redirects is not None and not forked:
            self._redirects.begin_anew()
        if forked:
            self.journal.look_always()
            self.journal.append(CONTEXT, self._context)  # the same invocation's
            if not holds:
                self.conclude("unheld")
            old.abandon()
            if self.children is not None:
                self.children.begin_anew()
        else:
            old.discard()

    def streams_replaced(self) -> None:
        """In a forked worker whose fds 1 and 2 the runtime has replaced: these are the streams from now on."""
        if self.fd_tail is not None:
            self.fd_tail.streams_replaced(self._file.stem)
        if self.children is not None:
            self.children.streams_replaced()

    def before_fork(self) -> bool:
        """End the sender's thread if it is idle, so that a process with one thread forks as such. True if it ended."""
        if self.children is not None:
            self.children.before_fork()
        return self.shipper.halt()

    def after_fork(self) -> None:
        """In the parent: the thread starts again, at once if an invocation runs, else with the next line."""
        self.shipper.after_fork()
        self.journal.nudge_at_next()
        if self.children is not None:
            self.children.after_fork()

    def send_freely(self) -> None:
        """In a forked child, which no invocation bounds: its thread starts with its first line.

        A child that ends within the linger sends nothing by itself: its parent's next flush does.
        """
        self.shipper.start_with_the_first_line()
        self.journal.nudge_at_next()

    def hand_over(self, seconds: float) -> None:
        """A forked child ends: wait for the answer to what is under way, lest its parent sends that again."""
        self.shipper.pause(monotonic() + seconds)
        self.shipper.halt()
        if self.journal.empty:
            self._file.discard()

    @property
    def exec_follows(self) -> bool:
        """In a forked child: whether it becomes another program at once, as those that `subprocess` starts."""
        return self.children is not None and self.children.exec_follows

    def mute(self) -> None:
        """In such a child, before its `preexec_fn`: what that writes goes through the child's pipe, or is not ours."""
        self.tee.before_writes.clear()
        self.journal.mute()

    def _make_shipper(self) -> Shipper:
        config = self._config
        linger_ms = config.batch_age_ms if config.flush == "batched" else config.linger_ms
        copying = self._make_copying()
        renderer = self._renderer(self.environment)
        return Shipper(
            [Source(self.journal, renderer, self._packer, holding=self._make_holding(), copies=self._copies)],
            self._delivery,
            linger_s=max(linger_ms, 1) / 1000,
            patience_s=config.flush_timeout_ms / 1000,
            find_sources=self._dead_sources,
            failed=self._failed,
            report=self._report,
            gather=self._copy_native,
            on_deadline=self._on_deadline,
            copying=copying,
        )

    def _make_copying(self) -> Copying | None:
        """`FIRETEE_STREAM_ERRORS`: what also goes to a second stream."""
        if self._copy_delivery is None:
            return None
        from .sending.copies import Copies, Copying  # at boot, but only where they are wanted

        self._copies = Copies(self._packer, self._report)
        return Copying(self._copies, self._copy_delivery, report=self._report)

    def _copy_native(self) -> None:
        if self.fd_tail is not None:
            self.fd_tail.copy()

    def _renderer(self, environment: str) -> Renderer:
        config = self._config
        return Renderer(
            format=config.format,
            environment=environment,
            function=self._function,
            version=self._version,
            tags=dict(config.tags),
            parse_json=config.parse_json,
            filters=self._filters,
            max_bytes=max_line_bytes(config.compression),
        )

    def _make_rules(self) -> Rules | None:
        below, unlevelled = self._config.hold
        if below is None and not unlevelled:
            return None
        from .envelope.holding import Holding, Outcome, Rules  # at boot, but only where they are wanted

        self._holding, self._outcome = Holding, Outcome
        return Rules(below, unlevelled, self._config.release)

    def _make_holding(self) -> Holding | None:
        return None if self._rules is None else self._holding(self._rules)

    def _make_filters(self) -> Filters | None:
        config = self._config
        if not (config.min_level or config.include or config.exclude or config.redact or config.redact_keys):
            return None
        from .envelope.filters import (
            Filters,  # at boot, but only where it is needed: what it imports takes milliseconds
        )

        filters, problems = Filters.compile(
            min_level=config.min_level,
            include=config.include,
            exclude=config.exclude,
            redact=config.redact,
            redact_keys=config.redact_keys,
        )
        for problem in problems:
            self._report(problem)
        return filters

    def _dead_sources(self) -> list[Source]:
        """On the sender's thread: the journals that dead processes of this environment left."""
        return [self._dead_source(found) for found in left_behind(self._config.journal_dir, self._report)]

    def _dead_source(self, found: LeftBehind) -> Source:
        journal = found.journal
        renderer = self._renderer(journal.environment)
        discard = found.discard
        if self.fd_tail is not None:
            spools = self._left_spools(found.stem, journal.copied)
            if spools:
                if not journal.echoed:
                    spools.echo(self.originals)
                journal.read_on(spools.read)

            def discard() -> None:
                spools.discard()
                found.discard()

        return Source(
            journal,
            renderer,
            self._packer,
            start=journal.start,
            discard=discard,
            holding=self._make_holding(),
            copies=self._copies,
        )

    def statistics(self) -> Mapping[str, float]:
        """What was done since the last call: lines, bytes, calls, retries, milliseconds that invocations waited."""
        shipper, delivery = self.shipper, self._delivery
        now: tuple[float, ...] = (*shipper.taken(), delivery.calls, delivery.retries, shipper.waited_s * 1000)
        last, self._counted = self._counted, now
        if now == last:  # so it is in every invocation without output
            return _NOTHING_DONE
        return {name: round(value - before, 3) for name, value, before in zip(_NOTHING_DONE, now, last, strict=True)}

    def close(self) -> None:
        """The interpreter exits: end the thread, and remove the journal if everything in it was taken."""
        self.shipper.stop()
        if self.children is not None:
            self.children.leave()
        if self.fd_tail is not None:
            self.fd_tail.leave()
        if self.journal.empty:
            self._file.discard()

    def _hurry(self) -> None:
        self.shipper.hurry()

    def _drain(self) -> None:
        """Have in the journal what child processes and native code wrote until now."""
        self._copy_native()
        if self.children is not None:
            self.children.drain()

    def _append_or_wait(self, kind: int, data: bytes) -> None:
        """`FIRETEE_OVERFLOW=block`: where the journal is full, wait for the sender to make room first."""
        size = len(data)
        if self.journal.backlog + size + size > self._ample:  # what wraps around may take its room twice
            try:
                self._make_room(size)
            except BaseException:  # a signal handler of the function's
                self.journal.append(kind, data)
                raise
        self.journal.append(kind, data)

    def _append_as_or_wait(self, kind: int, data: bytes, thread: int) -> None:
        try:
            self._make_room(len(data))
        except BaseException:
            self.journal.append_as(kind, data, thread)
            raise
        self.journal.append_as(kind, data, thread)

    def _make_room(self, size: int) -> None:
        if not self.journal.has_room(size) and get_ident() != self.shipper.thread_id:
            wanted = max(size, self._config.buffer_bytes // 4)  # so that not every line waits
            self.shipper.flush(self.wait_until, lambda: self.journal.has_room(wanted))
