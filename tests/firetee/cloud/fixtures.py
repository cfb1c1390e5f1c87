"""Fixtures for everything that is tested against the fake AWS."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from firetee import layer, runtimes
from firetee.cloud.aws import Cloud
from tests.firetee.cloud.fake_aws import ACCOUNT, REGION, FakeAws


@pytest.fixture(scope="session")
def server() -> Iterator[FakeAws]:
    """The fake's process-wide server: moto keeps its resources in module state, so there can be only one."""
    fake = FakeAws()
    yield fake
    fake.close()


@pytest.fixture
def aws(server: FakeAws, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """An empty account, and an environment in which boto3 talks to it and to nothing else."""
    server.reset()
    for key in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_FIREHOSE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # botocore's own retries would hide the faults, and sleep
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return server


@functools.cache
def boto_session() -> Any:
    """One session for all tests: reading the services' models anew for each costs a third of a second.

    Typed as Any because tests name services by variables too, which the session's types do not allow for.
    """
    return boto3.session.Session()


@pytest.fixture
def cloud(aws: FakeAws) -> Cloud:
    """The commands' view of the account; waiting takes no time."""
    return Cloud(REGION, sleep=lambda seconds: None, session=boto_session())


@pytest.fixture
def layer_zip(tmp_path: Path) -> Path:
    """A zip to publish as the layer, compiled for every Python."""
    return write_layer_zip(tmp_path / "layer.zip", runtimes.MINORS)


def write_layer_zip(path: Path, minors: Sequence[str]) -> Path:
    """The real layer but for its compiled modules: it has the names of those for these Pythons."""
    path.write_bytes(_layer())
    with zipfile.ZipFile(path, "a") as archive:
        for minor in minors:
            archive.writestr(zipfile.ZipInfo(f"firetee/cpython-{minor.replace('.', '')}-3600.bundle"), "")
    return path


@functools.cache
def _layer() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return layer.build(Path(folder, "layer.zip"), []).read_bytes()


class Account:
    """Shorthands to furnish the account and to look at it."""

    def __init__(self, aws: FakeAws) -> None:
        self.aws = aws
        self.lambda_: Any = boto_session().client("lambda", region_name=REGION)
        self.iam: Any = boto_session().client("iam", region_name=REGION)
        self.firehose: Any = boto_session().client("firehose", region_name=REGION)
        self.s3: Any = boto_session().client("s3", region_name=REGION)

    def role(self, name: str = "orders-role") -> str:
        """Make an execution role; returns its ARN."""
        trust = {"Version": "2012-10-17", "Statement": []}
        return str(self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])

    def function(
        self,
        name: str = "orders",
        *,
        role: str | None = None,
        env: dict[str, str] | None = None,
        layers: tuple[str, ...] = (),
        tags: dict[str, str] | None = None,
        runtime: str = "python3.12",
        **more: Any,
    ) -> str:
        """Make a function, with its role if there is none; returns its ARN."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", "def handler(event, context): pass\n")
        request: dict[str, Any] = {
            "FunctionName": name,
            "Role": role or self.role(f"{name}-role"),
            "Runtime": runtime,
            "Handler": "app.handler",
            "Code": {"ZipFile": packed.getvalue()},
            "Layers": list(layers),
            "Tags": tags or {},
            "Timeout": 30,
            "MemorySize": 512,
            **more,
        }
        if env is not None:
            request["Environment"] = {"Variables": env}
        return str(self.lambda_.create_function(**request)["FunctionArn"])

    def layer(self, name: str, description: str = "") -> str:
        """Publish some layer; returns the version's ARN."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("x", name)
        content = {"ZipFile": packed.getvalue()}
        published = self.lambda_.publish_layer_version(LayerName=name, Content=content, Description=description)
        return str(published["LayerVersionArn"])

    def stream(self, name: str = "app-logs", bucket: str = "app-logs-bucket", **destination: Any) -> str:
        """Make a delivery stream into a bucket; returns its ARN."""
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        return str(
            self.firehose.create_delivery_stream(
                DeliveryStreamName=name,
                ExtendedS3DestinationConfiguration={
                    "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
                    "BucketARN": f"arn:aws:s3:::{bucket}",
                    **destination,
                },
            )["DeliveryStreamARN"]
        )

    def without_stream(self, name: str = "app-logs", bucket: str = "app-logs-bucket") -> None:
        """Take the delivery stream and its bucket away."""
        self.firehose.delete_delivery_stream(DeliveryStreamName=name)
        self.s3.delete_bucket(Bucket=bucket)

    def everything(self, name: str = "orders") -> dict[str, Any]:
        """The function's configuration, tags and role policies: what detaching must bring back, byte for byte.

        Left out are the two fields that every update of a function changes by itself.
        """
        answer = self.lambda_.get_function(FunctionName=name)
        config = answer["Configuration"]
        for volatile in ("LastModified", "RevisionId"):
            config.pop(volatile, None)
        role = config["Role"].rsplit("/", 1)[-1]
        policies = {
            each: self.iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"]
            for each in self.iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        return {"configuration": config, "tags": answer.get("Tags", {}), "policies": policies}

    def env(self, name: str = "orders") -> dict[str, str]:
        """The function's variables."""
        config = self.lambda_.get_function_configuration(FunctionName=name)
        return dict(config.get("Environment", {}).get("Variables", {}))


@pytest.fixture
def account(aws: FakeAws) -> Account:
    """The empty account, with shorthands to furnish it."""
    return Account(aws)
