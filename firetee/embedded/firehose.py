"""Firehose with a folder in the place of a bucket, in this process.

    with EmbeddedFirehose(folder) as firehose:
        ... AWS_ENDPOINT_URL_FIREHOSE=firehose.url, FIRETEE_STREAM=firehose.stream ...
        firehose.objects()

It keeps to Firehose's wire protocol and limits. It does not look at who signs, and has every stream that is named: the
strict one, which fails on demand too, is for the tests.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firetee.embedded import protocol
from firetee.embedded.http import Connection, Request, Server


@dataclass(frozen=True)
class Stored:
    """One call: its records, when they were in the bucket (seconds since the epoch), how long it took."""

    records: tuple[bytes, ...]
    time_s: float
    took_s: float


class EmbeddedFirehose(Server):
    """A Firehose on a free port of this machine, ready when the `with` block begins, gone when it ends.

    Each call becomes an object below `folder`, named as Firehose names what it delivers with the file extension
    `.jsonl`: `2026/11/23/13/firetee-local-1-2026-11-23-13-50-32-<uuid>.jsonl`, in UTC; `.jsonl.gz` for gzip.
    `on_stored` is called on a thread of the server, after the object is there and before the caller gets its answer.
    """

    def __init__(
        self,
        folder: Path,
        stream: str = "firetee-local",
        on_stored: Callable[[Stored], None] = lambda stored: None,
    ) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.stream = stream
        self._on_stored = on_stored
        self._calls: list[Stored] = []
        self._paths: list[Path] = []
        self._storing = threading.Lock()

    @property
    def calls(self) -> list[Stored]:
        """The calls that were taken so far, in order."""
        with self._storing:
            return list(self._calls)

    @property
    def paths(self) -> list[Path]:
        """The objects of this server so far, oldest first."""
        with self._storing:
            return list(self._paths)

    def objects(self) -> list[bytes]:
        """What is in these objects, oldest first."""
        return [path.read_bytes() for path in self.paths]

    def handle(self, request: Request, connection: Connection) -> None:
        begun = time.perf_counter()
        try:
            operation = protocol.check_headers(request)
            if "authorization" not in request.headers:
                raise protocol.Refused(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
            put = protocol.parse(operation, request.body)
            protocol.check_limits(put)
        except protocol.Refused as refused:
            connection.reply(*protocol.error_of(refused))
            return
        with self._storing:
            self._paths.append(self._store(put.stream, put.records))
            stored = Stored(tuple(put.records), time.time(), time.perf_counter() - begun)
            self._calls.append(stored)
        self._on_stored(stored)
        connection.reply(200, protocol.taken(put, [uuid.uuid4().hex for _ in put.records]))

    def _store(self, stream: str, records: Sequence[bytes]) -> Path:
        at = time.gmtime()
        suffix = ".jsonl.gz" if records[0].startswith(b"\x1f\x8b") else ".jsonl"
        path = self.folder / time.strftime("%Y/%m/%d/%H", at)
        path /= f"{stream}-1-{time.strftime('%Y-%m-%d-%H-%M-%S', at)}-{uuid.uuid4()}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(records))
        return path


def envelopes(content: bytes) -> list[dict[str, Any]]:
    """The envelopes in an object of the bucket, gzip or not. Raises `ValueError` if it is not JSON lines."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return [json.loads(line) for line in content.split(b"\n") if line]
