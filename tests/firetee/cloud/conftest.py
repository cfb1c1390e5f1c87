"""One fake AWS for the whole run, empty at the start of each test; see `fake_aws`."""

from __future__ import annotations

from tests.firetee.cloud.fixtures import account, aws, cloud, layer_zip, server

__all__ = ["account", "aws", "cloud", "layer_zip", "server"]
