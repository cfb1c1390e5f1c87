"""`tail` reads what a stream delivered: plain or gzip, by function, request, level and time, each line once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firetee.cloud import lines, objects
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError
from firetee.commands.tail import tail
from log_capture.envelope.levels import RANKS
from tests.firetee.cloud.fake_aws import REGION
from tests.firetee.cloud.fixtures import Account, boto_session
from tests.firetee.commands.conftest import Run

NOW = datetime.now(timezone.utc)
AGO_35_S = (NOW - timedelta(seconds=35)).isoformat()


def envelope(record: str, seq: int = 0, *, ago_s: float = 60, **more: Any) -> bytes:
    """A line as firetee sends it."""
    time = (NOW - timedelta(seconds=ago_s)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    fields = {
        "time": time,
        "type": "function",
        "record": record,
        "stream": "stdout",
        "level": "INFO",
        "requestId": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        "function": "orders",
        "environment": "9f86d081884c",
        "seq": seq,
        **more,
    }
    return json.dumps(fields).encode() + b"\n"


def put(account: Account, *records: bytes) -> None:
    account.firehose.put_record_batch(DeliveryStreamName="app-logs", Records=[{"Data": each} for each in records])


def records(run: Run, *args: str) -> list[str]:
    """The `record` of each line that the command shows."""
    result = run(tail, "app-logs", "--json", *args)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["record"] for line in result.stdout.splitlines()]


@pytest.fixture
def delivered(account: Account) -> Account:
    """A stream that has delivered lines of two functions, some gzipped, one twice."""
    account.stream()
    put(account, envelope("one", 0, ago_s=50) + envelope("two", 1, ago_s=40, level="ERROR"))
    put(account, gzip.compress(envelope("three", 2, ago_s=30)), gzip.compress(envelope("four", 3, ago_s=20)))
    put(
        account,
        envelope("two", 1, ago_s=40, level="ERROR"),
        envelope("bill", 0, ago_s=10, function="bills", environment="b"),
    )
    return account


def test_lines_come_in_the_order_of_their_time_and_each_once(run: Run, delivered: Account) -> None:
    assert records(run) == ["one", "two", "three", "four", "bill"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--function", "bills"), ["bill"]),
        (("--level", "error"), ["two"]),
        (("--grep", "t[wh]"), ["two", "three"]),
        (("--request-id", "8476a536"), ["one", "two", "three", "four", "bill"]),
        (("--request-id", "ffff"), []),
        (("--since", AGO_35_S), ["three", "four", "bill"]),
        (("--since", "1h", "--until", AGO_35_S), ["one", "two"]),
        (("--type", "platform"), []),
    ],
)
def test_lines_are_chosen_by_what_their_envelope_says(
    run: Run, delivered: Account, args: Sequence[str], expected: list[str]
) -> None:
    assert records(run, *args) == expected


def test_follow_shows_each_new_object_once(account: Account, run: Run) -> None:
    account.stream()
    put(account, envelope("one", 0))
    waits: list[float] = []

    def deliver(seconds: float) -> None:
        waits.append(seconds)
        put(account, envelope(f"after wait {len(waits)}", len(waits)))

    cloud = Cloud(REGION, sleep=deliver, session=boto_session())
    result = run(tail, "app-logs", "--json", "--follow", "--polls", "3", cloud=cloud)
    shown = [json.loads(line)["record"] for line in result.stdout.splitlines()]
    assert shown == ["one", "after wait 1", "after wait 2"]


def test_a_person_sees_time_function_request_level_and_text(run: Run, delivered: Account) -> None:
    line = run(tail, "app-logs", "--level", "ERROR").stdout.strip()
    assert line.endswith("orders  8476a536  ERROR   two")


def test_text_lines_are_shown_unless_a_field_is_asked_for(run: Run, account: Account) -> None:
    account.stream()
    put(account, b"plain words\n")
    assert run(tail, "app-logs").stdout == "plain words\n"
    assert run(tail, "app-logs", "--level", "INFO").stdout == ""


def test_a_missing_stream_is_named(run: Run, account: Account) -> None:
    result = run(tail, "nowhere")
    assert result.exit_code == 1
    assert "There is no delivery stream 'nowhere'" in result.output


@pytest.mark.parametrize("text", ["yesterday", "5 minutes", ""])
def test_a_time_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(CloudError, match="is not a time"):
        lines.parse_time(text, NOW)


# Where to begin listing

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2039, 1, 1))
LAYOUTS = {
    "": lambda at: at.strftime("%Y/%m/%d/%H/x"),
    "logs/": lambda at: at.strftime("logs/%Y/%m/%d/%H/x"),
    "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/": lambda at: at.strftime("lines/day=%Y-%m-%d/hour=%H/x"),
    "a/!{timestamp:yyyy/MM/}f=!{partitionKeyFromQuery:f}/": lambda at: at.strftime("a/%Y/%m/f=orders/x"),
    "b/!{partitionKeyFromQuery:f}/!{timestamp:yyyy}/": lambda at: at.strftime("b/orders/%Y/x"),
    "c/!{timestamp:dd/MM/yyyy}/": lambda at: at.strftime("c/%d/%m/%Y/x"),
}


@given(st.sampled_from(sorted(LAYOUTS)), TIMES, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_no_object_delivered_since_is_left_out_of_the_listing(prefix: str, since: datetime, later: timedelta) -> None:
    key = LAYOUTS[prefix](since + later)
    assert key > objects.start_after(prefix, since)
    assert key.startswith(objects.static_prefix(prefix))


def test_old_objects_are_left_out_where_the_prefix_begins_with_time() -> None:
    since = datetime(2026, 11, 23, 13, 50)
    assert (
        objects.start_after("lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/", since)
        == "lines/day=2026-11-23/hour=13"
    )
    assert objects.start_after("", since) == "2026/11/23/13"


def test_levels_rank_as_they_do_in_the_layer() -> None:
    """The command line, which is installed without the layer's modules beside it, has a table of its own."""
    assert lines._LEVELS == RANKS
    assert lines.levels() == list(RANKS)
