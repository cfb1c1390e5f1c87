"""The wire format of PutRecordBatch, and what each failure says."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.firehose import errors
from log_capture.firehose.errors import one_line
from log_capture.firehose.protocol import decode_answer, encode_request, stream_name, stream_region
from log_capture.sending import failures
from log_capture.sending.failures import PutError

ARN = "arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/logs"


@given(st.text(), st.lists(st.binary(), min_size=1))
def test_a_request_is_the_json_that_the_api_demands(stream: str, records: list[bytes]) -> None:
    request = {
        "DeliveryStreamName": stream_name(stream),
        "Records": [{"Data": base64.b64encode(record).decode()} for record in records],
    }
    assert encode_request(stream, records) == json.dumps(request, separators=(",", ":")).encode()


def test_an_arn_gives_the_name_and_the_region() -> None:
    assert (stream_name(ARN), stream_region(ARN)) == ("logs", "cn-north-1")
    assert (stream_name("logs"), stream_region("logs")) == ("logs", None)
    assert stream_region("arn:aws:firehose::1:deliverystream/logs") is None


@given(st.lists(st.sampled_from([None, "ServiceUnavailableException", "InternalFailure"]), min_size=1))
def test_an_answer_tells_of_each_record_in_order(codes: list[str | None]) -> None:
    entries = [{"ErrorCode": code, "ErrorMessage": "."} if code else {"RecordId": "1"} for code in codes]
    body = json.dumps({"FailedPutCount": len(codes), "RequestResponses": entries}).encode()
    assert decode_answer(200, body, len(codes)) == codes


@given(st.sampled_from([200, 204, 400, 404, 429, 500, 502, 503]) | st.integers(100, 599), st.binary())
def test_whatever_comes_back_is_an_answer_or_a_failure(status: int, body: bytes) -> None:
    with pytest.raises(PutError):
        decode_answer(status, body, 1)


@given(
    st.sampled_from([200, 400, 503]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["RequestResponses", "__type", "message", "ErrorCode", "RecordId"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ),
)
def test_no_json_surprises_the_parser(status: int, answer: object) -> None:
    try:
        codes = decode_answer(status, json.dumps(answer).encode(), 1)
    except PutError:
        return
    assert len(codes) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, b'{"__type":"com.amazonaws.firehose#ResourceNotFoundException"}', failures.REFUSED, None),
        (400, b'{"__type":"AccessDeniedException:http://internal","Message":"no"}', failures.REFUSED, None),
        (503, b'{"__type":"ServiceUnavailableException"}', failures.THROTTLED, None),
        (503, b"", failures.THROTTLED, "HTTP503"),
        (429, b"", failures.THROTTLED, "HTTP429"),
        (413, b"<html>", failures.INVALID, "HTTP413"),
        (504, b"<html>", failures.SERVER, "HTTP504"),
        (403, b"<html>", failures.REFUSED, "HTTP403"),
        (301, b"", failures.REFUSED, "HTTP301"),
    ],
)
def test_an_error_counts_by_its_code_and_else_by_its_status(
    status: int, body: bytes, kind: str, code: str | None
) -> None:
    with pytest.raises(PutError) as caught:
        decode_answer(status, body, 1)
    assert caught.value.kind == kind
    assert caught.value.code == (code or json.loads(body)["__type"].split("#")[-1].split(":")[0])


def test_a_record_s_own_code_reads_like_the_whole_batch_s() -> None:
    error = errors.of_record("ServiceUnavailableException", "logs", "eu-west-1")
    assert error.kind == failures.THROTTLED
    assert "raise the quota of the stream logs in eu-west-1" in str(error)


@pytest.mark.parametrize("code", sorted(errors._REMEDIES))
def test_every_remedy_is_a_clause_without_holes(code: str) -> None:
    error = errors.of_code(code, "said", "logs", "eu-west-1")
    assert not error.remedy.endswith(".")
    assert not any(sign in str(error) for sign in "{}\n")


def test_somebody_else_s_words_stay_on_one_short_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert len(one_line("word " * 1000)) < 310


#: What each errno of a connection that could not be made is to be mended by: a word of the advice.
ADVICE = {
    "EMFILE": "too many open",
    "ENFILE": "too many open",
    "ENOMEM": "more memory",
    "ENOBUFS": "more memory",
    "EADDRNOTAVAIL": "no local port left",
    "DNS": "resolve names",
    "TLS": "AWS_CA_BUNDLE",
    "ECONNREFUSED": "a route to example.org",
    "EHOSTUNREACH": "a route to example.org",
    "ENETUNREACH": "a route to example.org",
    "ETIMEDOUT": "a route to example.org",
    "ECONNRESET": "a route to example.org",
}


@pytest.mark.parametrize("code", ADVICE)
def test_the_advice_fits_what_kept_a_connection_from_being_made(code: str) -> None:
    error = errors.of_network(failures.CONNECT, code, "", "example.org")
    assert ADVICE[code] in error.remedy
    assert ("NAT gateway" in error.remedy) == (ADVICE[code] == "a route to example.org")


#: What AWS or botocore says, and a word of the advice.
REMEDIES = {
    "AccessDeniedException": "firehose:PutRecordBatch on the stream logs in eu-west-1",
    "AccessDenied": "firehose:PutRecordBatch on the stream logs in eu-west-1",
    "NotAuthorized": "firehose:PutRecordBatch",
    "UnauthorizedOperation": "firehose:PutRecordBatch",
    "ResourceNotFoundException": "create the delivery stream logs in eu-west-1",
    "ExpiredTokenException": "renew the function's credentials",
    "ExpiredToken": "renew the function's credentials",
    "RequestExpired": "set the clock",
    "UnrecognizedClientException": "AWS_ACCESS_KEY_ID",
    "InvalidClientTokenId": "AWS_ACCESS_KEY_ID",
    "InvalidSignatureException": "the clock",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY",
    "IncompleteSignature": "AWS_SECRET_ACCESS_KEY",
    "IncompleteSignatureException": "AWS_SECRET_ACCESS_KEY",
    "MissingAuthenticationToken": "AWS_SESSION_TOKEN",
    "MissingAuthenticationTokenException": "AWS_SESSION_TOKEN",
    "NoCredentials": "give the function a role",
    "InvalidKMSResourceException": "KMS key",
    "InvalidSourceException": "Direct PUT",
    "OptInRequired": "subscribe the account",
    "NoRegion": "set AWS_REGION",
    "NoBoto3": "add boto3",
    "ProfileNotFound": "AWS_PROFILE",
    "ConfigNotFound": "AWS_CONFIG_FILE",
    "ConfigParseError": "AWS_CONFIG_FILE",
    "PartialCredentialsError": "all together",
    "CredentialRetrievalError": "where AWS's settings say that credentials come from",
    "MetadataRetrievalError": "where AWS's settings say that credentials come from",
    "SSOTokenLoadError": "AWS_PROFILE",
    "UnauthorizedSSOTokenError": "AWS_PROFILE",
    "TokenRetrievalError": "AWS_PROFILE",
    "InvalidRegionError": "the name of a region",
    "InvalidEndpointDiscoveryConfigurationError": "correct this setting",
    "InvalidRetryConfigurationError": "correct this setting",
    "InvalidRetryModeError": "correct this setting",
    "InvalidMaxRetryAttemptsError": "correct this setting",
    "InvalidDefaultsMode": "correct this setting",
    "InvalidProxiesConfigError": "correct this setting",
    "InvalidConfigError": "correct this setting",
    "ValueError": "whole URLs",
    "UnknownServiceError": "whole botocore",
    "UnknownEndpointError": "whole botocore",
    "DataNotFoundError": "whole botocore",
    "ThrottlingException": "raise the quota",
    "InternalFailure": "nothing to change here",
    "ValidationException": "what the stream logs in eu-west-1 accepts",
    "SomethingNew": "check the stream logs in eu-west-1",
}


@pytest.mark.parametrize("code", sorted({*REMEDIES, *errors._REMEDIES}))
def test_the_advice_fits_what_was_refused(code: str) -> None:
    assert REMEDIES[code] in errors.of_code(code, "", "logs", "eu-west-1").remedy
