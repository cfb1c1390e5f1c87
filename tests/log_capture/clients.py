"""Makes both clients against a fake Firehose, for the tests of what they have in common and of what they have not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from log_capture.firehose.choose import make_client
from log_capture.sending.client import Client
from log_capture.sending.failures import PutError
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose

#: Far more than any answer of the fake takes; where a test waits for a deadline it sets its own.
PATIENCE_S = 20.0

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": TOKEN}


def environ_for(firehose: Firehose, **more: str) -> dict[str, str]:
    """The variables of a function whose Firehose is the fake."""
    return {**KEYS, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_FIREHOSE": firehose.url, **more}


@contextmanager
def environment_of(environ: Mapping[str, str]) -> Iterator[None]:
    """While it is entered these are the process's only AWS variables, for botocore."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in list(os.environ):
            if variable.startswith("AWS_") or variable.lower().endswith("_proxy"):
                patch.delenv(variable)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for variable, value in environ.items():
            patch.setenv(variable, value)
        yield


@contextmanager
def client_for(
    environ: Mapping[str, str], name: str, stream: str = "logs", role_arn: str | None = None
) -> Iterator[Client]:
    """A client of the kind `name`; while it is open, these are also the process's AWS variables."""
    with environment_of(environ):
        client = make_client(stream, environ=environ, requested=name, role_arn=role_arn)
        try:
            yield client
        finally:
            client.close()


def put(client: Client, *records: bytes, stream: str = "logs", within_s: float = PATIENCE_S) -> list[str | None]:
    return client.put(stream, records, time.monotonic() + within_s)


def failure(client: Client, *records: bytes, stream: str = "logs", within_s: float = PATIENCE_S) -> PutError:
    """The error with which a put fails."""
    with pytest.raises(PutError) as caught:
        put(client, *(records or (b"line\n",)), stream=stream, within_s=within_s)
    return caught.value
