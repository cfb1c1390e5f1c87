"""A `Client` that plays a script: what each `put` does is data."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from log_capture.firehose.errors import of_record
from log_capture.sending.client import Client
from log_capture.sending.failures import CONNECT, INVALID, REFUSED, RESET, SERVER, STALE, THROTTLED, TIMEOUT, PutError

#: What a step can be: None takes all; a list has one error code or None for each record; an error is raised; a function
#: gets the records and the deadline and does either.
Codes = list[str | None]
Step = None | Codes | PutError | Callable[[Sequence[bytes], float], Codes]

#: Longest that a hanging put is held if nobody ends it; only spent where a test fails.
PATIENCE_S = 20.0


def failure(kind: str, code: str = "", *, ambiguous: bool = False) -> PutError:
    """An error of this kind; its message and remedy name it."""
    return PutError(kind, code or kind, f"it failed with {code or kind}", f"mend {code or kind}", ambiguous=ambiguous)


#: One of each kind that leaves it clear that nothing was taken.
CLEAR_FAILURES = [failure(kind) for kind in (THROTTLED, SERVER, STALE, CONNECT, REFUSED)]
#: One of each kind after which the records may have been taken.
AMBIGUOUS_FAILURES = [failure(kind, ambiguous=True) for kind in (TIMEOUT, RESET, SERVER)]


def refuses(bad: bytes, code: str = "InvalidArgumentException") -> Callable[[Sequence[bytes], float], Codes]:
    """A Firehose that refuses every call with a record that has `bad` in it, and takes every other."""

    def answer(records: Sequence[bytes], deadline: float) -> Codes:
        if any(bad in record for record in records):
            raise failure(INVALID, code)
        return [None] * len(records)

    return answer


@dataclass(frozen=True)
class Put:
    """One call."""

    stream: str
    records: tuple[bytes, ...]
    deadline: float


class ScriptedClient(Client):
    """Plays `steps`, one a put, then `default` for ever. `taken` has the records taken, in order."""

    def __init__(self, *steps: Step, default: Step = None) -> None:
        self.steps = deque(steps)
        self.default = default
        self.puts: list[Put] = []
        self.taken: list[bytes] = []
        self.forgotten = self.warmed_up = 0
        self.aborted = threading.Event()

    def warm_up(self) -> None:
        self.warmed_up += 1

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        assert records, "an empty call"
        assert all(records), "an empty record"
        self.puts.append(Put(stream, tuple(records), deadline))
        step = self.steps.popleft() if self.steps else self.default
        if isinstance(step, PutError):
            raise step
        codes: Codes
        if step is None:
            codes = [None] * len(records)
        else:
            codes = step(records, deadline) if callable(step) else list(step)
        assert len(codes) == len(records), "the script does not fit the call"
        self.taken += [record for record, code in zip(records, codes, strict=True) if code is None]
        return codes

    def refusal(self, code: str, stream: str) -> PutError:
        return of_record(code, stream)

    def close(self) -> None:
        pass

    def forget(self) -> None:
        self.forgotten += 1

    def abort(self) -> None:
        self.aborted.set()

    @property
    def lines(self) -> list[bytes]:
        """Every line taken, in order, without newlines."""
        return b"".join(self.taken).splitlines()


class Hang:
    """A step that does not answer until the call is aborted. `reached` is set when a put is in it."""

    def __init__(self, client: ScriptedClient) -> None:
        self.client = client
        self.reached = threading.Event()

    def __call__(self, records: Sequence[bytes], deadline: float) -> Codes:
        self.reached.set()
        ended = self.client.aborted.wait(PATIENCE_S)
        self.client.aborted.clear()
        assert ended, "nobody ended the call that hung"
        raise failure(TIMEOUT, ambiguous=True)


class Held:
    """A step that takes everything once `release` is called. `reached` is set when a put is in it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._go = threading.Event()

    def release(self) -> None:
        self._go.set()

    def __call__(self, records: Sequence[bytes], deadline: float) -> Codes:
        self.reached.set()
        assert self._go.wait(PATIENCE_S), "nobody released the call"
        return [None] * len(records)
