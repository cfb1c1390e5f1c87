"""The snippets for CDK and the Serverless Framework, turned into CloudFormation by the real packages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.node import project, run
from tests.firetee.cloud.fixtures import Account

Resources = dict[str, dict[str, Any]]


def of_type(resources: Resources, type_: str) -> list[tuple[str, dict[str, Any]]]:
    """The resources of a type: logical id and properties."""
    return [(name, each["Properties"]) for name, each in resources.items() if each["Type"] == type_]


def statements(resources: Resources, action: str) -> list[dict[str, Any]]:
    """The statements of every policy that allow this action."""
    documents = [each["PolicyDocument"] for _, each in of_type(resources, "AWS::IAM::Policy")]
    for _, role in of_type(resources, "AWS::IAM::Role"):
        documents += [each["PolicyDocument"] for each in role.get("Policies", [])]
    found = [statement for document in documents for statement in document["Statement"]]
    return [
        each for each in found if action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    ]


@pytest.mark.timeout(300)  # the first run installs the CDK
def test_the_cdk_snippet_gives_the_function_layer_variables_and_the_least_permission(
    tmp_path: Path, layer_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project("cdk", tmp_path, layer_zip)
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path / "out"))
    run(folder, "node", "app.mjs")
    resources: Resources = json.loads((tmp_path / "out" / "Orders.template.json").read_text())["Resources"]
    ((layer, _),) = of_type(resources, "AWS::Lambda::LayerVersion")
    ((stream, destination),) = of_type(resources, "AWS::KinesisFirehose::DeliveryStream")
    ((_, function),) = of_type(resources, "AWS::Lambda::Function")
    assert function["Layers"] == [{"Ref": layer}]
    assert function["Environment"]["Variables"] == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper",
        "FIRETEE_STREAM": {"Ref": stream},
    }
    (statement,) = statements(resources, "firehose:PutRecordBatch")
    assert (statement["Action"], statement["Resource"]) == (
        "firehose:PutRecordBatch",
        {"Fn::GetAtt": [stream, "Arn"]},
    )
    assert destination["ExtendedS3DestinationConfiguration"]["CompressionFormat"] == "GZIP"
    ((_, bucket),) = of_type(resources, "AWS::S3::Bucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())


@pytest.mark.timeout(300)  # the first run installs the framework
def test_the_serverless_snippet_gives_the_function_layer_variables_and_the_least_permission(
    tmp_path: Path, layer_zip: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project("serverless", tmp_path, layer_zip)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SLS_TELEMETRY_DISABLED", "1")
    run(folder, "node", os.fspath(folder / "node_modules" / "osls" / "bin" / "serverless.js"), "package")
    template = folder / ".serverless" / "cloudformation-template-update-stack.json"
    resources: Resources = json.loads(template.read_text())["Resources"]
    ((layer, _),) = of_type(resources, "AWS::Lambda::LayerVersion")
    ((_, function),) = of_type(resources, "AWS::Lambda::Function")
    assert function["Layers"] == [{"Ref": layer}]
    assert function["Environment"]["Variables"] == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper",
        "FIRETEE_STREAM": "app-logs",
    }
    (statement,) = statements(resources, "firehose:PutRecordBatch")
    assert statement["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:firehose:${AWS::Region}:${AWS::AccountId}:deliverystream/app-logs"
    }
