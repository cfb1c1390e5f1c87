"""Applies a plan's steps in order; when one fails, takes back what was done, last first."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, Conflict, Interrupted, Leftovers, explain, may_have_happened
from firetee.cloud.plan import Plan
from firetee.cloud.steps import Made, Step

TRIES = 5
"""Plans that are made because somebody else changed the function, the first included. A choice."""


def execute(steps: Sequence[Step], cloud: Cloud, on_step: Callable[[str], None] = lambda title: None) -> Made:
    """Apply every step. `on_step` hears each title before its step starts.

    Raises CloudError when a step failed and all is as before, Conflict when that was because somebody else changed
    the same things meanwhile (a plan made anew may succeed), Interrupted when that was because of Ctrl-C, Leftovers
    when something could not be taken back.
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
            left = take_back(done, cloud, made, on_step)
            if left:
                raise Leftovers(cause.message, cause.remedy, left) from error
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"Interrupted. {_what_became(done, made)}") from error
            if not isinstance(error, Exception) or isinstance(error, Conflict):
                raise
            raise CloudError(f"{cause.message} {_what_became(done, made)}", cause.remedy) from error
        done.append(step)
    return made


class Applied(NamedTuple):
    """A plan that was carried out, and what its steps have made."""

    plan: Plan
    made: Made


def carry_out(plan: Callable[[], Plan], cloud: Cloud, on_step: Callable[[str], None] = lambda title: None) -> Applied:
    """Make a plan and apply it; where somebody else was at work meanwhile, make another from what is there now.

    `plan` reads anew at each call. Raises as `execute` does.
    """
    attempt = 1
    while True:
        found = plan()
        try:
            made = execute(found.steps, cloud, on_step)
        except Conflict:
            if attempt == TRIES:
                raise
            cloud.pause(random.uniform(0, attempt))  # two runs that meet must not go on in step
            attempt += 1
        else:
            return Applied(found, made)


def _what_became(done: Sequence[Step], made: Made) -> str:
    if made.kept:
        return f"What this run changed was put back, but for what is in use by now: {'; '.join(made.kept)}."
    return "Everything was put back as it was." if done else "Nothing was changed."


def take_back(
    done: Sequence[Step], cloud: Cloud, made: Made, on_step: Callable[[str], None] = lambda title: None
) -> list[str]:
    """Undo in reverse; what fails, or is interrupted, is listed with the way to do it by hand, and the rest goes on."""
    left: list[str] = []
    for step in reversed(done):
        if step.by_hand:
            on_step(f"take back: {step.title}")
        try:
            step.undo(cloud, made)
        except KeyboardInterrupt:
            left.append(f"{step.title}: interrupted while this was taken back. By hand: {step.by_hand}")
        except Exception as error:  # noqa: BLE001 - one failure must not keep the others from being taken back
            left.append(f"{step.title}: {explain(error).message} By hand: {step.by_hand}")
    return left
