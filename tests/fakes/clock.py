"""A clock that only moves when it is told to."""

from __future__ import annotations


class Clock:
    """Stands for `time.monotonic` or `time.time`; `pause` stands for sleeping. In seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        """Sleep: time passes at once."""
        self.pauses.append(seconds)
        self.now += seconds
