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

    def runner(command: click.Command, *args: Any, session: boto3.session.Session | None = None) -> Result:
        return CliRunner().invoke(
            command,
            [str(each) for each in args],
            obj=lambda region: Cloud(region, sleep=lambda seconds: None, session=session or boto_session()),
            catch_exceptions=False,
        )

    return runner
