"""Who is measured: the bare function, firetee in each mode, and others in the set-up that they document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variant:
    """One way to run the function.

    `wrapper`: `firetee` (the built layer's), a file of benchmarks/function/, or None. `packages`: a lock of
    benchmarks/locks/ to have as the layer. In `env`, `{sink}`, `{port}` and `{ca}` stand for the sink's URL and port
    and the certificate to trust. `ships`: whether it sends lines itself.
    """

    name: str
    title: str
    handler: str = "app.handler"
    wrapper: str | None = None
    packages: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    ships: bool = True
    floor: str = "bare"


BARE = Variant("bare", "bare function", ships=False)
BARE_BOTO3 = Variant("bare-boto3", "bare function that imports boto3", "app_with_boto3.handler", ships=False)
BEFORE_RETURN = Variant("before-return", "firetee", wrapper="firetee")
AFTER_RETURN = Variant(
    "after-return", "firetee, after-return", wrapper="firetee", env={"FIRETEE_FLUSH": "after-return"}
)
BATCHED = Variant("batched", "firetee, batched", wrapper="firetee", env={"FIRETEE_FLUSH": "batched"})
FIRETEE_BOTO3 = Variant(
    "firetee-boto3", "firetee, function imports boto3", "app_with_boto3.handler", "firetee", floor="bare-boto3"
)
GZIP = Variant("gzip", "firetee, gzip", wrapper="firetee", env={"FIRETEE_COMPRESSION": "gzip"})
PUT_RECORD = Variant("put-record", "boto3, one PutRecord a line", "app_with_put_record.handler")
DATADOG = Variant(
    "datadog",
    "datadog-lambda",
    # https://docs.datadoghq.com/serverless/guide/datadog_forwarder_python/ ("Custom" with the library as a layer)
    "datadog_lambda.handler.handler",
    packages="datadog",
    env={
        "DD_LAMBDA_HANDLER": "app.handler",
        "DD_FLUSH_TO_LOG": "true",
        "DD_TRACE_ENABLED": "true",
        "DD_SITE": "datadoghq.com",
    },
    ships=False,  # lines go to CloudWatch, from where the Forwarder takes them
)
SENTRY = Variant(
    "sentry",
    "sentry-sdk with logs",
    # https://docs.sentry.io/platforms/python/integrations/aws-lambda/ and https://docs.sentry.io/platforms/python/logs/
    "app_with_sentry.handler",
    packages="sentry",
    env={"SENTRY_DSN": "https://key@localhost:{port}/1"},
)
OTEL = Variant(
    "otel",
    "opentelemetry-distro, OTLP logs and traces",
    # https://opentelemetry.io/docs/platforms/faas/lambda-auto-instrument/ and opentelemetry-lambda's python/src/otel
    wrapper="otel-instrument",
    packages="otel",
    env={"OTEL_EXPORTER_OTLP_ENDPOINT": "{sink}", "OTEL_EXPORTER_OTLP_CERTIFICATE": "{ca}"},
)

#: Side by side, in the order of the tables.
FIELD = (BARE, BEFORE_RETURN, AFTER_RETURN, BATCHED, PUT_RECORD, DATADOG, SENTRY, OTEL)
#: Those that start beside them for one goal.
WITH_BOTO3 = (BARE_BOTO3, FIRETEE_BOTO3)
BY_NAME = {variant.name: variant for variant in (*FIELD, *WITH_BOTO3, GZIP)}
