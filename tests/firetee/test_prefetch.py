"""What the tests run on is fetched side by side, and one failure keeps nothing else from being fetched."""

from __future__ import annotations

from firetee import fetch, prefetch


def test_what_fails_is_told_and_the_others_are_taken() -> None:
    taken = []

    def refuse() -> None:
        raise fetch.FetchError("no network")

    good: list[prefetch.Step] = [(name, lambda name=name: taken.append(name)) for name in "ac"]  # type: ignore[misc]
    bad: prefetch.Step = ("b", refuse)
    ((step, error),) = prefetch.take_all([good[0], bad, good[1]])
    assert (step, str(error)) == (bad, "no network")
    assert sorted(taken) == ["a", "c"]
