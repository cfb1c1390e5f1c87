"""What Firehose, AWS and the network say, as a `PutError` with a remedy. Pure.

"The API reference" is https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

from ..sending.failures import CONNECT, INVALID, REFUSED, RESET, SERVER, STALE, THROTTLED, TIMEOUT, PutError

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
MAX_DETAIL = 300


def of_code(
    code: str, detail: str, stream: str, region: str = "", *, status: int = 400, ambiguous: bool = False
) -> PutError:
    """From AWS's code, its own words and the HTTP status; a code unknown here counts by status."""
    kind = _KINDS.get(code)
    if kind is None:
        kind = THROTTLED if status == 429 else INVALID if status == 413 else SERVER if status >= 500 else REFUSED
    place = f" in {region}" if region else ""
    remedy = (_REMEDIES.get(code) or _BY_KIND[kind]).format(stream=stream, place=place)
    said = f"{code}: {one_line(detail)}" if detail else code
    return PutError(kind, code, f"the stream {stream}{place} failed with {said}", remedy, ambiguous=ambiguous)


def of_record(code: str, stream: str, region: str = "") -> PutError:
    """From the `ErrorCode` of a single record: only that record was not taken."""
    return of_code(code, "", stream, region)


def of_network(kind: str, code: str, detail: str, host: str, *, ambiguous: bool = False) -> PutError:
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
    return PutError(kind, code, f"{what} {host} ({said})", remedy, ambiguous=ambiguous)


def one_line(text: str) -> str:
    """Somebody else's words, short and without line breaks."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_DETAIL else text[:MAX_DETAIL] + "..."
