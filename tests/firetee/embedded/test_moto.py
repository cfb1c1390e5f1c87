"""moto's server stands in for the services that a function calls."""

from __future__ import annotations

from typing import Any

import boto3

from firetee.embedded.moto import Moto


def test_a_second_server_knows_nothing_of_the_first() -> None:
    for _ in range(2):
        with Moto() as moto:
            session = boto3.session.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
            queues: Any = session.client("sqs", endpoint_url=moto.url)
            assert "QueueUrls" not in queues.list_queues()
            queues.create_queue(QueueName="orders")
            assert len(queues.list_queues()["QueueUrls"]) == 1
            queues.close()
