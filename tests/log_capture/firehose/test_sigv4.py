"""The signer against botocore's, over random requests."""

from __future__ import annotations

import datetime
import string
import sys
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from log_capture.firehose.credentials import Credentials
from log_capture.firehose.sigv4 import Signer, load_digest

if TYPE_CHECKING:
    from log_capture.firehose.sigv4 import Digest

VISIBLE = string.ascii_letters + string.digits + string.punctuation
words = st.text(VISIBLE, min_size=1, max_size=40)
names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=20)
#: Not signed by botocore, or added by the signer itself.
RESERVED = ("authorization", "date", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "connection")


class Botocore(SigV4Auth):
    """botocore's signer at a time of the test's choice."""

    def signature_at(self, request: AWSRequest, at: int) -> str:
        moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)  # type: ignore[attr-defined]
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)  # type: ignore[attr-defined]
        return str(request.headers["Authorization"])


@given(
    headers=st.dictionaries(names, words, max_size=5),
    body=st.binary(),
    region=names,
    service=st.sampled_from(["firehose", "sts"]),
    access_key=st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=20),
    secret_key=words,
    token=st.none() | words,
    at=st.integers(0, 4_000_000_000),
)
def test_every_signature_is_botocore_s(
    headers: dict[str, str],
    body: bytes,
    region: str,
    service: str,
    access_key: str,
    secret_key: str,
    token: str | None,
    at: int,
) -> None:
    kept = {name: value for name, value in headers.items() if name not in RESERVED and not name.startswith("x-amz-")}
    kept |= {"host": "firehose.eu-west-1.amazonaws.com", "x-amz-target": "Firehose_20150804.PutRecordBatch"}
    request = AWSRequest("POST", "https://firehose.eu-west-1.amazonaws.com/", dict(kept), body)
    theirs = Botocore(ReadOnlyCredentials(access_key, secret_key, token), service, region).signature_at(request, at)
    ours = Signer(region, service).sign(kept, body, Credentials(access_key, secret_key, token, None), float(at))
    assert ours["authorization"] == theirs
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


def test_the_signing_key_changes_with_the_day_and_with_the_secret() -> None:
    known = Signer("eu-west-1", "firehose")
    for at, secret in ((0.0, "a"), (1.0, "a"), (86_400.0, "a"), (86_400.0, "b"), (0.0, "a")):
        credentials = Credentials("AKID", secret, None, None)
        fresh = Signer("eu-west-1", "firehose")
        assert known.sign({"host": "h"}, b"", credentials, at) == fresh.sign({"host": "h"}, b"", credentials, at)


@given(key=st.binary(min_size=1), data=st.binary())
def test_without_openssl_s_module_the_public_ones_give_the_same(key: bytes, data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        ours = load_digest()
        public: Digest = _without_hashlib_s_c_module(patch)
    assert ours[0](data) == public[0](data)
    assert ours[1](key, data) == public[1](key, data)


def _without_hashlib_s_c_module(patch: pytest.MonkeyPatch) -> Digest:
    patch.setitem(sys.modules, "_hashlib", None)
    return load_digest()
