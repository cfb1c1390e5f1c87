"""Resource types that moto's CloudFormation does not make, made by the services' own API.

Each is created by the API call that CloudFormation itself would make, with the template's properties as its arguments:
botocore checks them against the service's model, and moto's service keeps the result. Importing this registers them:
moto knows the direct subclasses of its CloudFormationModel.
"""

from __future__ import annotations

import json
from typing import Any

import moto.awslambda.models  # noqa: F401 - registers its own layer version, which ours replaces
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.common_models import CloudFormationModel

from tests.firetee.cloud.fixtures import boto_session


class _ByApi:
    """A resource made by one API call. Subclasses say which, and how its arguments differ from the properties."""

    TYPE = ""
    SERVICE = ""
    OPERATION = ""
    NAME = ""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self._name = name
        self._attributes = attributes

    @property
    def physical_resource_id(self) -> str:
        return self._name

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return cls.NAME

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def get_cfn_attribute(self, name: str) -> str:
        """What `!GetAtt` gives."""
        return self._attributes[name]

    @classmethod
    def arguments(cls, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        """The call's arguments for the template's properties."""
        return {**properties, **({cls.NAME: name} if cls.NAME else {})}

    @classmethod
    def attributes(cls, answer: dict[str, Any]) -> dict[str, str]:
        """What `!GetAtt` can give of the call's answer."""
        return {}

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> _ByApi:
        client = boto_session().client(cls.SERVICE, region_name=region_name)
        arguments = cls.arguments(resource_name, cloudformation_json["Properties"])
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[cls.OPERATION]).input_shape
        answer = getattr(client, cls.OPERATION)(**_coerced(arguments, shape))
        return cls(cls.identity(resource_name, arguments, answer), cls.attributes(answer))

    @classmethod
    def identity(cls, name: str, arguments: dict[str, Any], answer: dict[str, Any]) -> str:
        """What `!Ref` gives."""
        return str(arguments.get(cls.NAME, name))


def _coerced(value: Any, shape: Shape | None) -> Any:
    """Numbers and booleans as such: CloudFormation takes them as text too, and moto's parameters are all text."""
    if isinstance(shape, StructureShape):
        return {key: _coerced(each, shape.members.get(key)) for key, each in value.items()}
    if isinstance(shape, ListShape):
        return [_coerced(each, shape.member) for each in value]
    if isinstance(shape, MapShape):
        return {key: _coerced(each, shape.value) for key, each in value.items()}
    if shape is not None and isinstance(value, str):
        if shape.type_name in {"integer", "long"}:
            return int(value)
        if shape.type_name in {"double", "float"}:
            return float(value)
        if shape.type_name == "boolean":
            return value == "true"
    return value


class DeliveryStream(_ByApi, CloudFormationModel):
    """`!Ref` gives the name, `!GetAtt Arn` the ARN."""

    TYPE, SERVICE, OPERATION = "AWS::KinesisFirehose::DeliveryStream", "firehose", "create_delivery_stream"
    NAME = "DeliveryStreamName"

    @classmethod
    def attributes(cls, answer: dict[str, Any]) -> dict[str, str]:
        return {"Arn": answer["DeliveryStreamARN"]}


class LogStream(_ByApi, CloudFormationModel):
    """`!Ref` gives the name."""

    TYPE, SERVICE, OPERATION = "AWS::Logs::LogStream", "logs", "create_log_stream"
    NAME = "logStreamName"

    @classmethod
    def arguments(cls, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        return {"logGroupName": properties["LogGroupName"], "logStreamName": properties["LogStreamName"]}


class Alarm(_ByApi, CloudFormationModel):
    """`!Ref` gives the name."""

    TYPE, SERVICE, OPERATION = "AWS::CloudWatch::Alarm", "cloudwatch", "put_metric_alarm"
    NAME = "AlarmName"


class Dashboard(_ByApi, CloudFormationModel):
    """`!Ref` gives the name."""

    TYPE, SERVICE, OPERATION = "AWS::CloudWatch::Dashboard", "cloudwatch", "put_dashboard"
    NAME = "DashboardName"


class GlueDatabase(_ByApi, CloudFormationModel):
    """`!Ref` gives the name."""

    TYPE, SERVICE, OPERATION = "AWS::Glue::Database", "glue", "create_database"

    @classmethod
    def identity(cls, name: str, arguments: dict[str, Any], answer: dict[str, Any]) -> str:
        return str(arguments["DatabaseInput"]["Name"])


class GlueTable(_ByApi, CloudFormationModel):
    """`!Ref` gives the name."""

    TYPE, SERVICE, OPERATION = "AWS::Glue::Table", "glue", "create_table"

    @classmethod
    def identity(cls, name: str, arguments: dict[str, Any], answer: dict[str, Any]) -> str:
        return str(arguments["TableInput"]["Name"])


class NamedQuery(_ByApi, CloudFormationModel):
    """A saved query of Athena."""

    TYPE, SERVICE, OPERATION = "AWS::Athena::NamedQuery", "athena", "create_named_query"


class BucketPolicy(_ByApi, CloudFormationModel):
    """A bucket's policy."""

    TYPE, SERVICE, OPERATION = "AWS::S3::BucketPolicy", "s3", "put_bucket_policy"

    @classmethod
    def arguments(cls, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        return {"Bucket": properties["Bucket"], "Policy": json.dumps(properties["PolicyDocument"])}


class LayerVersion(_ByApi, CloudFormationModel):
    """`!Ref` gives the version's ARN; moto's own gives nothing."""

    TYPE, SERVICE, OPERATION = "AWS::Lambda::LayerVersion", "lambda", "publish_layer_version"
    NAME = "LayerName"

    @classmethod
    def identity(cls, name: str, arguments: dict[str, Any], answer: dict[str, Any]) -> str:
        return str(answer["LayerVersionArn"])
