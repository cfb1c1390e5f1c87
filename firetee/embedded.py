"""Firehose with S3 behind it, in this process: moto's server with one delivery stream and one bucket.

    with EmbeddedFirehose() as firehose:
        ... AWS_ENDPOINT_URL_FIREHOSE=firehose.url, FIRETEE_STREAM=firehose.stream ...
        firehose.objects()

It accepts everything: Firehose's limits and failures are for the strict fake of the tests.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "us-east-1"
_CREDENTIALS = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
_ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Stored:
    """One `PutRecordBatch`: its records, when they were in the bucket (seconds since the epoch), how long it took."""

    records: tuple[bytes, ...]
    time_s: float
    took_s: float


class EmbeddedFirehose:
    """moto's server on a free port of this machine, ready when the `with` block begins, gone when it ends.

    `on_stored` is called on a thread of the server, after the objects of a call are in the bucket and before the
    caller gets its answer.
    """

    def __init__(
        self, stream: str = "firetee-local", on_stored: Callable[[Stored], None] = lambda stored: None
    ) -> None:
        self.stream = stream
        self.bucket = f"{stream}-bucket"
        self._on_stored = on_stored
        self._calls: list[Stored] = []
        self._server = make_server("127.0.0.1", 0, self._application(), threaded=True, request_handler=_KeepAlive)
        self._thread = threading.Thread(target=self._server.serve_forever, name="embedded-firehose", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> EmbeddedFirehose:
        self._thread.start()
        try:
            self._create()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def calls(self) -> list[Stored]:
        """The `PutRecordBatch` calls so far, in the order in which they ended."""
        return list(self._calls)

    def client(self, service: str) -> Any:
        """A boto3 client of this server; typed as Any because botocore makes its methods at run time."""
        config = Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"})
        make: Any = boto3.client
        return make(service, region_name=REGION, endpoint_url=self.url, config=config, **_CREDENTIALS)

    def objects(self) -> list[bytes]:
        """What lies in the bucket, object by object, oldest first."""
        s3 = self.client("s3")
        try:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            found = [entry for page in pages for entry in page.get("Contents", [])]
            found.sort(key=lambda entry: (entry["LastModified"], entry["Key"]))
            return [s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read() for entry in found]
        finally:
            s3.close()

    def _create(self) -> None:
        """The bucket, the role and the delivery stream, and nothing that an earlier server of this process had."""
        reset = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset).close()
        s3, iam, firehose = self.client("s3"), self.client("iam"), self.client("firehose")
        try:
            s3.create_bucket(Bucket=self.bucket)
            role = iam.create_role(RoleName=self.stream, AssumeRolePolicyDocument=json.dumps(_ROLE))["Role"]["Arn"]
            destination = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{self.bucket}", "Prefix": "logs/"}
            firehose.create_delivery_stream(
                DeliveryStreamName=self.stream,
                DeliveryStreamType="DirectPut",
                ExtendedS3DestinationConfiguration=destination,
            )
        finally:
            for client in (s3, iam, firehose):
                client.close()

    def _application(self) -> Callable[..., Iterable[bytes]]:
        """moto's application, with a note of when each `PutRecordBatch` was done."""
        moto: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if not environ.get("HTTP_X_AMZ_TARGET", "").endswith(".PutRecordBatch"):
                return moto(environ, start_response)
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            begun = time.perf_counter()
            answer = moto(environ, start_response)
            took_s = time.perf_counter() - begun
            records = tuple(base64.b64decode(record["Data"]) for record in json.loads(body)["Records"])
            stored = Stored(records, time.time(), took_s)
            self._calls.append(stored)
            self._on_stored(stored)
            return answer

        return application

    def _stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def envelopes(content: bytes) -> list[dict[str, Any]]:
    """The envelopes in an object of the bucket, gzip or not. Raises `ValueError` if it is not JSON lines."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return [json.loads(line) for line in content.splitlines()]


class _KeepAlive(WSGIRequestHandler):
    """Keeps connections open, as AWS does, and says nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait 40 ms for the ACK

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        pass
