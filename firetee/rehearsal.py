"""A function in the emulator, through the layer, into an embedded Firehose: what `firetee local` and the demo do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from firetee import emulator, fetch, journey, layer, runtimes
from firetee.embedded.firehose import EmbeddedFirehose, Stored, envelopes
from firetee.emulator import Emulator, Function, Response
from firetee.engine import Policy


@dataclass(frozen=True)
class Rehearsal:
    """What came of one environment's life: the answers, and every line with where it got to."""

    responses: list[Response]
    lines: list[journey.Line]
    filtered: list[journey.Line]
    held: list[journey.Line]
    emulator: Emulator
    calls: int
    platform: list[journey.Envelope]

    @property
    def missing(self) -> list[journey.Line]:
        """Lines that the function wrote, that its settings let pass, and that are not in the bucket."""
        return [line for line in self.lines if line.envelope is None]

    @property
    def died(self) -> bool:
        """Whether the environment's last process ended in an invocation, so that nothing was left to send its rest."""
        return bool(self.responses) and self.responses[-1].error in ("crash", "timeout")


@dataclass(frozen=True)
class Place:
    """Where functions are run: a Python, a runtime client, the layer unpacked at `opt`, and a running Firehose."""

    python: runtimes.Python
    ric: str
    opt: Path
    firehose: EmbeddedFirehose


def prepare(python: runtimes.Python, ric: str, stage: Callable[[str], object], built: Path | None = None) -> Path:
    """Have all that a place needs: fetch what is missing, build the layer unless it is `built`. Returns it unpacked.

    `stage` is told what takes a while. Raises `FetchError`, `LayerError`.
    """
    wheels = [emulator.WHEEL, *([] if built else layer.wrapt_for(python))]
    if not all(wheel.path.exists() for wheel in wheels) or not runtimes.made(python, ric):
        stage("Fetching AWS's emulator, its runtime client and boto3 (once)")
    with ThreadPoolExecutor(2) as pool:
        runtime = pool.submit(runtimes.runtime, python, ric)
        fetch.wheels(wheels)
        emulator.rie()
        opt = built or layer.unpacked(python)
        runtime.result()
    return opt


class Environment:
    """One environment that runs; what the Firehose had before is left out of the result."""

    def __init__(self, function: Function, place: Place) -> None:
        firehose = place.firehose
        settings = {"FIRETEE_STREAM": firehose.stream, "AWS_ENDPOINT_URL_FIREHOSE": firehose.url, **function.env}
        self.emulator = Emulator(
            replace(function, env=settings), place.python, ric=place.ric, wrapper=place.opt / layer.EXECUTABLE
        )
        self._firehose = firehose
        self._calls_before = len(firehose.calls)
        self._policy = Policy(settings)
        self._responses: list[Response] = []

    def post(self, payload: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """Invoke with an event as JSON; one at a time."""
        self._responses.append(self.emulator.post(payload, headers))
        return self._responses[-1]

    def invoke(self, event: object) -> Response:
        """Invoke; one at a time."""
        self._responses.append(self.emulator.invoke(event))
        return self._responses[-1]

    def result(self) -> Rehearsal:
        """End the environment as Lambda does, and tell what came of it."""
        self.emulator.shutdown()
        calls = self._firehose.calls[self._calls_before :]
        stored = [(records_of(call), call.time_s) for call in calls]
        times = journey.key_times(stored)
        delivered = [envelope for found, _ in stored for envelope in found]
        texts: dict[str, list[str]] = {}
        filtered = []
        waiting = set()
        for stream, written in journey.written(self.emulator).items():
            texts[stream] = []
            for text, level in written:
                sent = self._policy.sent(stream, level, text)
                if sent is None:
                    filtered.append(journey.Line(stream, text, None, None))
                    continue
                texts[stream].append(sent)
                if self._policy.holds(stream, level, text):
                    waiting.add((stream, sent))
        platform = [each for each in delivered if each["type"].partition(".")[0] in ("platform", "firetee")]
        lines, held = _without_discarded(journey.pair(texts, delivered, times), waiting, platform)
        return Rehearsal(self._responses, lines, filtered, held, self.emulator, len(calls), platform)


def _without_discarded(
    lines: list[journey.Line], waiting: set[tuple[str, str]], platform: list[journey.Envelope]
) -> tuple[list[journey.Line], list[journey.Line]]:
    """The lines, and apart from them those that waited and were discarded: no more than the reports speak of."""
    reports = [each["record"]["firetee"] for each in platform if each["type"] == "platform.report"]
    count = sum(each.get("heldLines", 0) for each in reports if each.get("released") is None)
    held = [line for line in lines if line.envelope is None and (line.stream, line.written) in waiting][:count]
    return [line for line in lines if not any(line is each for each in held)], held


@contextmanager
def environment(function: Function, place: Place) -> Iterator[Environment]:
    """A function in an environment of its own, killed with all that is in it when the block ends."""
    running = Environment(function, place)
    with running.emulator:
        yield running


def rehearse(
    function: Function,
    events: Sequence[object],
    place: Place,
    on_response: Callable[[int, Response], None] = lambda number, response: None,
) -> Rehearsal:
    """Invoke a function once for each event in one environment; then shut it down."""
    with environment(function, place) as running:
        for number, event in enumerate(events):
            on_response(number, running.invoke(event))
        return running.result()


def records_of(call: Stored) -> list[journey.Envelope]:
    """The envelopes in a call."""
    return [envelope for record in call.records for envelope in envelopes(record)]
