"""Microseconds per line of each step from the journal to the request, beside `json.dumps`.

Run: python -m benchmarks.micro_render
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from log_capture.envelope.filters import Filters
from log_capture.envelope.lines import Assembler
from log_capture.envelope.pack import Packer, billed
from log_capture.envelope.render import Renderer, context_fragment
from log_capture.firehose.protocol import encode_request
from log_capture.journal.journal import Journal
from log_capture.journal.ring import HEADER_BYTES, STDOUT, scan

if TYPE_CHECKING:
    from log_capture.journal.ring import Chunk

Line = tuple[int, str, "str | None", "str | None", str, str]

LINES = 2_000
ROUNDS = 40
CONTEXT = {
    "requestId": "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa",
}
TRACE: dict[str, str | bool] = {
    "traceId": "62e900b2710d76f009d6e7785905449a",
    "spanId": "0efbd19962d95b05",
    "sampled": True,
    "xrayTraceId": "1-62e900b2-710d76f009d6e7785905449a",
}
PLAIN = ("2026-11-23 order 17 accepted for customer 4711 after 23 ms, " * 4)[:200]
TEXTS = {
    "plain, 200 bytes": PLAIN,
    "with quotes, 200 bytes": PLAIN[:-3] + '"x"',
    "not ASCII, 200 bytes": "ü" * 100,
    "JSON object, 200 bytes": '{"level":"INFO","message":"order accepted","n":17,"ms":2.5,"pad":"' + "x" * 132 + '"}',
}


def journal() -> tuple[bytearray, int]:
    """What `print` leaves in a journal, and how many bytes of it."""
    buffer = bytearray(HEADER_BYTES + LINES * 300)
    written = Journal(buffer, environment="9f86d081884c")
    for _ in range(LINES):
        written.append(STDOUT, PLAIN.encode())
        written.append(STDOUT, b"\n")
    return buffer, written.backlog


def read(buffer: bytearray, size: int) -> list[Chunk]:
    return scan(buffer, len(buffer) - HEADER_BYTES, 0, size, size, check=False)[0]


def lines(text: str, stream: str = "stdout", level: str | None = None) -> list[Line]:
    context = context_fragment(CONTEXT["requestId"], TRACE, None, False)
    return [(1_795_441_832_000_000 + 300 * number, "function", stream, level, text, context) for number in range(LINES)]


def renderer(filters: Filters | None = None) -> Renderer:
    return Renderer(format="json", function="orders", version="$LATEST", environment="9f86d081884c", filters=filters)


def render(using: Renderer, given: list[Line]) -> list[bytes]:
    out: list[bytes] = []
    using.render_many(given, 0, out)
    return out


def with_json_dumps(text: str) -> list[bytes]:
    """The same envelope the obvious way."""
    out: list[bytes] = []
    for time_us, kind, stream, _, record, _ in lines(text):
        second, micros = divmod(time_us, 1_000_000)
        envelope = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{micros:06d}Z",
            "type": kind,
            "record": record,
            "stream": stream,
            **CONTEXT,
            "function": "orders",
            "version": "$LATEST",
            "environment": "9f86d081884c",
            "seq": len(out),
        }
        out.append((json.dumps(envelope, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
    return out


def show(name: str, step: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(ROUNDS):
        before = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - before)
    print(f"{name:45} {best / LINES * 1e6:6.2f} us a line")


def main() -> None:
    buffer, size = journal()
    show("read: 200 bytes", partial(read, buffer, size))
    show("lines: 200 bytes", partial(Assembler().feed, read(buffer, size)))
    for name, text in TEXTS.items():
        given = lines(text)
        show(f"render: {name}", partial(render, renderer(), given))
    frame = f"[INFO]\t2026-11-23T13:50:32.480Z\t{CONTEXT['requestId']}\t{PLAIN}"
    show("render: a frame in the runtime's text format", partial(render, renderer(), lines(frame, "log", "INFO")))
    show("json.dumps: plain, 200 bytes", partial(with_json_dumps, PLAIN))
    rendered = render(renderer(), lines(PLAIN))
    for compression in ("none", "gzip"):
        packer = Packer(compression=compression)
        show(f"pack: {compression}", partial(packer.pack, rendered))
        ratio = sum(billed(len(data)) for data, _ in packer.pack(rendered)) / sum(map(len, rendered))
        print(f"    billed bytes / bytes: {ratio:.3f}")
    show("request: plain, 200 bytes", partial(encode_request, "logs", [data for data, _ in Packer().pack(rendered)]))
    given = lines(PLAIN)
    for redact in (r"password=\S+", r"[\w.+-]+@[\w-]+\.[\w.]+", r"(?:4[0-9]{3}|5[0-9]{3})+x"):
        filters, _ = Filters.compile(min_level=None, include=None, exclude=None, redact=redact)
        using = renderer(filters)
        show(f"render, redacting {redact}", partial(render, using, given))


if __name__ == "__main__":
    main()
