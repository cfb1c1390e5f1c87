"""The executor: steps in order, undone in reverse, and an honest account of what is left."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, Conflict, Interrupted, Leftovers
from firetee.cloud.executor import TRIES, carry_out, execute
from firetee.cloud.plan import Plan
from firetee.cloud.steps import Change, Made


class Note:
    """A step that writes down what is asked of it, and fails as told."""

    def __init__(
        self, log: list[str], name: str, failure: BaseException | None = None, stuck: BaseException | None = None
    ) -> None:
        self.title = name
        self.by_hand = f"undo {name} by hand"
        self._log, self._failure, self._stuck = log, failure, stuck

    def changes(self) -> list[Change]:
        return [Change(self.title)]

    def apply(self, cloud: Cloud, made: Made) -> None:
        self._log.append(f"apply {self.title}")
        if self._failure:
            raise self._failure

    def undo(self, cloud: Cloud, made: Made) -> None:
        self._log.append(f"undo {self.title}")
        if self._stuck:
            raise self._stuck


def refusal(status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": "No", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Act",
    )


def test_steps_are_applied_in_order(cloud: Cloud) -> None:
    log: list[str] = []
    titles: list[str] = []
    execute([Note(log, "a"), Note(log, "b")], cloud, titles.append)
    assert (log, titles) == (["apply a", "apply b"], ["a", "b"])


def test_after_a_refusal_what_was_done_is_undone_last_first(cloud: Cloud) -> None:
    log: list[str] = []
    with pytest.raises(CloudError, match=r"Everything was put back as it was\."):
        execute([Note(log, "a"), Note(log, "b"), Note(log, "c", refusal())], cloud)
    assert log == ["apply a", "apply b", "apply c", "undo b", "undo a"]


def test_a_first_step_that_is_refused_leaves_nothing_to_undo(cloud: Cloud) -> None:
    log: list[str] = []
    with pytest.raises(CloudError, match=r"Nothing was changed\."):
        execute([Note(log, "a", refusal()), Note(log, "b")], cloud)
    assert log == ["apply a"]


@pytest.mark.parametrize("unclear", [refusal(500), ReadTimeoutError(endpoint_url="https://x"), OSError("gone")])
def test_a_step_with_an_unclear_answer_is_undone_too(cloud: Cloud, unclear: Exception) -> None:
    log: list[str] = []
    with pytest.raises(CloudError):
        execute([Note(log, "a"), Note(log, "b", unclear)], cloud)
    assert log == ["apply a", "apply b", "undo b", "undo a"]


def test_an_interrupt_is_taken_back_and_says_so(cloud: Cloud) -> None:
    log: list[str] = []
    with pytest.raises(Interrupted, match=r"Interrupted\. Everything was put back as it was\."):
        execute([Note(log, "a"), Note(log, "b", KeyboardInterrupt())], cloud)
    assert log == ["apply a", "apply b", "undo b", "undo a"]


def test_what_cannot_be_undone_is_listed_and_the_rest_is_undone(cloud: Cloud) -> None:
    log: list[str] = []
    stuck = Note(log, "b", stuck=refusal())
    with pytest.raises(Leftovers) as raised:
        execute([Note(log, "a"), stuck, Note(log, "c", refusal())], cloud)
    assert raised.value.left == ("b: Act: No: no By hand: undo b by hand",)
    assert log[-1] == "undo a"


def test_an_interrupt_while_things_are_taken_back_is_named_and_the_rest_is_undone(cloud: Cloud) -> None:
    log: list[str] = []
    stuck = Note(log, "b", stuck=KeyboardInterrupt())
    with pytest.raises(Leftovers) as raised:
        execute([Note(log, "a"), stuck, Note(log, "c", refusal())], cloud)
    assert raised.value.left == ("b: interrupted while this was taken back. By hand: undo b by hand",)
    assert log[-1] == "undo a"


def test_a_conflict_is_planned_again_from_what_is_there_by_then(cloud: Cloud) -> None:
    log: list[str] = []
    plans = [Plan("f", (Note(log, "a"), Note(log, "b", Conflict("met another")))), Plan("f", (Note(log, "c"),))]
    assert carry_out(lambda: plans.pop(0), cloud).plan.steps[0].title == "c"
    assert log == ["apply a", "apply b", "undo a", "apply c"]


def test_conflicts_without_end_are_given_up_and_named(cloud: Cloud) -> None:
    log: list[str] = []
    with pytest.raises(Conflict, match="met another"):
        carry_out(lambda: Plan("f", (Note(log, "a", Conflict("met another")),)), cloud)
    assert log == ["apply a"] * TRIES
