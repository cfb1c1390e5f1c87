"""Firehose's wire protocol, as far as a request can be judged by itself: operations, members, limits. Pure.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from firetee.embedded.http import Request, json_body

MAX_RECORDS = 500
MAX_BYTES = 4 * 1024 * 1024
MAX_RECORD = 1000 * 1024

CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET = "Firehose_20150804."
#: The member that holds the data, of each operation.
_MEMBER = {"PutRecord": "Record", "PutRecordBatch": "Records"}


class Refused(Exception):
    """The request is not good: the error that Firehose answers."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


class Put(NamedTuple):
    """A request that is well formed."""

    operation: str
    stream: str
    records: list[bytes]


def check_headers(request: Request) -> str:
    """The operation that a request is of. Raises `Refused`."""
    operation = request.headers.get("x-amz-target", "").removeprefix(_TARGET)
    if (request.method, request.path) != ("POST", "/"):
        raise Refused(404, "UnknownOperationException", "")
    if operation not in _MEMBER:
        raise Refused(400, "UnknownOperationException", "")
    if request.headers.get("content-type") != CONTENT_TYPE:
        raise Refused(400, "SerializationException", "")
    return operation


def parse(operation: str, body: bytes) -> Put:
    """What a body puts, to which stream. Raises `Refused` where it is not what the operation takes."""
    member = _MEMBER[operation]
    try:
        value = json.loads(body)
        stream, entries = value["DeliveryStreamName"], value[member]
        if operation == "PutRecord":
            entries = [entries]
        if value.keys() != {"DeliveryStreamName", member} or any(entry.keys() != {"Data"} for entry in entries):
            raise Refused(400, "SerializationException", "unknown members")
        return Put(operation, stream, [base64.b64decode(entry["Data"], validate=True) for entry in entries])
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error) as error:
        raise Refused(400, "SerializationException", str(error)) from error


def check_limits(put: Put) -> None:
    """Raise `Refused` unless a request keeps to Firehose's limits."""
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", put.stream):
        raise Refused(400, "ValidationException", "1 validation error detected: deliveryStreamName")
    if not 1 <= len(put.records) <= MAX_RECORDS:
        raise Refused(400, "ValidationException", "1 validation error detected: records: length from 1 to 500")
    if any(len(data) > MAX_RECORD for data in put.records):
        raise Refused(400, "ValidationException", "1 validation error detected: data: at most 1024000")
    if sum(map(len, put.records)) > MAX_BYTES:
        raise Refused(400, "InvalidArgumentException", "Records size exceeds 4 MB limit")


def taken(put: Put, ids: list[str]) -> bytes:
    """The answer to a request whose records were all taken."""
    if put.operation == "PutRecord":
        return json_body({"RecordId": ids[0], "Encrypted": False})
    entries = [{"RecordId": each} for each in ids]
    return json_body({"FailedPutCount": 0, "Encrypted": False, "RequestResponses": entries})


def error_of(refused: Refused) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, body and headers of the answer to a request that is not good."""
    body = json_body({"__type": refused.code, "message": refused.message})
    return refused.status, body, {"x-amzn-ErrorType": refused.code}
