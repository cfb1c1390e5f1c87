"""The commands, run in process against the fake AWS; waiting takes no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import click
import pytest
from click.testing import CliRunner, Result

from firetee.cloud.aws import Cloud
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import account, aws, boto_session, cloud, layer_zip, server

__all__ = ["account", "aws", "cloud", "layer_zip", "server"]

Run = Callable[..., Result]


@pytest.fixture
def run(aws: FakeAws) -> Run:
    """Runs a command with arguments, as a terminal would; a programming error is raised."""

    def runner(
        command: click.Command,
        *args: Any,
        session: boto3.session.Session | None = None,
        cloud: Cloud | None = None,
    ) -> Result:
        def open_cloud(region: str | None) -> Cloud:
            return cloud or Cloud(region, sleep=lambda seconds: None, session=session or boto_session())

        return CliRunner().invoke(command, [str(each) for each in args], obj=open_cloud, catch_exceptions=False)

    return runner
