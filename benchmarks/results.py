"""results.json: what was measured, when, on what, and with which versions."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks import field
from firetee import emulator, layer, runtimes
from firetee.runtimes import Python

FILE = Path(__file__).parent / "results.json"


def empty() -> dict[str, Any]:
    return {"machine": {}, "conditions": {}, "measured": {}}


def load() -> dict[str, Any]:
    """What was measured last, or nothing."""
    if not FILE.exists():
        return empty()
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def save(results: dict[str, Any]) -> None:
    FILE.write_text(json.dumps(results, indent=1) + "\n")


def machine(python: Python) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[2], 2),
        "python": str(python).removeprefix("Python "),
        "versions": {
            "awslambdaric": runtimes.DEFAULT_RIC,
            "emulator": emulator.SAM_CLI.replace("==", " "),
            "wrapt": layer.WRAPT.partition("==")[2],
            "boto3": _boto3(),
        },
        "field": dict(sorted(field.versions().items())),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _boto3() -> str:
    """The version that the emulated runtime has."""
    lock = runtimes.LOCKS / "runtime-boto3.txt"
    return next(
        line.split()[0].partition("==")[2] for line in lock.read_text().splitlines() if line.startswith("boto3==")
    )
