"""Microseconds of the sender's thread for a line that waits and is discarded, beside one that is sent.

Run: python -m benchmarks.holding

From the journal to the records of a request, without the request itself: what is sent also has to be signed,
encrypted and answered.
"""

from __future__ import annotations

from time import perf_counter

from log_capture.envelope.holding import Holding, Outcome, Rules
from log_capture.envelope.pack import Packer
from log_capture.envelope.render import Renderer
from log_capture.firehose.protocol import encode_request
from log_capture.journal.journal import Journal
from log_capture.journal.ring import EVENT, HEADER_BYTES, STDOUT
from log_capture.sending.source import Source

LINES = 2_000
ROUNDS = 30
#: Of about 100 bytes.
TEXTS = {
    "text": b"2026-11-23 order 17 accepted for customer 4711 after 23 ms, nothing else of note, as many lines",
    "JSON": b'{"level":"debug","message":"order accepted for customer 4711","order":17,"ms":23.25,"p":"xx"}',
}
RULES = Rules("INFO", True, [("error", "")])
#: How they end: whether lines wait, and the outcome of their invocation.
WAYS: dict[str, tuple[Rules | None, str]] = {
    "sent (FIRETEE_HOLD off)": (None, ""),
    "waited, then sent": (RULES, "error"),
    "waited, then discarded": (RULES, "success"),
}


def once(text: bytes, rules: Rules | None, status: str) -> float:
    """Microseconds a line."""
    journal = Journal(bytearray(HEADER_BYTES + LINES * 400), environment="0123456789ab")
    holding = Holding(rules) if rules is not None else None
    source = Source(journal, Renderer(format="json", environment="0123456789ab"), Packer(), holding=holding)
    for _ in range(LINES):
        journal.append(STDOUT, text + b"\n")
    if status:
        journal.append(EVENT, Outcome(status).entry())
    started = perf_counter()
    while batch := source.batch():
        encode_request("logs", [data for data, _ in batch])
        source.settle([True] * len(batch))
    took = perf_counter() - started
    assert source.empty
    assert source.lines == (0 if status == "success" else LINES)
    return took / LINES * 1e6


def main() -> None:
    """Best of the rounds, taken in turn."""
    best = {(name, way): float("inf") for name in TEXTS for way in WAYS}
    for _ in range(ROUNDS):
        for name, way in best:
            best[name, way] = min(best[name, way], once(TEXTS[name], *WAYS[way]))
    for name in TEXTS:
        print(name)
        for way in WAYS:
            print(f"  {way:<26} {best[name, way]:6.2f} us a line")


if __name__ == "__main__":
    main()
