"""`layer publish`: once per content and region, in all regions at once, failures side by side."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from firetee.commands.publish import publish
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import Account, boto_session
from tests.firetee.commands.conftest import Run

REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-2")


def publish_json(run: Run, *args: Any) -> list[dict[str, Any]]:
    regions: list[dict[str, Any]] = json.loads(run(publish, *args, "--json").stdout)["regions"]
    return regions


def test_every_chosen_region_gets_one_version_however_often_it_runs(
    run: Run, account: Account, layer_zip: Path
) -> None:
    options = [text for region in REGIONS for text in ("--region", region)]
    first = publish_json(run, "--zip", layer_zip, *options)
    assert [(each["region"], each["new"]) for each in first] == [(region, True) for region in REGIONS]
    second = publish_json(run, "--zip", layer_zip, *options)
    assert [(each["arn"], each["new"]) for each in second] == [(each["arn"], False) for each in first]
    for region in REGIONS:
        client = boto_session().client("lambda", region_name=region)
        assert len(client.list_layer_versions(LayerName="firetee")["LayerVersions"]) == 1


def test_the_hash_in_the_description_is_lambdas_own(run: Run, account: Account, layer_zip: Path) -> None:
    run(publish, "--zip", layer_zip)
    version = account.lambda_.get_layer_version(LayerName="firetee", VersionNumber=1)
    sha256 = base64.b64encode(hashlib.sha256(layer_zip.read_bytes()).digest()).decode()
    assert version["Content"]["CodeSha256"] == sha256
    assert version["Description"].endswith(f"sha256:{sha256}")


def test_other_content_makes_a_new_version(run: Run, account: Account, layer_zip: Path, tmp_path: Path) -> None:
    run(publish, "--zip", layer_zip)
    changed = tmp_path / "changed.zip"
    changed.write_bytes(layer_zip.read_bytes() + b"\0")
    assert publish_json(run, "--zip", changed)[0]["arn"].endswith(":firetee:2")


def test_one_regions_failure_does_not_stop_the_others(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path
) -> None:
    aws.fail("PublishLayerVersion", "AccessDeniedException")
    result = run(publish, "--zip", layer_zip, "--region", "eu-west-1", "--region", "us-east-1")
    assert result.exit_code == 1
    assert result.stdout.count("(published)") == 1
    assert "Ask for permission to call PublishLayerVersion" in result.output


def test_all_regions_means_those_enabled_in_the_account(run: Run, account: Account, layer_zip: Path) -> None:
    regions = [each["region"] for each in publish_json(run, "--zip", layer_zip, "--all-regions")]
    assert len(regions) > 10
    assert "eu-west-1" in regions


def test_public_lets_every_account_use_it(run: Run, account: Account, layer_zip: Path) -> None:
    assert run(publish, "--zip", layer_zip, "--public").exit_code == 0
    policy = json.loads(account.lambda_.get_layer_version_policy(LayerName="firetee", VersionNumber=1)["Policy"])
    assert policy["Statement"][0]["Principal"] == "*"
    assert run(publish, "--zip", layer_zip, "--public").exit_code == 0


def test_a_missing_zip_says_how_to_build_it(run: Run, account: Account, tmp_path: Path) -> None:
    result = run(publish, "--zip", tmp_path / "none.zip")
    assert result.exit_code == 1
    assert "firetee layer build" in result.output
