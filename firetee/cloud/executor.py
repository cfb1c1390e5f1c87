"""Applies a plan's steps in order; when one fails, takes back what was done, last first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, Leftovers, explain, may_have_happened
from firetee.cloud.steps import Made, Step


def execute(steps: Sequence[Step], cloud: Cloud, on_step: Callable[[str], None] = lambda title: None) -> Made:
    """Apply every step. `on_step` hears each title before its step starts.

    Raises CloudError when a step failed and all is as before, Leftovers when something could not be taken back. An
    interrupt (Ctrl-C) is treated as a failure of the step it hit, then raised again.
    """
    made = Made()
    done: list[Step] = []
    for step in steps:
        on_step(step.title)
        try:
            step.apply(cloud, made)
        except BaseException as error:
            if may_have_happened(error):
                done.append(step)  # the answer is missing or unclear: undo it too, which does no harm if it never was
            cause = explain(error)
            left = _take_back(done, cloud, made, on_step)
            if left:
                raise Leftovers(cause.message, cause.remedy, left) from error
            if not isinstance(error, Exception):
                raise
            done_nothing = "Nothing was changed." if not done else "Everything was put back as it was."
            raise CloudError(f"{cause.message} {done_nothing}", cause.remedy) from error
        done.append(step)
    return made


def _take_back(done: Sequence[Step], cloud: Cloud, made: Made, on_step: Callable[[str], None]) -> list[str]:
    """Undo in reverse; what fails is listed, with the way to do it by hand, and the rest goes on."""
    left: list[str] = []
    for step in reversed(done):
        if step.by_hand:
            on_step(f"take back: {step.title}")
        try:
            step.undo(cloud, made)
        except Exception as error:  # noqa: BLE001 - one failure must not keep the others from being taken back
            left.append(f"{step.title}: {explain(error).message} By hand: {step.by_hand}")
    return left
