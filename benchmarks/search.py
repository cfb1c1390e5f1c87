"""`python -m benchmarks.search`: how long `firetee search` takes over a gigabyte of lines in S3.

The objects lie in moto's server, in a process of its own on this machine: its time is part of the result, the network
to S3 and TLS are not. Writes search.json and the table in docs/search.md.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import click

RESULTS = Path(__file__).with_name("search.json")
PAGE = Path(__file__).parents[1] / "docs" / "search.md"
TABLE = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)", re.DOTALL)
OBJECT_BYTES = 5 << 20
#: What is asked for, and how the page calls it.
QUERIES: dict[str, list[str]] = {
    "a request": ["--request-id", "00000000-0000-4000-8000-000000054321"],
    "a text": ["--grep", "item 777777"],
    "errors": ["--level", "ERROR"],
    "a pattern": ["--grep", "refused.*item 77777[0-9]"],
    "everything of one function": ["--function", "orders"],
}
_WORDS = (
    "order",
    "customer",
    "payment",
    "retry",
    "queue",
    "price",
    "timeout",
    "refused",
    "session",
    "cache",
    "database",
)


def lines(begin: datetime, count: int, seed: int = 1) -> Iterator[bytes]:
    """Lines as firetee sends them, of two functions, 20 to a request, one in fifty an error."""
    chance = random.Random(seed)
    for number in range(count):
        fields = {
            "time": (begin + timedelta(milliseconds=number)).isoformat(timespec="microseconds")[:26] + "Z",
            "type": "function",
            "record": " ".join(chance.choices(_WORDS, k=chance.randint(6, 30))) + f" item {number}",
            "stream": "stdout",
            "level": "ERROR" if number % 50 == 0 else "INFO",
            "requestId": f"00000000-0000-4000-8000-{number // 20:012}",
            "function": "orders" if number % 3 else "bills",
            "version": "$LATEST",
            "environment": "9f86d081884c",
            "seq": number,
        }
        yield json.dumps(fields, separators=(",", ":")).encode() + b"\n"


@contextmanager
def served() -> Iterator[dict[str, str]]:
    """The variables by which a program reaches a fresh moto server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/").close()
                break
            except OSError:
                time.sleep(0.1)
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        yield {**os.environ, **keys, "AWS_ENDPOINT_URL": url}
    finally:
        server.terminate()
        server.wait()


def store(env: dict[str, str], begin: datetime, total: int, zipped: bool) -> dict[str, int]:
    """A stream with so many bytes of lines in its bucket; says how many lines, objects and stored bytes they are."""
    make: Any = boto3.client
    where = {
        "endpoint_url": env["AWS_ENDPOINT_URL"],
        "region_name": "us-east-1",
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
    }
    s3, firehose = make("s3", **where), make("firehose", **where)
    s3.create_bucket(Bucket="logs-bucket")
    destination = {"RoleARN": "arn:aws:iam::123456789012:role/x", "BucketARN": "arn:aws:s3:::logs-bucket"}
    firehose.create_delivery_stream(DeliveryStreamName="logs", ExtendedS3DestinationConfiguration=destination)
    found = {"lines": 0, "objects": 0, "bytes": 0, "stored": 0}
    batch: list[bytes] = []

    def put() -> None:
        content = b"".join(batch)
        stored = gzip.compress(content) if zipped else content
        key = f"{begin:%Y/%m/%d/%H}/logs-1-{begin:%Y-%m-%d-%H-%M-%S}-{found['objects']:06}"
        s3.put_object(Bucket="logs-bucket", Key=key, Body=stored)
        found["objects"] += 1
        found["lines"] += len(batch)
        found["stored"] += len(stored)
        batch.clear()

    size = 0
    for line in lines(begin, total):
        batch.append(line)
        found["bytes"] += len(line)
        size += len(line)
        if size >= OBJECT_BYTES:
            put()
            size = 0
            if found["bytes"] >= total:
                return found
    put()
    return found


def measure(env: dict[str, str], begin: datetime, query: list[str]) -> dict[str, float]:
    """One search as a program of its own: seconds, seconds of processor time, MB resident at most, lines shown."""
    command = [sys.executable, "-m", "firetee", "search", "logs", "--json", "--since", begin.isoformat(), *query]
    begun = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    shown = sum(1 for _ in process.stdout)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "mb": usage.ru_maxrss // 1024,
        "lines": shown,
    }


def table(found: dict[str, Any]) -> str:
    """The page's table."""
    rows = [
        "| asked for | stored | seconds | processor, s | memory, MB | lines shown |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, run in found["runs"].items():
        for query, each in run["queries"].items():
            stored = f"{name}, {run['stored'] / 1e6:,.0f} MB"
            cells = (query, stored, each["seconds"], each["cpu_s"], each["mb"], f"{each['lines']:,}")
            rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows) + "\n"


@click.command(help=__doc__)
@click.option("--megabytes", type=int, default=1000, help="Lines to search, before compression.")
def main(megabytes: int) -> None:
    begin = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=50)
    found: dict[str, Any] = {"cores": os.cpu_count(), "python": sys.version.split()[0], "runs": {}}
    for name in ("plain", "gzip"):
        with served() as env:
            run: dict[str, Any] = store(env, begin, megabytes * 1_000_000, name == "gzip")
            run["queries"] = {query: measure(env, begin, options) for query, options in QUERIES.items()}
        found["runs"][name] = run
        click.echo(json.dumps(run))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(TABLE.sub(lambda match: table(found), PAGE.read_text()))


if __name__ == "__main__":
    main()
