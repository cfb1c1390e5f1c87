"""Every line that was written is looked for among what was delivered: nothing missing, nothing made up, no double."""

from __future__ import annotations

from typing import Any

from firetee import journey


def envelope(seq: int, record: object, stream: str = "stdout", **more: Any) -> journey.Envelope:
    return {
        "time": f"2026-11-23T12:00:{seq:02}.000000Z", "type": "function", "record": record, "stream": stream,
        "environment": "e1", "seq": seq, **more,
    }  # fmt: skip


def pairs(texts: dict[str, list[str]], *envelopes: journey.Envelope) -> list[tuple[str | None, object]]:
    """Each line as (what was written, what was delivered)."""
    times = journey.key_times([(envelopes, 0.0)])
    found = journey.pair({"stdout": [], "stderr": [], "log": [], **texts}, envelopes, times)
    return [(line.written, line.envelope and line.envelope["record"]) for line in found]


def test_lines_are_paired_in_the_order_of_their_numbers() -> None:
    assert pairs({"stdout": ["a", "b"]}, envelope(1, "b"), envelope(0, "a")) == [("a", "a"), ("b", "b")]


def test_what_did_not_arrive_is_missing_also_if_it_was_written_twice() -> None:
    assert pairs({"stdout": ["a", "a", ""]}, envelope(0, "a")) == [("a", "a"), ("a", None), ("", None)]


def test_what_nobody_wrote_stands_out() -> None:
    assert pairs({"stdout": ["a"]}, envelope(0, "a"), envelope(1, "a")) == [("a", "a"), (None, "a")]


def test_a_line_of_one_stream_is_not_found_on_another() -> None:
    assert pairs({"stderr": ["a"]}, envelope(0, "a", "stdout")) == [(None, "a"), ("a", None)]


def test_what_was_sent_again_counts_once() -> None:
    assert pairs({"stdout": ["a"]}, envelope(0, "a"), envelope(0, "a")) == [("a", "a")]


def test_the_same_number_in_another_environment_is_another_line() -> None:
    after = envelope(0, "b", environment="e2")
    assert pairs({"stdout": ["a", "b"]}, envelope(0, "a"), after) == [("a", "a"), ("b", "b")]


def test_a_json_line_is_found_in_the_object_that_says_the_same() -> None:
    assert pairs({"stdout": ['{"a":  1}', "[1]"]}, envelope(0, {"a": 1})) == [('{"a":  1}', {"a": 1}), ("[1]", None)]


def test_lines_that_threads_tangled_on_the_descriptor_have_arrived_whole() -> None:
    tangled = {"stdout": ["one threadthread 1", " 2", "", "last"]}
    delivered = [envelope(0, "one "), envelope(1, "thread 1"), envelope(2, "thread 2"), envelope(3, "last")]
    assert all(written == record for written, record in pairs(tangled, *delivered))


def test_where_a_character_is_missing_from_a_tangle_it_is_missing() -> None:
    found = pairs({"stdout": ["threadthread 1", " 2"]}, envelope(0, "thread 1"))
    assert ("threadthread 1", None) in found


def test_an_unfinished_line_and_what_the_next_invocation_writes_behind_it_are_two() -> None:
    assert pairs({"stderr": ["x", "yx"]}, *(envelope(seq, text, "stderr") for seq, text in enumerate("xyx"))) == [
        ("x", "x"), ("y", "y"), ("x", "x"),
    ]  # fmt: skip


def test_the_parts_of_a_long_line_are_joined() -> None:
    parts = [envelope(seq, text, part=[seq + 1, 3]) for seq, text in enumerate(["one", "two", "three"])]
    assert pairs({"stdout": ["onetwothree"]}, *parts) == [("onetwothree", "onetwothree")]


def test_platform_events_are_nobodys_lines() -> None:
    event = {
        "time": "2026-11-23T12:00:00.000000Z",
        "type": "platform.start",
        "record": {},
        "environment": "e1",
        "seq": 0,
    }
    assert pairs({}, event) == []


def test_the_time_taken_runs_from_written_to_first_stored() -> None:
    line = envelope(0, "a")
    times = journey.key_times([([line], journey.time_s(line) + 0.25), ([line], journey.time_s(line) + 9)])
    (found,) = journey.pair({"stdout": ["a"]}, [line], times)
    assert found.took_ms is not None
    assert round(found.took_ms) == 250
