"""Which client is chosen, and where it sends to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import botocore.session
import pytest

from log_capture.firehose.boto import Boto3Client
from log_capture.firehose.choose import choose, endpoint, make_client, make_targets, parse_url, region_of
from log_capture.firehose.direct import DirectClient
from log_capture.release import PRODUCT
from tests.fakes.firehose import Firehose
from tests.log_capture.clients import client_for, environ_for, put

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
}
SNAPSTART = {
    "AWS_REGION": "eu-west-1",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001/2021-04-23/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
}
ARN = "arn:aws:firehose:us-west-2:123456789012:deliverystream/logs"


@pytest.mark.parametrize(
    "environ",
    [
        LAMBDA,
        SNAPSTART,
        {**LAMBDA, "AWS_ENDPOINT_URL": "http://localhost:4566"},
        {**LAMBDA, "AWS_CA_BUNDLE": "/my.pem"},
        {**LAMBDA, "AWS_USE_FIPS_ENDPOINT": "false"},
        {**LAMBDA, "HTTP_PROXY": "http://proxy"},  # not for HTTPS
        {**LAMBDA, "HTTPS_PROXY": "http://proxy", "NO_PROXY": "localhost, .amazonaws.com"},
        {**LAMBDA, "HTTPS_PROXY": "http://proxy", "NO_PROXY": "*"},
        {**LAMBDA, "HTTPS_PROXY": "http://proxy", "no_proxy": "firehose.eu-west-1.amazonaws.com:443"},
        {**LAMBDA, "HTTPS_PROXY": ""},
    ],
)
def test_the_plain_cases_are_served_directly(environ: Mapping[str, str]) -> None:
    assert choose("auto", environ, "logs", None).name == "direct"
    assert choose("direct", environ, "logs", None).name == "direct"
    assert choose("boto3", environ, "logs", None).name == "boto3"
    assert isinstance(make_client("logs", environ=environ), DirectClient)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({**LAMBDA, "AWS_PROFILE": "team"}, "AWS_PROFILE"),
        ({**LAMBDA, "AWS_CONFIG_FILE": "/var/task/config"}, "AWS_CONFIG_FILE"),
        ({**LAMBDA, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ({**LAMBDA, "AWS_USE_FIPS_ENDPOINT": "true"}, "AWS_USE_FIPS_ENDPOINT"),
        ({**LAMBDA, "AWS_USE_DUALSTACK_ENDPOINT": "True"}, "AWS_USE_DUALSTACK_ENDPOINT"),
        ({**LAMBDA, "HTTPS_PROXY": "http://proxy"}, "a proxy (HTTPS_PROXY)"),
        ({**LAMBDA, "https_proxy": "http://proxy", "NO_PROXY": "other.com,aws.com"}, "a proxy (https_proxy)"),
        ({**LAMBDA, "AWS_ENDPOINT_URL": "http://localhost:4566/base"}, "this endpoint URL"),
        ({**LAMBDA, "AWS_ENDPOINT_URL_FIREHOSE": "ftp://localhost"}, "this endpoint URL"),
        ({**LAMBDA, "AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "a missing or strange region"),
        ({**LAMBDA, "AWS_REGION": "eu-west-1/../"}, "a missing or strange region"),
        ({"AWS_REGION": "eu-west-1"}, "credentials from elsewhere than the environment"),
        ({**LAMBDA, "AWS_SESSION_TOKEN": "a\r\nb: c"}, "credentials with strange characters"),
        (
            {**SNAPSTART, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb"},
            "a container authorization token with strange characters",
        ),
        (
            {**SNAPSTART, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/"},
            "credentials from elsewhere than the environment",
        ),
        (
            {**SNAPSTART, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"},
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ),
    ],
)
def test_everything_else_goes_through_boto3_and_says_why(environ: Mapping[str, str], reason: str) -> None:
    choice = choose("auto", environ, "logs", None)
    assert (choice.name, choice.reason) == ("boto3", reason)
    said: list[str] = []
    assert isinstance(make_client("logs", environ=environ, requested="direct", report=said.append), Boto3Client)
    assert said == [f"FIRETEE_CLIENT=direct does not serve {reason}; using boto3"]


def test_a_role_to_assume_goes_through_boto3() -> None:
    choice = choose("auto", LAMBDA, "logs", "arn:aws:iam::1:role/x")
    assert (choice.name, choice.reason) == ("boto3", "FIRETEE_ROLE_ARN")


def test_with_several_streams_each_has_a_client_and_a_complaint_comes_once() -> None:
    said: list[str] = []
    environ = {**LAMBDA, "AWS_PROFILE": "team"}
    targets = make_targets(["a", "b", "c"], environ=environ, requested="direct", report=said.append)
    assert [target.stream for target in targets] == ["a", "b", "c"]
    assert len({id(target.client) for target in targets}) == 3
    assert len(said) == 1


def test_an_arn_decides_the_region() -> None:
    assert region_of(LAMBDA, ARN) == "us-west-2"
    assert region_of(LAMBDA, "logs") == "eu-west-1"
    assert region_of({"AWS_DEFAULT_REGION": "eu-west-1"}, "logs") == "eu-west-1"
    assert region_of({}, "logs") is None


def test_every_region_s_endpoint_is_botocore_s() -> None:
    session = botocore.session.Session()
    for partition in session.get_data("endpoints")["partitions"]:
        regions = session.get_available_regions("firehose", partition["partition"])
        assert regions
        for region in regions:
            url = endpoint({}, region)
            assert url is not None
            assert (url.scheme, url.host, url.port) == ("https", f"firehose.{region}.{partition['dnsSuffix']}", 443)
        # The table is not what botocore itself goes by; one client for each partition, because they take a while.
        client = session.create_client(
            "firehose", region_name=regions[0], aws_access_key_id="a", aws_secret_access_key="b"
        )
        assert client.meta.endpoint_url == f"https://firehose.{regions[0]}.{partition['dnsSuffix']}"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "https://firehose.eu-west-1.amazonaws.com:443"),
        ({"AWS_ENDPOINT_URL": "http://a:1"}, "http://a:1"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_FIREHOSE": "https://b/"}, "https://b:443"),
        (
            {"AWS_ENDPOINT_URL": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://firehose.eu-west-1.amazonaws.com:443",
        ),
    ],
)
def test_endpoint_variables_are_obeyed_in_boto3_s_order(environ: Mapping[str, str], url: str) -> None:
    found = endpoint(environ, "eu-west-1")
    assert found is not None
    assert f"{found.scheme}://{found.host}:{found.port}{found.path}" == url


@pytest.mark.parametrize("text", ["http://a", "https://a:8443", "HTTP://A/", "http://a/b", "http://10.0.0.1:4566"])
def test_urls_are_taken_apart_as_the_standard_library_does(text: str) -> None:
    url, theirs = parse_url(text), urlsplit(text)
    assert url is not None
    assert (url.scheme, url.host) == (theirs.scheme, theirs.hostname)
    assert url.port == (theirs.port or {"http": 80, "https": 443}[theirs.scheme])
    assert (url.path or "/") == (theirs.path or "/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:4566",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://u:p@a",
        "http://[::1]:1",
        "http://ä",
        "http://a/?x",
    ],
)
def test_urls_that_are_not_understood_are_left_to_boto3(text: str) -> None:
    assert parse_url(text) is None


@pytest.mark.parametrize("name", ["direct", "boto3"])
def test_requests_say_which_firetee_they_come_from(name: str) -> None:
    with Firehose() as fake, client_for(environ_for(fake), name) as client:
        put(client, b"line\n")
    assert PRODUCT in fake.user_agents[0].split()
