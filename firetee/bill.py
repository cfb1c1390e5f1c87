"""What lines cost a month, by firetee and by what else there is. Pure; the prices are those of docs/cost.md."""

from __future__ import annotations

import math
from dataclasses import dataclass

GB = 1 << 30
STEP = 5 * 1024
"""Firehose rounds each record of Direct PUT up to the next 5 KB: https://aws.amazon.com/firehose/pricing/"""
ENVELOPE = 300
"""Bytes that the envelope adds to a line, a choice: 233 in the README's sample, and a trace or tags add to it."""
LINES_A_RECORD = 500
"""As many lines at most go into one Firehose record (log_capture)."""
RECORD_BYTES = 1_000 * 1024
"""The largest record: https://docs.aws.amazon.com/firehose/latest/dev/limits.html"""
LAMBDA_OWN_LINES = 3
"""START, END and REPORT, which Lambda writes to CloudWatch for each invocation."""
LAMBDA_OWN_BYTES = 300
"""Their bytes together, about. A choice."""
EVENT_BYTES = 26
"""What CloudWatch adds to each event: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutLogEvents.html"""


@dataclass(frozen=True)
class Prices:
    """US dollars in us-east-1, first tier, late 2026. docs/cost.md says where each is to be looked up."""

    firehose_gb: float = 0.029
    cloudwatch_gb: float = 0.50
    delivery_gb: float = 0.25
    lambda_gb_second: float = 0.0000166667


@dataclass(frozen=True)
class Load:
    """A month: `invocations` in all; `lines` and milliseconds added (`added_ms`) an invocation; bytes a line; MB.

    `together`: how many invocations' lines one flush sends (1 unless `batched`).
    """

    invocations: int
    lines: float
    line_bytes: float
    memory_mb: int
    added_ms: float
    together: float = 1.0


def firehose_bytes(load: Load) -> float:
    """Bytes that Firehose bills for the month: lines with their envelopes, packed, each record rounded up."""
    if not load.lines:
        return 0.0
    lines, size = load.lines * load.together, load.line_bytes + ENVELOPE
    records = max(1, math.ceil(lines / LINES_A_RECORD), math.ceil(lines * size / RECORD_BYTES))
    a_record = math.ceil(lines * size / records / STEP) * STEP
    return load.invocations / load.together * records * a_record


def cloudwatch_bytes(load: Load) -> float:
    """Bytes that CloudWatch takes in for the month, Lambda's own lines included."""
    events = load.lines + LAMBDA_OWN_LINES
    return load.invocations * (load.lines * load.line_bytes + LAMBDA_OWN_BYTES + events * EVENT_BYTES)


def monthly(load: Load, prices: Prices) -> dict[str, float]:
    """Dollars a month: of firetee by part (`firehose`, `duration`, `firetee`), and of the others, without storage."""
    firehose = firehose_bytes(load) / GB * prices.firehose_gb
    seconds = load.invocations * load.added_ms / 1000
    duration = seconds * load.memory_mb / 1024 * prices.lambda_gb_second
    logs = cloudwatch_bytes(load) / GB
    return {
        "firehose": firehose,
        "duration": duration,
        "firetee": firehose + duration,
        "cloudwatch": logs * prices.cloudwatch_gb,
        "delivery": logs * (prices.delivery_gb + prices.firehose_gb),
    }
