"""The fake AWS, for what is deployed into it."""

from __future__ import annotations

from tests.firetee.cloud.fixtures import account, aws, layer_zip, server

__all__ = ["account", "aws", "layer_zip", "server"]
