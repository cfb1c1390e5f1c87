"""`status`: many functions at a glance."""

from __future__ import annotations

import json
from pathlib import Path

from firetee import layer
from firetee.commands.attach import attach
from firetee.commands.status import status
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import Account
from tests.firetee.commands.conftest import Run


def test_each_function_is_shown_with_its_stream_and_layer(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    role = account.role("shared")
    for name, env in (("orders", {}), ("bills", {}), ("half", {"FIRETEE_STREAM": "app-logs"})):
        account.function(name, role=role, env=env)
    account.stream()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    aws.calls.clear()
    rows = {row["function"]: row for row in json.loads(run(status, "--all", "--json").stdout)["functions"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "orders": "attached",
        "bills": "bare",
        "half": "partly",
    }
    assert rows["orders"]["streams"] == ["app-logs"]
    assert rows["orders"]["release"] == str(layer.release())
    assert "3 functions: 1 attached, 1 partly, 1 bare" in run(status, "--all").stdout
    assert aws.writes() == []


def test_a_function_that_cannot_be_read_does_not_hide_the_others(run: Run, account: Account) -> None:
    account.function()
    result = run(status, "orders", "nobody")
    assert result.exit_code == 1
    assert "2 functions: 1 bare, 1 unreadable" in result.stdout
    assert "There is no function 'nobody'" in result.stdout
