"""The same function, of the kind that makes a client of AWS's as it starts."""

import boto3
from app import handler as handler

client = boto3.client("sqs")
