"""`search` finds in the bucket what was delivered of a time: the same lines as `tail`, however they are stored."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError
from firetee.cloud.objects import objects_between
from firetee.cloud.streams import StreamFacts
from firetee.commands.search import search
from firetee.commands.tail import tail
from tests.firetee.cloud.fixtures import Account
from tests.firetee.commands.conftest import Run
from tests.firetee.commands.test_tail import AGO_35_S, NOW, delivered, envelope, put

__all__ = ["delivered"]


def records(run: Run, *args: str) -> list[Any]:
    """The `record` of each line that the command shows."""
    result = run(search, "app-logs", "--json", *args)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["record"] for line in result.stdout.splitlines()]


def key_at(time: datetime, name: str = "") -> str:
    """A key as Firehose names an object."""
    return f"{time:%Y/%m/%d/%H}/app-logs-1-{time:%Y-%m-%d-%H-%M-%S}-{name or 'f0e1'}"


def store(account: Account, key: str, content: bytes, **more: Any) -> None:
    account.s3.put_object(Bucket="app-logs-bucket", Key=key, Body=content, **more)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), ["one", "two", "three", "four", "bill"]),
        (("--function", "bills"), ["bill"]),
        (("--level", "error"), ["two"]),
        (("--grep", "t[wh]"), ["two", "three"]),
        (("--grep", "^two$"), ["two"]),
        (("--grep", "thr"), ["three"]),
        (("--request-id", "8476a536"), ["one", "two", "three", "four", "bill"]),
        (("--request-id", "ffff"), []),
        (("--since", AGO_35_S), ["three", "four", "bill"]),
        (("--since", "1h", "--until", AGO_35_S), ["one", "two"]),
        (("--type", "platform"), []),
    ],
)
def test_lines_are_chosen_by_what_their_envelope_says_and_shown_once_in_the_order_of_time(
    run: Run, delivered: Account, args: Sequence[str], expected: list[str]
) -> None:
    assert records(run, *args) == expected


def test_a_person_sees_a_table_and_on_stderr_how_much_was_read(run: Run, delivered: Account) -> None:
    result = run(search, "app-logs", "--level", "ERROR")
    header, line = result.stdout.splitlines()
    assert header.split() == ["TIME", "FUNCTION", "REQUEST", "LEVEL", "RECORD"]
    assert line.index("orders") == header.index("FUNCTION")
    assert line.index("8476a536") == header.index("REQUEST")
    assert line.index("two") == header.index("RECORD")
    assert result.stderr.startswith("1 lines found in 3 objects, 0.0 MB, in ")


def test_the_newest_lines_are_shown_and_that_there_are_more(run: Run, delivered: Account) -> None:
    result = run(search, "app-logs", "--json", "--limit", "2")
    assert [json.loads(line)["record"] for line in result.stdout.splitlines()] == ["four", "bill"]
    assert result.stderr == "These are the newest 2, there are more: --limit 0 shows all.\n"
    assert records(run, "--limit", "0") == ["one", "two", "three", "four", "bill"]
    assert run(search, "app-logs", "--json", "--limit", "5").stderr == ""


LINES = (
    envelope("naïve", 0)
    + envelope('with "quotes" and\nlines', 1)
    + envelope({"message": "an object", "n": 1}, 2)  # type: ignore[arg-type]
    + envelope("carriage\rreturn", 3)
    + envelope("x" * 1_000_000, 4)
)
RECORDS = [json.loads(line)["record"] for line in LINES.splitlines()]


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(LINES, id="plain"),
        pytest.param(gzip.compress(LINES), id="gzip"),
        pytest.param(b"".join(gzip.compress(line + b"\n") for line in LINES.splitlines()), id="a member a line"),
        pytest.param(gzip.compress(gzip.compress(LINES)), id="gzip in gzip"),
        pytest.param(
            b"".join(
                gzip.compress(line + b"\n") if n % 2 else line + b"\n" for n, line in enumerate(LINES.splitlines())
            ),
            id="functions that compress and functions that do not",
        ),
    ],
)
def test_the_lines_are_the_same_however_they_are_compressed(run: Run, account: Account, stored: bytes) -> None:
    account.stream()
    store(account, key_at(NOW), stored)
    assert records(run) == RECORDS


def test_text_that_no_table_could_hold_is_found_as_it_was_written(run: Run, account: Account) -> None:
    account.stream()
    text = b'10 %\r100 % "done", \x01\n{broken\n\n  indented \xff\n{"a": 1}\n'
    store(account, key_at(NOW), text)
    store(account, key_at(NOW, "2"), envelope("one"))
    shown = run(search, "app-logs", "--json", "--grep", "%|n|done").stdout_bytes
    assert shown == envelope("one") + '10 %\r100 % "done", \x01\n{broken\n  indented \ufffd\n'.encode()
    assert run(search, "app-logs", "--level", "INFO", "--json").stdout.encode() == envelope("one")


def test_an_umlaut_is_found_as_it_was_written(run: Run, account: Account) -> None:
    account.stream()
    put(account, envelope("Grüße") + envelope("Gruss", 1))
    assert records(run, "--grep", "Grü") == ["Grüße"]


def test_parquet_that_the_stream_has_made_of_lines_is_searched_as_well(
    run: Run, account: Account, tmp_path: Path
) -> None:
    account.stream()
    time = (NOW - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    duckdb.execute(
        "COPY (SELECT * FROM (VALUES (?, 'function', 'one', 'INFO', '8476', 'orders', 'e', 0), "
        "(?, 'function', 'two', NULL, '8476', 'bills', 'e', 1)) "
        f"t(time, type, record, level, requestid, function, environment, seq)) TO '{tmp_path / 'x.parquet'}'",
        [time, time],
    )
    store(account, key_at(NOW), (tmp_path / "x.parquet").read_bytes())
    assert records(run, "--request-id", "8476") == ["one", "two"]
    result = run(search, "app-logs", "--json", "--function", "bills")
    assert json.loads(result.stdout) == {
        "time": time, "type": "function", "record": "two", "requestId": "8476", "function": "bills",
        "environment": "e", "seq": 1,
    }  # fmt: skip


def test_only_objects_that_may_hold_the_time_are_read(run: Run, account: Account, aws: Any) -> None:
    """A day of objects, one an hour; asked for are two hours, and what may have come an hour late."""
    account.stream()
    begin = (NOW - timedelta(hours=26)).replace(minute=30, second=0, microsecond=0)
    for hour in range(24):
        time = begin + timedelta(hours=hour)
        store(account, key_at(time), envelope(str(hour), hour, ago_s=(NOW - time).total_seconds()))
    aws.calls.clear()
    until = (begin + timedelta(hours=5)).isoformat()
    assert records(run, "--since", begin.isoformat(), "--until", until) == ["0", "1", "2", "3", "4", "5"]
    assert aws.calls.count("GetObject") == 7
    aws.calls.clear()
    assert records(run, "--since", begin.isoformat(), "--until", until, "--late", "3h") == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
    ]
    assert aws.calls.count("GetObject") == 9


def test_where_each_function_has_its_folder_only_that_one_is_read(run: Run, account: Account, aws: Any) -> None:
    prefix = "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/function=!{partitionKeyFromQuery:function}/"
    account.stream(Prefix=prefix)
    for function in ("orders", "orders-eu", "bills"):
        key = f"lines/day={NOW:%Y-%m-%d}/hour={NOW:%H}/function={function}/x"
        store(account, key, envelope(function, function=function, environment=function))
    aws.calls.clear()
    assert records(run, "--function", "orders") == ["orders"]
    assert aws.calls.count("GetObject") == 1
    assert sorted(records(run)) == ["bills", "orders", "orders-eu"]


def test_names_by_another_time_zone_are_understood(account: Account, cloud: Cloud) -> None:
    """moto forgets the zone of a stream, so this looks at the objects alone."""
    account.stream()
    zone, prefix = "America/Los_Angeles", "a/!{timestamp:yyyy/MM/dd/HH}/"
    stream = StreamFacts(
        "app-logs", "", "ACTIVE", "DirectPut", "app-logs-bucket", prefix, destination={"CustomTimeZone": zone}
    )
    keys = [f"a/{NOW.astimezone(ZoneInfo(zone)) + timedelta(hours=hours):%Y/%m/%d/%H}/x" for hours in range(-3, 4)]
    for key in keys:
        store(account, key, b"x\n")
    found = objects_between(cloud, stream, NOW - timedelta(minutes=1), NOW)
    hours = {datetime.strptime(each.key, "a/%Y/%m/%d/%H/x") for each in found}
    here = NOW.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert here.replace(minute=0, second=0, microsecond=0) in hours
    assert hours <= {each.replace(minute=0, second=0, microsecond=0) for each in (here - timedelta(hours=1), here)} | {
        (here + timedelta(minutes=1)).replace(minute=0, second=0, microsecond=0)
    }
    with pytest.raises(CloudError, match="not known here"):
        list(objects_between(cloud, replace(stream, destination={"CustomTimeZone": "Mars/Olympus"}), NOW))


ODD = [
    *LINES.splitlines(keepends=True)[:4],
    b"plain text with orders and ERROR in it\n",
    b'{"no": "envelope", "function": "orders", "level": "ERROR", "time": "2020-01-01T00:00:00Z"}\n',
    b'{"type": "function", "record": "without a time", "level": "ERROR"}\n',
    b'{"type": "function", "record": "of a level unheard of", "level": "LOUD", "time": "yesterday"}\n',
    b"{broken ERROR\n",
    envelope("old", 10, ago_s=3 * 3600, level="ERROR"),
    envelope("a critical one", 11, level="CRITICAL", function="bills", requestId="ffff"),
    envelope("a start", 12, type="platform.start", level="DEBUG"),
    envelope("a start", 12, type="platform.start", level="DEBUG"),
]


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--function", "orders"),
        ("--request-id", "f"),
        ("--level", "DEBUG"),
        ("--level", "WARNING"),
        ("--type", "platform"),
        ("--grep", "ERROR"),
        ("--grep", "^a|level"),
        ("--grep", "^$|^[^{]*$"),
        ("--since", "4h", "--until", "30m"),
        ("--since", "4h", "--level", "ERROR", "--grep", "o"),
    ],
)
def test_it_takes_the_very_lines_that_tail_takes(run: Run, account: Account, args: Sequence[str]) -> None:
    account.stream()
    store(account, key_at(NOW, "1"), b"".join(ODD))
    store(account, key_at(NOW, "2"), gzip.compress(ODD[-1] + envelope("last", 13)))
    searched = run(search, "app-logs", "--json", *args).stdout.splitlines()
    assert sorted(searched) == sorted(run(tail, "app-logs", "--json", *args).stdout.splitlines())


def test_objects_that_are_archived_are_counted_and_those_that_vanish_passed_over(
    run: Run, account: Account, aws: Any
) -> None:
    account.stream()
    store(account, key_at(NOW, "a"), envelope("archived"), StorageClass="GLACIER")
    store(account, key_at(NOW, "b"), envelope("gone", 1))
    aws.fail("GetObject", "NoSuchKey", status=404)
    result = run(search, "app-logs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 objects are archived, and were not read" in result.stderr


@pytest.mark.parametrize(
    ("operation", "code", "message", "said"),
    [
        ("DescribeDeliveryStream", "AccessDeniedException", "no", "Ask for permission to call DescribeDeliveryStream"),
        ("GetBucket:list-type", "AccessDenied", "no", "Ask for permission to call ListObjectsV2"),
        ("GetBucket:list-type", "NoSuchBucket", "gone", "delivers to a bucket that is gone"),
        ("GetObject", "AccessDenied", "no", "Ask for permission to call GetObject"),
        ("GetObject", "AccessDenied", "not authorized to perform: kms:Decrypt on resource", "Ask for kms:Decrypt"),
        ("GetObject", "KMS.DisabledException", "disabled", "look at it in KMS"),
    ],
)
def test_what_aws_refuses_is_said_with_what_to_do_and_as_json_too(
    run: Run, delivered: Account, aws: Any, operation: str, code: str, message: str, said: str
) -> None:
    aws.fail(operation, code, status=403, message=message, times=50)
    result = run(search, "app-logs")
    assert result.exit_code == 1
    assert said in result.stderr
    aws.forget_faults()
    aws.fail(operation, code, status=403, message=message, times=50)
    result = run(search, "app-logs", "--json")
    assert result.exit_code == 1
    assert said in json.loads(result.stdout)["remedy"]


def test_a_missing_stream_is_named_and_so_is_one_that_does_not_deliver_to_s3(run: Run, account: Account) -> None:
    result = run(search, "nowhere", "--json")
    assert result.exit_code == 1
    assert "no delivery stream 'nowhere'" in json.loads(result.stdout)["error"]
    account.firehose.create_delivery_stream(
        DeliveryStreamName="elsewhere",
        HttpEndpointDestinationConfiguration={
            "EndpointConfiguration": {"Url": "https://example.com"},
            "S3Configuration": {"RoleARN": "arn:aws:iam::123456789012:role/x", "BucketARN": "arn:aws:s3:::b"},
        },
    )
    result = run(search, "elsewhere")
    assert result.exit_code == 1
    assert "elsewhere does not deliver to S3" in result.stderr


def test_a_stream_whose_compression_cannot_be_read_is_an_error(run: Run, account: Account) -> None:
    account.stream(CompressionFormat="Snappy")
    result = run(search, "app-logs")
    assert result.exit_code == 1
    assert "compresses its objects with Snappy" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is not a time"),
        (("--since", "1h", "--until", "2h"), "--until 2h is before --since 1h"),
        (("--late", "soon"), "'soon' is not a span of time"),
        (("--limit", "-1"), "--limit"),
        (("--level", "loud"), "--level"),
        (("--grep", "("), "--grep ("),
        (("--grep", "(?<=a)b"), "--grep (?<=a)b"),
    ],
)
def test_wrong_usage_exits_with_2_in_words_and_in_json(
    run: Run, account: Account, args: Sequence[str], said: str
) -> None:
    result = run(search, "app-logs", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    result = run(search, "app-logs", "--json", *args)
    assert result.exit_code == 2
    assert said in json.loads(result.stdout)["error"]


def test_without_duckdb_it_says_what_to_install(run: Run, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    result = run(search, "app-logs", "--json")
    assert result.exit_code == 1
    assert "pip install 'firetee[search]'" in json.loads(result.stdout)["remedy"]


def test_times_in_another_zone_than_utc_are_compared_as_times(run: Run, account: Account) -> None:
    account.stream()
    there = NOW.astimezone(timezone(timedelta(hours=2))).isoformat()
    put(account, envelope("one", time=there))
    assert records(run, "--since", "30m") == ["one"]
    assert records(run, "--since", "2h", "--until", "1h") == []
