"""What a million invocations cost. Pure.

Prices of us-east-1 on x86, as AWS published them when this was written:
https://aws.amazon.com/lambda/pricing/ and https://aws.amazon.com/firehose/pricing/
"""

from __future__ import annotations

from typing import Any

LAMBDA_GB_SECOND = 0.0000166667
FIREHOSE_GB = 0.029
GB = 1 << 30

#: The function assumed (choices): its memory, how many of its starts are cold, and its lines.
MEMORY_GB = 0.5
COLD_SHARE = 0.01
LINES = 10
MILLION = 1_000_000


def per_million(measured: dict[str, Any], name: str) -> dict[str, float]:
    """Dollars that a variant adds to the bare function: duration of warm and of cold invocations, and Firehose's bill.

    Durations are those measured here at full CPU. What others charge for taking lines in is not counted.
    """
    second = LAMBDA_GB_SECOND * MEMORY_GB
    warm_ms = measured["warm"][name]["lines"][str(LINES)]["added_asked_ms"]["median"]
    cold_ms = measured["cold"][name]["added_ms"]["median"]
    bill = measured["bill"].get(name, {})
    billed_a_line = (bill.get("billed_bytes") or 0) / (bill.get("delivered") or 1)
    return {
        "warm": MILLION * (1 - COLD_SHARE) * warm_ms / 1000 * second,
        "cold": MILLION * COLD_SHARE * cold_ms / 1000 * second,
        "firehose": MILLION * LINES * billed_a_line / GB * FIREHOSE_GB,
    }
