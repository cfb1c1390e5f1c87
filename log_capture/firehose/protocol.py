"""PutRecordBatch on the wire: what it takes, and what it answers. Pure.

Wire format ("the API reference" below):
https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from io import BytesIO

from .errors import MAX_DETAIL, of_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..sending.failures import PutError

#: The operation's name on the wire (the service model's `targetPrefix` and operation).
TARGET = "Firehose_20150804.PutRecordBatch"


def stream_name(stream: str) -> str:
    """The name in a name or an ARN: what `DeliveryStreamName` takes.

    PutRecordBatch has no other way to address a stream, so an ARN's account cannot be sent: another account's stream
    needs `FIRETEE_ROLE_ARN`.
    """
    return stream.rpartition("/")[2] if stream.startswith("arn:") else stream


def stream_region(stream: str) -> str | None:
    """The region in an ARN (``arn:PARTITION:firehose:REGION:ACCOUNT:deliverystream/NAME``); None for a name."""
    parts = stream.split(":")
    return parts[3] or None if len(parts) > 3 and parts[0] == "arn" else None


def encode_request(stream: str, records: Sequence[bytes]) -> bytes:
    """The body of a PutRecordBatch: ``{"DeliveryStreamName": name, "Records": [{"Data": base64}, ...]}``."""
    lead = b'{"DeliveryStreamName":%b,"Records":[{"Data":"' % json.dumps(stream_name(stream)).encode()
    between, end = b'"},{"Data":"', b'"}]}'
    coded = sum([(len(record) + 2) // 3 * 4 for record in records])
    # The whole of it is allocated first and filled record by record. Joining megabytes that are there already costs as
    # much as base64 itself, most of it in page faults: the allocator gives such blocks back to the system each time.
    body = BytesIO()
    body.seek(len(lead) + coded + (len(records) - 1) * len(between))
    body.write(end)
    body.seek(0)
    for record in records:
        body.write(lead)
        body.write(b2a_base64(record, newline=False))
        lead = between
    return body.getvalue()  # the block itself, no copy


def decode_answer(status: int, body: bytes, count: int, *, stream: str = "", region: str = "") -> list[str | None]:
    """Per record of the `count` sent None if it was taken, else its error code.

    Raises `PutError`: what the error answer says, or SERVER, ambiguous, for an answer that cannot be understood.
    """
    try:
        answer = json.loads(body)
    except ValueError:  # UnicodeDecodeError is one too
        answer = None
    if not 200 <= status < 300:
        code, detail = _error(answer)
        if not code and status not in (413, 429, 503):  # not from Firehose itself: a proxy, a load balancer
            unclear = status >= 500
            raise of_code(f"HTTP{status}", _shown(body), stream, region, status=status, ambiguous=unclear)
        raise of_code(code or f"HTTP{status}", detail, stream, region, status=_status(status))
    codes = codes_of(answer)
    if codes is None or len(codes) != count:
        raise bad_answer(f"an answer that is not about {count} records: {_shown(body)}", stream, region)
    return codes


def bad_answer(what: str, stream: str, region: str) -> PutError:
    """For an answer that leaves unclear what was taken."""
    return of_code("BadAnswer", what, stream, region, status=502, ambiguous=True)


def _status(status: int) -> int:
    """A bare 503 is how Firehose's front door throttles; the code decides wherever there is one."""
    return 429 if status == 503 else status


def _error(answer: object) -> tuple[str, str]:
    """Code and words of an error answer in the AWS JSON 1.1 protocol: ``{"__type": "prefix#Code", "message": ...}``."""
    if not isinstance(answer, dict):
        return "", ""
    code = answer.get("__type") or answer.get("code") or ""
    detail = answer.get("message") or answer.get("Message") or ""
    return str(code).rpartition("#")[2].partition(":")[0], str(detail)


def codes_of(answer: object) -> list[str | None] | None:
    """The error codes in a good answer, parsed; None if it is none."""
    entries = answer.get("RequestResponses") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return None
    codes: list[str | None] = []
    for entry in entries:
        if not isinstance(entry, dict):
            return None
        code = entry.get("ErrorCode")
        if not code and not entry.get("RecordId"):  # neither taken nor refused
            return None
        codes.append(str(code) if code else None)
    return codes


def _shown(body: bytes) -> str:
    return body[:MAX_DETAIL].decode("utf-8", "backslashreplace")
