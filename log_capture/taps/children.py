"""What child processes write to a stdout or stderr that they inherit, on its way to where it would have gone.

Guarantees
----------
* A child that would inherit fd 1 or 2 gets the write end of a pipe in its place; a thread of ours copies what comes
  out to the original descriptor, and records what that accepted. Each child has a pipe of its own, so lines never mix.
* What a child wrote before it ended is on the original descriptor before the function hears of the end by `waitpid`,
  and before the next thing that the function itself writes through Python's streams: `drain` is called there.
* Where the function redirects output (a pipe, a file, DEVNULL, another file on fd 1), nothing is done. Nor where the
  descriptor is a terminal or closed, or the thread cannot be started.
* A child that outlives this process's regular exit goes on writing: a small process takes our place (`leave`).

Why a pipe and not a file, which could never block the child: what children have on Lambda is not a file, and a
shell's ``echo oops > /dev/stderr`` truncates a file, with all that was not copied yet. The pipe is drained while the
function waits, in C too; a child has to wait only for C code that holds the GIL.

The place to stand is `_posixsubprocess.fork_exec`, which `subprocess`, asyncio and `multiprocessing` (spawn and
forkserver) use, and `os.posix_spawn`, which `subprocess` uses in some cases. `os.system` and `os.fork` do not pass
here.
"""

from __future__ import annotations

import os
import posix
import sys
from _thread import allocate_lock, get_ident, start_new_thread
from errno import EBADF
from functools import partial
from select import POLLIN, poll

from ..journal.ring import STDERR, STDOUT
from ..process.guard import is_ours
from ..process.own_fd import OwnFd, identity, raised, wait_for_room
from ..process.own_fd import pipe as open_pipe
from ..process.own_threads import leave_signals_to_others
from ..process.signal_lock import SignalLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    #: Takes the kind of entry, the data, and the number that tells whose lines they are.
    RecordAs = Callable[[int, bytes, int], object]

_KINDS = {1: STDOUT, 2: STDERR}
#: Where `_posixsubprocess.fork_exec` takes the child's stdout and stderr, and how many arguments it has
#: (Modules/_posixsubprocess.c, CPython 3.10 to 3.15).
_C2PWRITE, _ERRWRITE = 9, 11
_ARITIES = (21, 22, 23)
_DUP2 = posix.POSIX_SPAWN_DUP2
#: Most that a pipe holds, by default (pipe(7)): what was written before a `drain` is within so many bytes.
_PIPE_BYTES = 65536
#: Read at a time: an entry must fit into the smallest journal, of 64 KiB (a choice).
_READ_BYTES = 32768
#: How long a fork waits for the thread to end (a choice; it is asleep, or blocked by whoever reads our stdout).
_HALT_S = 0.02

#: Run in a process of its own, with pairs of descriptors (pipe, original) as arguments, until all pipes are closed.
_CARETAKER = """
import os, select, sys
fds = iter(map(int, sys.argv[1:]))
pipes = dict(zip(fds, fds))
poll = select.poll()
for fd in pipes:
    poll.register(fd, select.POLLIN)
while pipes:
    for fd, _ in poll.poll():
        data = os.read(fd, 65536)
        try:
            left = data
            while left:
                left = left[os.write(pipes[fd], left):]
        except OSError:
            data = b""
        if not data:
            poll.unregister(fd)
            del pipes[fd]
            os.close(fd)
"""


class _Pipe:
    """One child's stdout or stderr: `end` is read, `target` written.

    `state` is what was read and not recorded yet, one chunk at most, and how many bytes of it each write has taken. The
    calls that read and write add to these lists from C, so that a signal handler that raises behind the call loses
    and repeats nothing.
    """

    __slots__ = ("end", "key", "kind", "state", "target")

    def __init__(self, end: OwnFd, target: OwnFd, kind: int, key: int) -> None:
        self.end = end
        self.target = target
        self.kind = kind
        self.key = key
        self.state: tuple[list[bytes], list[int]] = ([], [])


class UnknownForkExec(Exception):
    """`_posixsubprocess.fork_exec` is not the one that we know: children that it starts are not captured."""


def _check_places(fork_exec: Any) -> None:
    """Raises `UnknownForkExec` if the function takes stdout and stderr elsewhere; it says so from CPython 3.12 on."""
    signature = getattr(fork_exec, "__text_signature__", None)
    if signature is not None:
        names = [name.strip() for name in signature.split(",")][1:]
        if names[_C2PWRITE : _ERRWRITE + 1] != ["c2pwrite", "errread", "errwrite"]:
            raise UnknownForkExec("fork_exec has other arguments: what subprocesses write is not captured")


class Children:
    """Captures child processes.

    `record(kind, data, key)` is `Journal.append_as` or stands for it; `before_writes` is `Tee.before_writes`;
    `function_wrapper` is wrapt's. `originals` says what fds 1 and 2 really are, where they lead to us (`fd_tail.py`).
    """

    def __init__(
        self,
        *,
        record: RecordAs,
        before_writes: list[Callable[[], None]],
        failed: Callable[[BaseException], None],
        function_wrapper: Any,
        originals: Mapping[int, int],
    ) -> None:
        self._record = record
        self._before_writes = before_writes
        self._failed = failed
        self._function_wrapper = function_wrapper
        self._last_key = 1  # 0 and 1 are native code's (`fd_tail.py`); threads' idents are addresses
        self._originals = originals
        self._streams = _Streams(originals)
        self._posix_spawn = os.posix_spawn
        self.thread_id = 0  # of the thread that copies
        self.exec_follows = False  # while a child is forked that becomes another program
        self._wake_ends: tuple[OwnFd, OwnFd] | None = None  # to read and to write
        self._pipes: dict[int, _Pipe] = {}  # by the descriptor that is read
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: what was started before is the parent's."""
        for end in (*(pipe.end for pipe in self._pipes.values()), *(self._wake_ends or ())):
            end.close()
        self._wake_ends = None
        self._pipes = {}
        self._lock = SignalLock()
        self._thread_runs = False
        self.thread_id = 0
        self._halting = False
        self._halted = allocate_lock()
        if self.drain in self._before_writes:
            self._before_writes.remove(self.drain)

    def streams_replaced(self) -> None:
        """The runtime has put other files on fds 1 and 2 than this process began with."""
        self._streams = _Streams(self._originals)

    def install(self) -> None:
        """Before the function imports `subprocess`, which takes a reference of its own."""
        wrap = self._function_wrapper
        try:
            import _posixsubprocess

            fork_exec = _posixsubprocess.fork_exec
            _check_places(fork_exec)
        except (ImportError, AttributeError, UnknownForkExec) as error:
            self._failed(error)
        else:
            _posixsubprocess.fork_exec = wrap(fork_exec, self._around_fork_exec)
            subprocess = sys.modules.get("subprocess")
            if subprocess is not None and getattr(subprocess, "_fork_exec", None) is fork_exec:
                subprocess._fork_exec = _posixsubprocess.fork_exec  # type: ignore[attr-defined]
        for name in ("posix_spawn", "posix_spawnp"):
            setattr(os, name, wrap(getattr(os, name), self._around_posix_spawn))

    # ---- starting a child, on the function's threads ---------------------------------------------------------------

    def _around_fork_exec(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """`_posixsubprocess.fork_exec`: takes positions only; -1 stands for: inherited."""
        ends: dict[int, int] = {}
        if kwargs or len(args) not in _ARITIES:
            self._failed(UnknownForkExec(f"fork_exec has {len(args)} arguments"))
        else:
            out, err = args[_C2PWRITE], args[_ERRWRITE]
            ends = self._safely_open([1 if out == -1 else out, 2 if err == -1 else err])
            if ends:
                changed = list(args)
                changed[_C2PWRITE] = ends.get(1 if out == -1 else out, out)
                changed[_ERRWRITE] = ends.get(2 if err == -1 else err, err)
                args = tuple(changed)
        try:
            self.exec_follows = True
            return wrapped(*args, **kwargs)
        finally:
            self.exec_follows = False
            _close(ends)

    def _around_posix_spawn(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """`os.posix_spawn` and `os.posix_spawnp`: what the file actions do not touch is inherited."""
        try:
            actions = list(kwargs.get("file_actions") or ())
            touched = {action[2] if action[0] == _DUP2 else action[1] for action in actions}
        except (TypeError, LookupError):  # for the original to complain about
            actions, touched = [], {1, 2}
        ends = self._safely_open([fd for fd in (1, 2) if fd not in touched])
        if ends:  # in front: the function's own actions may copy what is inherited
            kwargs = {**kwargs, "file_actions": [*((_DUP2, end, fd) for fd, end in ends.items()), *actions]}
        try:
            return wrapped(*args, **kwargs)
        finally:
            _close(ends)

    def _safely_open(self, fds: Sequence[int]) -> dict[int, int]:
        """Write ends that stand for those of `fds` that are inherited fds 1 and 2; they are to be closed."""
        try:
            return self._open({fd for fd in fds if fd in _KINDS})
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)
            return {}

    def _open(self, fds: set[int]) -> dict[int, int]:
        targets = {fd: target for fd in sorted(fds) if (target := self._streams.target(fd)) is not None}
        if not targets or not self._start_thread():
            return {}
        for step in self._before_writes:  # what came before this child stays in front of what it writes
            step()
        ends: dict[int, int] = {}
        by_target: dict[int, int] = {}
        for fd, target in targets.items():
            if target.fd not in by_target:  # both may be one file: then their order counts, and one pipe keeps it
                by_target[target.fd] = self._add(target, _KINDS[fd])
            ends[fd] = by_target[target.fd]
        self._hear_of_ends()
        self._wake()
        return ends

    def _add(self, target: OwnFd, kind: int) -> int:
        read, write = posix.pipe2(posix.O_CLOEXEC)
        posix.set_blocking(read, False)
        end = OwnFd(raised(read))

        def add() -> None:
            self._last_key += 1
            self._pipes[end.fd] = _Pipe(end, target, kind, self._last_key)
            if self.drain not in self._before_writes:
                self._before_writes.append(self.drain)

        self._lock.hold(add)
        return write

    def _hear_of_ends(self) -> None:
        wrapper = self._function_wrapper
        if not isinstance(os.waitpid, wrapper):
            os.waitpid = wrapper(os.waitpid, self._around_waitpid)

    def _around_waitpid(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        if self._pipes and result[0]:
            self.drain()
        return result

    # ---- copying, on any thread ------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Copy what was written before this call. Any thread; never raises what is ours."""
        if self._lock.mine:  # a signal handler, inside a `drain` of its own thread
            return
        try:
            self._lock.hold(self._copy_all)
        except Exception as error:
            if not is_ours(error):
                raise
            self._failed(error)

    def _copy_all(self) -> None:
        for pipe in list(self._pipes.values()):
            self._copy(pipe)

    def _copy(self, pipe: _Pipe) -> None:
        """Copy what is in one pipe now, and close it if no writer is left or nobody takes what is written."""
        copied = 0
        if not pipe.end.mine:  # the function has closed it, and the child finds out by SIGPIPE
            self._remove(pipe)
            return
        while copied < _PIPE_BYTES:
            chunks, written = pipe.state
            if not chunks:
                try:
                    chunks.extend(map(posix.read, (pipe.end.fd,), (_READ_BYTES,)))
                except BlockingIOError:
                    return
            (chunk,) = chunks
            if not chunk:
                self._remove(pipe)
                return
            while (done := sum(written)) < len(chunk):
                try:
                    if not pipe.target.mine:
                        pipe.target = self._streams.renewed(pipe.target)
                    written.extend(map(posix.write, (pipe.target.fd,), (chunk[done:],)))
                except BlockingIOError:
                    wait_for_room(pipe.target.fd)
                except OSError as error:
                    if not is_ours(error):
                        raise
                    if done:
                        self._record(pipe.kind, chunk[:done], pipe.key)
                    self._remove(pipe)  # the child finds out as it would have without us: by SIGPIPE
                    return
            pipe.state = ([], [])
            self._record(pipe.kind, chunk, pipe.key)
            copied += len(chunk)

    def _remove(self, pipe: _Pipe) -> None:
        del self._pipes[pipe.end.fd]
        pipe.end.close()
        if not self._pipes:
            if self.drain in self._before_writes:
                self._before_writes.remove(self.drain)
            self._wake()  # so that the thread ends

    # ---- the thread that copies while nobody else does -------------------------------------------------------------

    def _start_thread(self) -> bool:
        """Whether it runs now. It cannot be started when the interpreter is shutting down."""
        return self._lock.hold(self._see_that_thread_runs)

    def _see_that_thread_runs(self) -> bool:
        if self._wake_ends is None or not all(end.mine for end in self._wake_ends):
            self._wake_ends = open_pipe()
        if not self._thread_runs:
            self._halting = False
            self._halted = allocate_lock()
            self._halted.acquire()
            started: list[int] = []
            try:
                self._thread_runs = True
                # The list is filled from C: it tells, whatever a signal handler raises, whether there is a thread.
                started.extend(map(start_new_thread, (self._run,), ((self._halted,),)))
            except RuntimeError:
                return False
            finally:
                self._thread_runs = bool(started)
        return True

    def _run(self, halted: Any) -> None:
        """Copy until there is no pipe left or the thread is to end."""
        idle = False
        self.thread_id = get_ident()
        try:
            leave_signals_to_others()
            while True:
                waiting = self._lock.hold(partial(self._look, idle))
                if waiting is None:
                    return
                for fd, _ in waiting.poll():
                    if self._wake_ends is not None and fd == self._wake_ends[0].fd and self._wake_ends[0].mine:
                        posix.read(fd, 4096)
                self.drain()
                idle = not self._pipes
        except Exception as error:  # noqa: BLE001 - `drain` is called by others as well; the next child starts the thread again
            self._thread_runs = False
            self._failed(error)
        finally:
            halted.release()

    def _look(self, idle: bool) -> poll | None:
        """What to wait for; None if the thread ends."""
        if self._halting or (idle and not self._pipes):
            self._thread_runs = False
            return None
        if self._wake_ends is None or not all(end.mine for end in self._wake_ends):  # closed by the function
            self._wake_ends = open_pipe()
        waiting = poll()
        waiting.register(self._wake_ends[0].fd, POLLIN)
        for pipe in list(self._pipes.values()):
            if pipe.end.mine:
                waiting.register(pipe.end.fd, POLLIN)
            else:
                self._remove(pipe)
        return waiting

    def _wake(self) -> None:
        ends = self._wake_ends
        if ends is not None and ends[1].mine:
            try:
                posix.write(ends[1].fd, b"\0")
            except OSError as error:
                if not is_ours(error):
                    raise  # else it is awake

    # ---- forks and the end -----------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """End the thread, so that a process with one thread forks as such."""
        if self._thread_runs:
            self._halting = True
            self._wake()
            self._halted.acquire(True, _HALT_S)

    def after_fork(self) -> None:
        """In the parent: go on."""
        self._halting = False
        if self._pipes:
            self._start_thread()

    def leave(self) -> None:
        """The interpreter exits: children that still write get another reader in our place."""
        self.drain()
        if not self._pipes:
            return
        pipes = [pipe for pipe in self._pipes.values() if pipe.end.mine and pipe.target.mine]
        fds = [fd for pipe in pipes for fd in (pipe.end.fd, pipe.target.fd)]
        for pipe in pipes:
            posix.set_inheritable(pipe.end.fd, True)
            posix.set_inheritable(pipe.target.fd, True)
            posix.set_blocking(pipe.end.fd, True)
        command = [sys.executable, "-I", "-S", "-c", _CARETAKER, *map(str, fds)]
        self._posix_spawn(sys.executable, command, os.environ)


class _Streams:
    """The files that fds 1 and 2 stood for when this was made; `originals` are what they really are, where known."""

    def __init__(self, originals: Mapping[int, int]) -> None:
        self._originals = originals
        self._identities = {fd: identity(fd) for fd in _KINDS}
        self._files = {fd: identity(originals.get(fd, fd)) for fd in _KINDS}
        self._copies: dict[tuple[int, int], OwnFd] = {}

    def target(self, fd: int) -> OwnFd | None:
        """A descriptor of our own of that file; None if `fd` is something else now, or nothing to capture."""
        original = self._originals.get(fd, fd)
        file = identity(original)
        if file is None or file != self._files[fd] or identity(fd) != self._identities[fd] or posix.isatty(original):
            return None
        copy = self._copies.get(file)
        if copy is None or not copy.mine:
            copy = self._copies[file] = OwnFd(raised(posix.dup(original)))
        return copy

    def renewed(self, lost: OwnFd) -> OwnFd:
        """Another descriptor of the same file, which the function has closed. Raises OSError if there is none."""
        for fd in _KINDS:
            copy = self.target(fd)
            if copy is not None and copy.same_file(lost):
                return copy
        raise OSError(EBADF, "the function has closed it")


def _close(ends: dict[int, int]) -> None:
    for end in set(ends.values()):
        posix.close(end)
