"""`upgrade`: another layer for functions that have firetee, and nothing else."""

from __future__ import annotations

from pathlib import Path

from firetee.commands.attach import attach
from firetee.commands.detach import detach
from firetee.commands.upgrade import upgrade
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import Account, write_layer_zip
from tests.firetee.commands.conftest import Run


def layers(account: Account, name: str = "orders") -> list[str]:
    found = account.everything(name)["configuration"].get("Layers", [])
    return [":".join(each["Arn"].split(":")[-2:]) for each in found]


def test_the_layer_is_replaced_and_all_else_stays(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, tmp_path: Path
) -> None:
    role = account.role("shared")
    account.function("orders", role=role, env={"MODE": "x"}, layers=(account.layer("other"),))
    account.function("bare", role=role)
    account.stream()
    bare = account.everything()
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    first = account.everything()
    newer = write_layer_zip(tmp_path / "newer.zip", ["3.12"])
    assert run(upgrade, "orders", "bare", "--zip", newer, "--dry-run").exit_code == 0
    assert account.everything() == first
    result = run(upgrade, "orders", "bare", "--zip", newer)
    assert result.exit_code == 0, result.output
    assert "2 functions: 1 upgraded, 1 with nothing to do" in result.output
    assert layers(account) == ["other:1", "firetee:2"]
    assert layers(account, "bare") == []
    assert account.everything()["policies"] == first["policies"]
    assert account.everything()["tags"] == first["tags"]
    back = next(each["Arn"] for each in first["configuration"]["Layers"] if ":firetee:" in each["Arn"])
    assert run(upgrade, "orders", "--layer-arn", back).exit_code == 0
    assert account.everything() == first
    assert "nothing to do" in run(upgrade, "orders", "--layer-arn", back).output
    run(detach, "orders")
    assert account.everything() == bare


def test_a_layer_that_does_not_exist_is_refused(run: Run, account: Account) -> None:
    account.function()
    arn = account.layer("firetee").replace(":firetee:1", ":firetee:7")
    result = run(upgrade, "orders", "--layer-arn", arn)
    assert result.exit_code == 1
    assert "There is no layer version" in result.output
