"""A server that takes whatever it is sent, as fast as Python answers: Firehose, Datadog, Sentry and OTLP alike.

Over TLS with a certificate that the client must verify. Other than the tests' strict Firehose it checks nothing, so
that what is measured is the client.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from dataclasses import dataclass

from log_capture.envelope.pack import billed
from tests.fakes.http import Connection, Request, Server
from tests.fakes.tls import Authority

_TARGET = "Firehose_20150804."


@dataclass(frozen=True)
class Received:
    """One request: where it went (the action, for Firehose), and its body as sent."""

    path: str
    encoding: str
    body: bytes

    def payloads(self) -> list[bytes]:
        """What it carried: the records of a Firehose call before base64, else the one body, uncompressed."""
        if self.path == "PutRecordBatch":
            return [base64.b64decode(record["Data"]) for record in json.loads(self.body)["Records"]]
        if self.path == "PutRecord":
            return [base64.b64decode(json.loads(self.body)["Record"]["Data"])]
        if self.encoding == "gzip":
            return [gzip.decompress(self.body)]
        if self.encoding == "deflate":
            return [zlib.decompress(self.body)]
        if self.encoding:
            raise ValueError(f"the sink cannot read {self.encoding!r}")
        return [self.body]


class Sink(Server):
    """Keeps what came in `received` until `clear`."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(tls=authority.server())
        self.received: list[Received] = []

    def handle(self, request: Request, connection: Connection) -> None:
        target = request.headers.get("x-amz-target", "").removeprefix(_TARGET)
        self.received.append(
            Received(target or request.path, request.headers.get("content-encoding", ""), request.body)
        )
        if target == "PutRecordBatch":
            entries = b",".join([b'{"RecordId":"1"}'] * request.body.count(b'"Data"'))
            answer = b'{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[' + entries + b"]}"
            connection.reply(200, answer)
        elif target == "PutRecord":
            connection.reply(200, b'{"RecordId":"1","Encrypted":false}')
        elif "/v1/" in request.path:  # OTLP: an empty message in protobuf
            connection.reply(200, b"", {"Content-Type": "application/x-protobuf"})
        else:
            connection.reply(200, b"{}", {"Content-Type": "application/json"})

    def clear(self) -> None:
        self.received = []

    def lines(self, mark: str) -> set[int]:
        """The numbers of the function's lines with this mark that came (see `text` in function/app.py)."""
        pattern = re.compile(rb"%b-(\d+);" % mark.encode())
        return {int(found) for each in self.received for data in each.payloads() for found in pattern.findall(data)}

    def line_count(self) -> int:
        """How many of the function's lines came, repetitions included."""
        return sum(data.count(b";order ") for each in self.received for data in each.payloads())

    @property
    def requests(self) -> int:
        return len(self.received)

    @property
    def bytes(self) -> int:
        """The bodies of all requests, as sent."""
        return sum(len(each.body) for each in self.received)

    def billed(self) -> int | None:
        """What Firehose would bill, in bytes: each record rounded up. None if this was no Firehose."""
        records = [data for each in self.received if each.path.startswith("PutRecord") for data in each.payloads()]
        return sum(billed(len(data)) for data in records) if records else None
