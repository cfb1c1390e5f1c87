"""Waits for what does not come until its time is up: a record of its own tells where it stood."""

from __future__ import annotations

import time


def handler(event: dict[str, object], context: object) -> None:
    print("asking the warehouse")
    answer_of_the_warehouse()


def answer_of_the_warehouse() -> None:
    time.sleep(60)
