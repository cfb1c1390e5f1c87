"""What PutRecordBatch takes and answers, and everything that can go wrong with it. Pure but for `Client`, the seam.

Wire format ("the API reference" below):
https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from io import BytesIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: "Each PutRecordBatch request supports up to 500 records" (API reference).
MAX_BATCH_RECORDS = 500

#: "up to a limit of 4 MB for the entire request" (API reference), 4 MiB in the quotas page, before base64 as far as
#: evidence goes. A choice a little below, so that no reading of the sentence can be violated.
MAX_BATCH_BYTES = 4_000_000

#: "The maximum size of a record sent to Amazon Data Firehose, before base64-encoding, is 1,000 KiB" (quotas page).
MAX_RECORD_BYTES = 1_024_000

#: The operation's name on the wire (the service model's `targetPrefix` and operation).
TARGET = "Firehose_20150804.PutRecordBatch"

# Kinds of failure.
THROTTLED = "throttled"  # asked to slow down: nothing was taken
SERVER = "server"  # 5xx, or an answer that is no answer
TIMEOUT = "timeout"  # no answer by the deadline
RESET = "reset"  # the connection broke on the way
STALE = "stale"  # a kept connection was found dead; worth one more try on a fresh one, at once
CONNECT = "connect"  # no connection could be made (name, network, TLS): nothing was sent
REFUSED = "refused"  # for good, until someone grants, creates or changes something
INVALID = "invalid"  # this batch can never be taken; another one can

#: What AWS says -> the kind. From the API reference ("Errors"), "Common Errors" of the same, and the codes that AWS
#: SDKs treat as throttling (botocore/retries/standard.py). Firehose's 503 "ServiceUnavailableException" is throttling:
#: "If you continue to see the exception, throughput limits for the Firehose stream may have been exceeded".
_KINDS = {
    **dict.fromkeys(
        (
            "ServiceUnavailableException",
            "ServiceUnavailable",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "LimitExceededException",
            "ProvisionedThroughputExceededException",
            "BandwidthLimitExceeded",
            "SlowDown",
        ),
        THROTTLED,
    ),
    **dict.fromkeys(
        ("InternalFailure", "InternalServerError", "InternalServiceError", "InternalServiceException"), SERVER
    ),
    **dict.fromkeys(
        (
            "InvalidArgumentException",
            "ValidationException",
            "ValidationError",
            "SerializationException",
            "RequestEntityTooLargeException",
            "RequestTooLargeException",
        ),
        INVALID,
    ),
}

_GRANT = "grant the function's role firehose:PutRecordBatch on the stream {stream}{place}"
_CREATE = "create the delivery stream {stream}{place}, or name one that exists in FIRETEE_STREAM"
_RENEW = "renew the function's credentials (AWS_SESSION_TOKEN and its two companions)"
_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, the clock, and that the region is right"
_SOURCE = "check where AWS's settings say that credentials come from (AWS_PROFILE, AWS_CONFIG_FILE, AWS_ROLE_ARN)"
_CONFIG = "correct this setting in AWS's variables or config file, or take it away"
_KMS = "make the KMS key of the stream {stream}{place} usable, or choose another key for it"

_REMEDIES = {
    "AccessDeniedException": _GRANT,
    "AccessDenied": _GRANT,
    "NotAuthorized": _GRANT,
    "UnauthorizedOperation": _GRANT,
    "ResourceNotFoundException": _CREATE,
    "ExpiredTokenException": _RENEW,
    "ExpiredToken": _RENEW,
    "RequestExpired": "set the clock: the request's time is too far from Firehose's",
    "UnrecognizedClientException": _KEYS,
    "InvalidClientTokenId": _KEYS,
    "InvalidSignatureException": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "IncompleteSignature": _KEYS,
    "IncompleteSignatureException": _KEYS,
    "MissingAuthenticationToken": _KEYS,
    "MissingAuthenticationTokenException": _KEYS,
    "NoCredentials": "give the function a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "InvalidKMSResourceException": _KMS,
    "InvalidSourceException": "name a stream whose source is Direct PUT: {stream}{place} has another one",
    "OptInRequired": "subscribe the account to Amazon Data Firehose{place}",
    "NoRegion": "set AWS_REGION, or give the stream as an ARN",
    "ProfileNotFound": "put the profile into AWS's config file, or take AWS_PROFILE away: a function has a role",
    "ConfigNotFound": "put the file there, or take AWS_CONFIG_FILE away",
    "ConfigParseError": "mend the file that AWS_CONFIG_FILE names, or take the variable away",
    "PartialCredentialsError": "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN all together",
    "CredentialRetrievalError": _SOURCE,
    "MetadataRetrievalError": _SOURCE,
    "SSOTokenLoadError": _SOURCE,
    "UnauthorizedSSOTokenError": _SOURCE,
    "TokenRetrievalError": _SOURCE,
    "InvalidRegionError": "set AWS_REGION to the name of a region, or give the stream as an ARN",
    "InvalidEndpointDiscoveryConfigurationError": _CONFIG,
    "InvalidRetryConfigurationError": _CONFIG,
    "InvalidRetryModeError": _CONFIG,
    "InvalidMaxRetryAttemptsError": _CONFIG,
    "InvalidDefaultsMode": _CONFIG,
    "InvalidProxiesConfigError": _CONFIG,
    "InvalidConfigError": _CONFIG,
    "ValueError": "check AWS_ENDPOINT_URL_FIREHOSE and AWS_ENDPOINT_URL: they must be whole URLs",
    "UnknownServiceError": "bundle a whole botocore, or none: the function's own has no data about Firehose",
    "UnknownEndpointError": "bundle a whole botocore, or none: the function's own does not know the region",
    "DataNotFoundError": "bundle a whole botocore, or none: the function's own lacks its data",
    "NoBoto3": "add boto3 to the function's package, or use the settings that FIRETEE_CLIENT=direct serves",
}

_BY_KIND = {
    THROTTLED: "raise the quota of the stream {stream}{place}, or name several streams in FIRETEE_STREAM",
    SERVER: "nothing to change here: it passes when Firehose recovers",
    INVALID: "check what the stream {stream}{place} accepts",
    REFUSED: "check the stream {stream}{place}, its policies and the function's role",
}

_ROUTE = (
    "give the function a route to {host} (in a VPC: a NAT gateway, or an interface endpoint for kinesis-firehose whose "
    "security group lets it in)"
)
_TRUST = "check the certificate of {host}, and AWS_CA_BUNDLE if it is set"
_NAME = (
    "check that {host} is the name of an endpoint (AWS_ENDPOINT_URL_FIREHOSE, the region), and that the function can "
    "resolve names (in a VPC: its DNS settings)"
)
_FILES = "have the function close files and connections that it does not use any more: it has too many open"
_MEMORY = "give the function more memory"
_PORTS = "have the function keep connections instead of opening new ones: it has no local port left"
#: What an errno means for the user, where it is not about the way to Firehose.
_BY_ERRNO = {
    **dict.fromkeys(("EMFILE", "ENFILE"), _FILES),
    **dict.fromkeys(("ENOMEM", "ENOBUFS"), _MEMORY),
    "EADDRNOTAVAIL": _PORTS,
    "DNS": _NAME,
    "TLS": _TRUST,
}

#: Longest text of somebody else's in a message: one line of a log stays one line.
_MAX_DETAIL = 300


class PutError(Exception):
    """A whole PutRecordBatch failed.

    `kind` is one of the constants above, `code` AWS's code or the name of the `errno`. `message` says in a clause what
    happened, `remedy` in another what to grant, create or change; both without a full stop. `ambiguous`: Firehose may
    have taken the records all the same, so sending them again may repeat them.
    """

    def __init__(self, kind: str, code: str, message: str, remedy: str, *, ambiguous: bool = False) -> None:
        super().__init__(kind, code, message, remedy)
        self.kind = kind
        self.code = code
        self.message = message
        self.remedy = remedy
        self.ambiguous = ambiguous

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"

    @classmethod
    def of_code(
        cls, code: str, detail: str, stream: str, region: str = "", *, status: int = 400, ambiguous: bool = False
    ) -> PutError:
        """From AWS's code, its own words and the HTTP status; a code unknown here counts by status."""
        kind = _KINDS.get(code)
        if kind is None:
            kind = THROTTLED if status == 429 else INVALID if status == 413 else SERVER if status >= 500 else REFUSED
        place = f" in {region}" if region else ""
        remedy = (_REMEDIES.get(code) or _BY_KIND[kind]).format(stream=stream, place=place)
        said = f"{code}: {one_line(detail)}" if detail else code
        return cls(kind, code, f"the stream {stream}{place} failed with {said}", remedy, ambiguous=ambiguous)

    @classmethod
    def of_record(cls, code: str, stream: str, region: str = "") -> PutError:
        """From the `ErrorCode` of a single record: only that record was not taken."""
        return cls.of_code(code, "", stream, region)

    @classmethod
    def of_network(cls, kind: str, code: str, detail: str, host: str, *, ambiguous: bool = False) -> PutError:
        """No usable answer from `host` (CONNECT, TIMEOUT, RESET, STALE, or SERVER for one that is not HTTP)."""
        what = {
            CONNECT: "could not connect to",
            TIMEOUT: "got no answer in time from",
            RESET: "lost the connection to",
            STALE: "found the kept connection dead to",
            SERVER: "got a useless answer from",
        }[kind]
        remedy = (_BY_KIND[SERVER] if kind == SERVER else _BY_ERRNO.get(code, _ROUTE)).format(host=host)
        said = f"{code}: {one_line(detail)}" if detail else code
        return cls(kind, code, f"{what} {host} ({said})", remedy, ambiguous=ambiguous)


class Client:
    """Sends one batch to one stream. One per stream; the sender's thread alone calls it, `abort` excepted.

    `light`: `warm_up` takes a few milliseconds and needs no package beyond Python's own C modules.
    """

    light = True

    def warm_up(self) -> None:
        """Load libraries and certificates, without network and without credentials. Idempotent; never raises.

        What fails here fails again, and is reported, at the first `put`.
        """
        raise NotImplementedError

    def put(self, stream: str, records: Sequence[bytes], deadline: float) -> list[str | None]:
        """Send 1 to 500 records, none empty; per record None if it was taken, else its error code, in the same order.

        `stream` is a name or an ARN. Raises `PutError`. Returns or raises by `deadline` (`time.monotonic()` seconds),
        give or take a few milliseconds, whatever the network does; only resolving a name is up to the C library's own
        time-outs.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Drop the connection. Idempotent; the next `put` makes a new one."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop connection and credentials that another process (fork), or this one before a snapshot, made.

        Says nothing on the connection: the other side may be talking to somebody else by now.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """Any thread: a `put` in flight fails at once, with the kind TIMEOUT, or CONNECT if nothing was sent."""
        raise NotImplementedError


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
            raise PutError.of_code(f"HTTP{status}", _shown(body), stream, region, status=status, ambiguous=unclear)
        raise PutError.of_code(code or f"HTTP{status}", detail, stream, region, status=_status(status))
    codes = codes_of(answer)
    if codes is None or len(codes) != count:
        raise bad_answer(f"an answer that is not about {count} records: {_shown(body)}", stream, region)
    return codes


def bad_answer(what: str, stream: str, region: str) -> PutError:
    """For an answer that leaves unclear what was taken."""
    return PutError.of_code("BadAnswer", what, stream, region, status=502, ambiguous=True)


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
    return body[:_MAX_DETAIL].decode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Somebody else's words, short and without line breaks."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_DETAIL else text[:_MAX_DETAIL] + "..."
