"""The same function, set up as Sentry's guides "AWS Lambda" and "Logs" say: init at the top of the module."""

import os

import sentry_sdk
from app import handler as handler
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration

sentry_sdk.init(
    dsn=os.environ["SENTRY_DSN"],
    integrations=[AwsLambdaIntegration()],
    enable_logs=True,
    ca_certs=os.environ["AWS_CA_BUNDLE"],
)
