"""Requests and bytes: of 1,000 lines in many small invocations, and of bulk output."""

from __future__ import annotations

import gzip
from typing import Any

from benchmarks.ground import Ground
from benchmarks.variants import BEFORE_RETURN, FIELD, GZIP

INVOCATIONS, LINES = 100, 10
BULK_LINES = 20_000


def measure(ground: Ground) -> dict[str, Any]:
    """Per variant that ships lines, of 1,000 lines of 200 characters in 100 invocations that a SIGTERM ends: how many
    came, in how many requests, with how many bytes as their bodies, and the bytes that Firehose would bill."""
    result: dict[str, Any] = {}
    for variant in FIELD:
        if not variant.ships:
            continue
        ground.progress(f"requests of {variant.title}")
        with ground.environment(variant) as environment:
            for _ in range(INVOCATIONS):
                environment.invoke(lines=LINES)
            environment.emulator.shutdown()
            sink = environment.sink
            result[variant.name] = {
                "delivered": sink.line_count(),
                "requests": sink.requests,
                "bytes": sink.bytes,
                "billed_bytes": sink.billed(),
            }
    return result


def measure_bulk(ground: Ground, lines: int = BULK_LINES) -> dict[str, float]:
    """Billed bytes over the bytes of the lines in their envelopes, for one invocation with many differing lines."""
    ratios = {}
    for variant in (BEFORE_RETURN, GZIP):
        ground.progress(f"billed bytes in bulk, {variant.title}")
        with ground.environment(variant) as environment:
            environment.invoke(lines=lines)
            records = [data for each in environment.sink.received for data in each.payloads()]
            plain = sum(len(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data) for data in records)
            ratios[variant.name] = round((environment.sink.billed() or 0) / plain, 4)
    return ratios
