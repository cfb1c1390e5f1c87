"""The SAM template: valid, and what it creates works together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tests.deploy.cloudformation  # noqa: F401 - registers resource types
from tests.deploy.sam import expand
from tests.deploy.tools import DEPLOY
from tests.firetee.cloud.fake_aws import ACCOUNT, REGION
from tests.firetee.cloud.fixtures import Account, boto_session

TEMPLATE = DEPLOY / "template.yaml"
PROJECT = Path(__file__).parents[2] / "firetee" / "commands" / "new_function" / "template.yaml.tmpl"


@pytest.fixture
def project_template(tmp_path: Path) -> Path:
    """The template that `firetee new` writes."""
    path = tmp_path / "template.yaml"
    path.write_text(PROJECT.read_text(encoding="utf-8").replace("@NAME@", "hello"), encoding="utf-8")
    return path


def deploy(account: Account, template: Path, layer_zip: Path, **parameters: str) -> dict[str, str]:
    """Create a stack from a SAM template; returns its outputs."""
    account.s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.s3.put_object(Bucket="artifacts", Key="artifact.zip", Body=layer_zip.read_bytes())
    expanded = expand(template, {"Bucket": "artifacts", "Key": "artifact.zip"})
    stacks = boto_session().client("cloudformation", region_name=REGION)
    stacks.create_stack(
        StackName="logs",
        TemplateBody=json.dumps(expanded),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = stacks.describe_stacks(StackName="logs")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def destination(account: Account, stream: str) -> dict[str, Any]:
    """The stream's S3 destination."""
    answer = account.firehose.describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
    found: dict[str, Any] = answer["Destinations"][0]["ExtendedS3DestinationDescription"]
    return found


def test_cfn_lint_finds_nothing(project_template: Path) -> None:
    linter = [
        sys.executable,
        "-c",
        "from cfnlint.runner import main; main()",
        "--",
        str(TEMPLATE),
        str(project_template),
    ]
    result = subprocess.run(linter, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


def test_records_put_into_the_created_stream_are_in_the_created_bucket(account: Account, layer_zip: Path) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip)
    account.firehose.put_record_batch(DeliveryStreamName=outputs["StreamName"], Records=[{"Data": b'{"a":1}\n'}])
    (found,) = account.s3.list_objects_v2(Bucket=outputs["BucketName"])["Contents"]
    assert account.s3.get_object(Bucket=outputs["BucketName"], Key=found["Key"])["Body"].read() == b'{"a":1}\n'


def test_the_sample_function_has_the_layer_the_variables_and_the_least_permission(
    account: Account, layer_zip: Path
) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip, CloudWatchLogs="false")
    assert account.env(outputs["SampleFunctionName"]) == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/exec-wrapper",
        "FIRETEE_STREAM": "firetee",
    }
    resources = expand(TEMPLATE, {"Bucket": "b", "Key": "k"})["Resources"]  # moto leaves a template's layers out
    (layer,) = [name for name, each in resources.items() if each["Type"] == "AWS::Lambda::LayerVersion"]
    assert resources["SampleFunction"]["Properties"]["Layers"] == [{"Ref": layer}]
    (policy,) = resources["FunctionRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "firehose:PutRecordBatch"
    assert statement["Resource"] == {"Fn::GetAtt": ["Stream", "Arn"]}
    assert list(account.everything(outputs["SampleFunctionName"])["policies"]) == ["firetee"]


def test_the_switch_takes_cloudwatch_away_and_nothing_else(account: Account, layer_zip: Path) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip, CloudWatchLogs="true")
    assert sorted(account.everything(outputs["SampleFunctionName"])["policies"]) == ["cloudwatch", "firetee"]


def test_the_bucket_is_private_encrypted_and_forgets(account: Account, layer_zip: Path) -> None:
    properties = expand(TEMPLATE, {"Bucket": "b", "Key": "k"})["Resources"]["Bucket"]["Properties"]
    assert all(properties["PublicAccessBlockConfiguration"].values())
    bucket = deploy(account, TEMPLATE, layer_zip)["BucketName"]
    assert account.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    policy = json.loads(account.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert properties["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == {"Ref": "KeepDays"}


def test_partitioning_by_function_takes_records_apart_and_puts_the_newlines_back(
    account: Account, layer_zip: Path
) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip, PartitionByFunction="true")
    s3 = destination(account, outputs["StreamName"])
    assert s3["DynamicPartitioningConfiguration"]["Enabled"] is True
    assert "function=!{partitionKeyFromQuery:function}/" in s3["Prefix"]
    assert [each["Type"] for each in s3["ProcessingConfiguration"]["Processors"]] == [
        "RecordDeAggregation",
        "MetadataExtraction",
        "AppendDelimiterToRecord",
    ]
    assert s3["BufferingHints"]["SizeInMBs"] >= 64


def test_without_partitioning_nothing_is_processed(account: Account, layer_zip: Path) -> None:
    s3 = destination(account, deploy(account, TEMPLATE, layer_zip)["StreamName"])
    assert "DynamicPartitioningConfiguration" not in s3
    assert "ProcessingConfiguration" not in s3


def test_there_are_alarms_on_throttling_failure_and_delay(account: Account, layer_zip: Path) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:oncall"
    outputs = deploy(account, TEMPLATE, layer_zip, AlarmTopicArn=topic)
    alarms = boto_session().client("cloudwatch", region_name=REGION).describe_alarms()["MetricAlarms"]
    assert {each["MetricName"] for each in alarms} == {
        "ThrottledRecords",
        "DeliveryToS3.Success",
        "DeliveryToS3.DataFreshness",
    }
    for alarm in alarms:
        assert alarm["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": outputs["StreamName"]}]
        assert alarm["AlarmActions"] == [topic]


def test_the_table_reads_the_folders_that_the_stream_writes(account: Account, layer_zip: Path) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip)
    database, _, name = outputs["TableName"].partition(".")
    glue = boto_session().client("glue", region_name=REGION)
    table = glue.get_table(DatabaseName=database, Name=name)["Table"]
    bucket = outputs["BucketName"]
    template = table["Parameters"]["storage.location.template"]
    assert template == f"s3://{bucket}/lines/day=${{day}}/hour=${{hour}}/"
    prefix = destination(account, outputs["StreamName"])["Prefix"]
    assert prefix == "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"


def test_every_query_is_bounded_by_day_so_that_it_does_not_read_what_it_does_not_need(
    account: Account, layer_zip: Path
) -> None:
    deploy(account, TEMPLATE, layer_zip, PartitionByFunction="true")
    athena = boto_session().client("athena", region_name=REGION)
    queries = [
        athena.get_named_query(NamedQueryId=each)["NamedQuery"] for each in athena.list_named_queries()["NamedQueryIds"]
    ]
    assert len(queries) == 5
    for query in queries:
        assert "WHERE day = CAST(current_date AS varchar) AND " in query["QueryString"], query["Name"]


def test_with_partitioning_a_table_reads_one_functions_folder_alone(account: Account, layer_zip: Path) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip, PartitionByFunction="true")
    glue = boto_session().client("glue", region_name=REGION)
    table = glue.get_table(DatabaseName="firetee", Name="lines_of_function")["Table"]
    prefix = destination(account, outputs["StreamName"])["Prefix"]
    keys = [each["Name"] for each in table["PartitionKeys"]]
    assert keys == [part.partition("=")[0] for part in prefix.split("/")[1:-1]] == ["day", "hour", "function"]
    assert table["Parameters"]["storage.location.template"].endswith(
        "/lines/day=${day}/hour=${hour}/function=${function}/"
    )
    assert "function" not in {each["Name"] for each in table["StorageDescriptor"]["Columns"]}


def test_a_key_of_ones_own_encrypts_stream_bucket_and_log_group(account: Account, layer_zip: Path) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/own"
    outputs = deploy(account, TEMPLATE, layer_zip, KmsKeyArn=key)
    (rule,) = account.s3.get_bucket_encryption(Bucket=outputs["BucketName"])["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    stream = account.firehose.describe_delivery_stream(DeliveryStreamName=outputs["StreamName"])
    encryption = stream["DeliveryStreamDescription"]["DeliveryStreamEncryptionConfiguration"]
    assert (encryption["KeyType"], encryption["KeyARN"]) == ("CUSTOMER_MANAGED_CMK", key)
    resources = expand(TEMPLATE, {"Bucket": "b", "Key": "k"})["Resources"]  # moto leaves a log group's key out
    for group in ("DeliveryLogGroup", "SampleLogGroup"):
        assert resources[group]["Properties"]["KmsKeyId"]["Fn::If"][:2] == ["OwnKey", {"Ref": "KmsKeyArn"}]


@pytest.mark.usefixtures("account")
def test_versions_and_access_logs_are_kept_where_that_is_wanted() -> None:
    resources = expand(TEMPLATE, {"Bucket": "b", "Key": "k"})["Resources"]
    properties = resources["Bucket"]["Properties"]
    assert properties["VersioningConfiguration"]["Fn::If"][:2] == ["Versioned", {"Status": "Enabled"}]
    assert properties["LoggingConfiguration"]["Fn::If"][1]["DestinationBucketName"] == {"Ref": "AccessLogBucket"}


def test_roles_of_other_accounts_may_assume_one_that_puts_records_and_does_nothing_else(
    account: Account, layer_zip: Path
) -> None:
    role = expand(TEMPLATE, {"Bucket": "b", "Key": "k"})["Resources"]["WriterRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": {"Ref": "WriterPrincipals"}}
    ((allowed,),) = [each["PolicyDocument"]["Statement"] for each in role["Policies"]]
    assert (allowed["Action"], allowed["Resource"]) == ("firehose:PutRecordBatch", {"Fn::GetAtt": ["Stream", "Arn"]})
    outputs = deploy(account, TEMPLATE, layer_zip, WriterPrincipals="arn:aws:iam::210987654321:role/orders")
    assert outputs["WriterRoleArn"].startswith(f"arn:aws:iam::{ACCOUNT}:role/")


def test_a_dashboard_shows_the_stream(account: Account, layer_zip: Path) -> None:
    outputs = deploy(account, TEMPLATE, layer_zip)
    cloudwatch = boto_session().client("cloudwatch", region_name=REGION)
    (name,) = [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
    metrics = [each["properties"]["metrics"][0] for each in body["widgets"]]
    assert [each[1] for each in metrics] == [
        "IncomingBytes",
        "ThrottledRecords",
        "DeliveryToS3.DataFreshness",
        "DeliveryToS3.Success",
    ]
    assert {tuple(each[2:]) for each in metrics} == {("DeliveryStreamName", outputs["StreamName"])}


def test_what_firetee_new_writes_can_be_deployed(account: Account, layer_zip: Path, project_template: Path) -> None:
    outputs = deploy(account, project_template, layer_zip)
    account.firehose.put_record_batch(DeliveryStreamName=outputs["StreamName"], Records=[{"Data": b"x\n"}])
    assert account.s3.list_objects_v2(Bucket=outputs["BucketName"])["KeyCount"] == 1
    assert account.env(outputs["FunctionName"])["FIRETEE_STREAM"] == outputs["StreamName"]
