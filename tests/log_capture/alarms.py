"""Raises at every instruction of ours in turn, as a signal handler of the function's may.

Run by `test_signal_lock.py`: python -I alarms.py ROOT OPERATION. Prints how many places there were, and at how many of
them nothing had been written yet, or a line was lost. It fails if afterwards another thread has to wait, or if
something was written twice.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from opcode import opmap
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType

ROOT, OPERATION = sys.argv[1:]
sys.path.insert(0, ROOT)

from log_capture.envelope.pack import Packer  # noqa: E402
from log_capture.envelope.render import Renderer  # noqa: E402
from log_capture.journal.journal import Journal  # noqa: E402
from log_capture.journal.journal_file import JournalFile  # noqa: E402
from log_capture.journal.ring import STDOUT, Commit  # noqa: E402
from log_capture.process.own_fd import OwnFd  # noqa: E402
from log_capture.sending.delivery import Delivery, Target  # noqa: E402
from log_capture.sending.shipper import Shipper  # noqa: E402
from log_capture.sending.source import Source  # noqa: E402
from log_capture.taps.children import Children  # noqa: E402 - found by its path
from log_capture.taps.fd_tail import FdTail  # noqa: E402
from log_capture.taps.tee import Tee  # noqa: E402

#: Only tells a debugger which way a branch went (3.14 on): no handler runs there, and it belongs to no `try`.
NOT_TAKEN = opmap.get("NOT_TAKEN", -1)


class Alarm(Exception):
    """What the function's signal handler raises."""


class Alarmed:
    """Runs a call and raises `Alarm` before instruction `place` of ours; `over` once there are not so many."""

    def __init__(self, place: int) -> None:
        self.left = place
        self.over = True
        self.thread = threading.get_ident()

    def _at(self, code: CodeType) -> None:
        if code.co_filename.startswith(ROOT + "/log_capture/") and threading.get_ident() == self.thread:
            self.left -= 1
            if self.left == 0:
                self.over = False
                raise Alarm

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            self._at(frame.f_code)
        return self._trace

    def run(self, call: Callable[[], object]) -> None:
        self._begin()
        try:
            call()
        except Alarm:
            pass
        finally:
            self._end()

    if sys.version_info >= (3, 12):

        def _begin(self) -> None:
            sys.monitoring.use_tool_id(0, "alarms")
            instruction = sys.monitoring.events.INSTRUCTION
            sys.monitoring.register_callback(0, instruction, self._instruction)
            sys.monitoring.set_events(0, instruction)

        def _instruction(self, code: CodeType, offset: int) -> None:
            if code.co_code[offset] != NOT_TAKEN:
                self._at(code)

        def _end(self) -> None:
            sys.monitoring.set_events(0, 0)
            sys.monitoring.free_tool_id(0)

    else:

        def _begin(self) -> None:
            sys.settrace(self._trace)

        def _end(self) -> None:
            sys.settrace(None)


def elsewhere(call: Callable[[], Any]) -> Any:
    """On another thread, which must not have to wait for a lock."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(call()), daemon=True)
    thread.start()
    thread.join(20)
    assert done, "another thread waits for ever"
    return done[0]


def contents(journal: Journal) -> bytes:
    found: list[bytes] = []
    while chunks := journal.read(1 << 20):
        found += [data for _, kind, _, _, data in chunks if kind in (STDOUT, STDOUT + 256)]
        journal.commit(Commit(chunks[-1][0], 0, 0, b""))
    return b"".join(data if data.endswith(b"\n") else data + b"\n" for data in found)


def make_journal() -> Journal:
    return Journal(bytearray(1 << 17), environment="0123456789ab", mirror=JournalFile(os.environ["FOLDER"]))


def fail(error: object) -> None:
    raise AssertionError(error)


class Append:
    def __init__(self) -> None:
        self.journal = make_journal()

    def call(self) -> None:
        self.journal.append(STDOUT, b"line\n")

    def check(self) -> bool:
        elsewhere(lambda: self.journal.append(STDOUT, b"other\n"))
        found = contents(self.journal)
        assert found in (b"line\nother\n", b"other\n"), found
        return found.startswith(b"line")


class AppendAs(Append):
    def call(self) -> None:
        self.journal.append_as(STDOUT, b"line\n", 7)


class AppendAcrossTheEnd(Append):
    def __init__(self) -> None:
        self.journal = Journal(bytearray((1 << 14) + 8192), environment="0123456789ab")
        self.journal.append(STDOUT, b"x" * 9000 + b"\n")
        contents(self.journal)
        self.journal.append(STDOUT, b"y" * 9000 + b"\n")
        self.journal.read(1 << 20)
        self.journal.append(STDOUT, b"z" * 6000 + b"\n")

    def call(self) -> None:
        self.journal.append(STDOUT, b"line\n" * 300)

    def check(self) -> bool:
        elsewhere(lambda: self.journal.append(STDOUT, b"other\n"))
        return True


class LookAfter(Append):
    def call(self) -> None:
        self.journal.look_after()

    def check(self) -> bool:
        super().check()
        return True


class Write:
    """`print` to a teed stream."""

    def __init__(self) -> None:
        self.journal = make_journal()
        self.raw = io.BytesIO()
        original = io.TextIOWrapper(self.raw, encoding="utf-8", write_through=True)
        self.stream = Tee(self.journal.append, fail).text(original, STDOUT)

    def call(self) -> None:
        self.stream.write("line\n")

    def check(self) -> bool:
        elsewhere(lambda: self.stream.write("other\n"))
        written, found = self.raw.getvalue(), contents(self.journal)
        assert written in (b"line\nother\n", b"other\n"), written
        assert found in (b"line\nother\n", b"other\n"), found
        return written == found


class Drain:
    """A child's output on its way."""

    def __init__(self) -> None:
        self.journal = make_journal()
        self.read, self.target = os.pipe()
        os.set_blocking(self.read, False)
        self.children = Children(
            record=self.journal.append_as, before_writes=[], failed=fail, function_wrapper=None, originals={}
        )
        self.write = self.children._add(OwnFd(self.target), STDOUT)
        os.write(self.write, b"line\n")

    def call(self) -> None:
        self.children.drain()

    def check(self) -> bool:
        os.write(self.write, b"other\n")
        elsewhere(self.children.drain)
        assert os.read(self.read, 99) == b"line\nother\n", "the original descriptor has all of it, once"
        found = contents(self.journal)
        os.close(self.write)
        elsewhere(self.children.drain)
        for fd in (self.read, self.target):
            os.close(fd)
        assert found.count(b"other") == 1, found
        return found.count(b"line") == 1


class Add(Drain):
    def call(self) -> None:
        os.close(self.children._add(OwnFd(self.target), STDOUT))
        self.children.drain()


class StartThread(Drain):
    def call(self) -> None:
        self.children._start_thread()

    def check(self) -> bool:
        self.children._start_thread()
        self.children.before_fork()
        return super().check()


class Native:
    """What native code wrote, on its way (`FIRETEE_CAPTURE=fd`)."""

    def __init__(self) -> None:
        self.journal = make_journal()
        self.tail = FdTail(
            None, record=self.journal.append_as, progress=self.journal.note_copied, failed=fail, function_wrapper=None
        )

    def call(self) -> None:
        self.tail.copy()

    def check(self) -> bool:
        elsewhere(self.tail.copy)
        return True


class Client:
    light = True

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        return [None] * len(records)

    def warm_up(self) -> None:
        pass

    abort = close = forget = warm_up


CLIENT: Any = Client()


class Flush:
    """Waiting for the sender."""

    def __init__(self) -> None:
        self.journal = make_journal()
        self.shipper = Shipper(
            [Source(self.journal, Renderer(format="text", environment=""), Packer())],
            Delivery([Target("logs", CLIENT)], report=fail),
            linger_s=60,
            patience_s=20,
            find_sources=list,
            failed=fail,
            report=fail,
        )
        self.shipper.start_with_the_first_line()
        self.journal.append(STDOUT, b"line\n")

    def call(self) -> None:
        self.shipper.nudge()
        self.shipper.flush(monotonic() + 20)
        self.shipper.pause(monotonic() + 20)

    def check(self) -> bool:
        self.journal.append(STDOUT, b"other\n")
        assert elsewhere(lambda: self.shipper.flush(monotonic() + 20))
        elsewhere(lambda: self.shipper.pause(monotonic() + 20))
        self.shipper.stop()
        self.shipper.close()
        return True


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        *(Append, AppendAs, AppendAcrossTheEnd, LookAfter),
        *(Write, Drain, Add, StartThread, Native, Flush),
    )
}

place = incomplete = 0
while True:
    place += 1
    operation = OPERATIONS[OPERATION]()
    alarmed = Alarmed(place)
    alarmed.run(operation.call)
    incomplete += not operation.check()
    if alarmed.over:
        break
    mirror = getattr(operation.journal, "_mirror", None)
    if mirror is not None:
        mirror.discard()
sys.stdout.write(f"{place} {incomplete}\n")
