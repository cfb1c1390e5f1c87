"""Many functions: what a person with forty of them sees, with aliases, and where AWS limits the rate of calls."""

from __future__ import annotations

import json
import random
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from firetee.commands.attach import attach
from firetee.commands.detach import detach
from firetee.commands.doctor import doctor
from firetee.commands.status import status
from firetee.commands.upgrade import upgrade
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import Account
from tests.firetee.commands.conftest import Run

FORTY = [f"f{number:02}" for number in range(40)]


@pytest.fixture
def few(account: Account, run: Run, layer_zip: Path) -> Account:
    """Three functions, of which two have firetee."""
    role = account.role("shared")
    for name in ("orders", "bills", "bare"):
        account.function(name, role=role, tags={"team": "web"} if name != "bills" else {})
    account.stream()
    assert run(attach, "orders", "bills", "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    return account


@pytest.mark.parametrize(
    ("args", "total"),
    [
        (("--all",), "3 functions: 2 without a problem, 1 with problems"),
        (("--tag", "team=web"), "2 functions: 1 without a problem, 1 with problems"),
        (("--match", "^bi"), "1 function: 1 without a problem, 0 with problems"),
        (("orders", "nobody"), "2 functions: 1 without a problem, 0 with problems, 1 that cannot be looked at"),
    ],
)
def test_the_doctor_looks_at_many_functions_and_counts_at_the_end(
    run: Run, few: Account, aws: FakeAws, args: tuple[str, ...], total: str
) -> None:
    aws.calls.clear()
    result = run(doctor, *args)
    assert result.stdout.splitlines()[-1] == total
    assert result.exit_code == (1 if "bare" in result.stdout or "nobody" in args else 0)
    assert aws.writes() == []


def test_each_finding_stands_with_its_function_and_what_is_fine_is_not_shown(run: Run, few: Account) -> None:
    result = run(doctor, "--all")
    lines = result.stdout.splitlines()
    at = lines.index("bare: 3 problems")
    assert lines[at + 1] == "PROBLEM layer: the layer is missing"
    assert "ok     " not in result.stdout
    assert "orders: no problem" in lines


def test_an_error_of_the_doctor_stands_with_its_function(run: Run, few: Account) -> None:
    result = run(doctor, "orders", "nobody")
    assert "nobody\nError: There is no function 'nobody'" in result.output


def test_the_doctors_json_has_every_function_and_what_kept_it_from_looking(
    run: Run, few: Account, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("orders\nbare\nnobody\n")
    result = run(doctor, "--from", names, "--json")
    assert result.exit_code == 1
    by_name = {each["function"]: each for each in json.loads(result.stdout)["functions"]}
    assert list(by_name) == ["orders", "bare", "nobody"]
    assert by_name["orders"]["problems"] == 0
    assert by_name["bare"]["findings"][1]["level"] == "problem"
    assert "There is no function" in by_name["nobody"]["error"]


def test_one_call_describes_a_stream_that_many_functions_send_to(run: Run, few: Account, aws: FakeAws) -> None:
    """Firehose takes five such calls a second from an account."""
    aws.calls.clear()
    run(doctor, "orders", "bills")
    assert aws.calls.count("DescribeDeliveryStream") == 1
    assert aws.calls.count("ListLayerVersions") == 1


# Throttling


class Throttled:
    """Lets the fake refuse about three calls in ten, whatever they ask, in an order that is the same every time."""

    def __init__(self) -> None:
        self._random, self._lock, self.refused = random.Random(40), threading.Lock(), 0

    def __call__(self, operation: str) -> bool:
        with self._lock:
            refused = self._random.random() < 0.3
            self.refused += refused
            return refused


class NoWaiting:
    """Stands in for the module `time` in botocore's endpoint, which sleeps between two attempts there."""

    @staticmethod
    def sleep(seconds: float) -> None:
        assert 0 <= seconds <= 20


@pytest.mark.parametrize("command", ["attach", "detach", "doctor", "status"])
def test_forty_of_forty_where_three_calls_in_ten_are_throttled(
    run: Run, account: Account, aws: FakeAws, layer_zip: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    role = account.role("shared")
    for name in FORTY:
        account.function(name, role=role)
    account.stream()
    if command != "attach":
        assert run(attach, *FORTY, "--stream", "app-logs", "--zip", layer_zip).exit_code == 0
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    monkeypatch.setattr("botocore.endpoint.time", NoWaiting)
    aws.throttle = throttled = Throttled()
    commands: dict[str, tuple[Any, ...]] = {
        "attach": (attach, "--match", "^f", "--stream", "app-logs", "--zip", layer_zip),
        "detach": (detach, "--match", "^f"),
        "doctor": (doctor, "--match", "^f"),
        "status": (status, "--match", "^f"),
    }
    result = run(*commands[command])
    aws.throttle = None
    assert result.exit_code == 0, result.output
    assert throttled.refused > 30
    assert re.search(
        r"^40 functions: 40 (attached to app-logs|detached|without a problem|attached)", result.stdout, re.MULTILINE
    )
    has = [name for name in FORTY if "FIRETEE_STREAM" in account.env(name)]
    assert has == ([] if command == "detach" else FORTY)


# Aliases and published versions


@pytest.fixture
def published(account: Account) -> Account:
    """A function without firetee, published as version 1, at which the alias `live` points."""
    account.function()
    account.stream()
    account.lambda_.publish_version(FunctionName="orders")
    account.lambda_.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    return account


BEHIND = "orders: the alias live (version 1) still runs without firetee. Publish a new version"


def test_an_alias_that_still_runs_without_firetee_is_named(
    run: Run, published: Account, aws: FakeAws, layer_zip: Path
) -> None:
    for _ in ("attaching", "doing nothing"):
        result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
        assert result.exit_code == 0
        assert BEHIND in " ".join(result.output.split())
    (row,) = json.loads(run(status, "orders", "--json").stdout)["functions"]
    assert row["without"] == ["the alias live (version 1)"]
    assert "attached, but not the alias live (version 1)" in run(status, "orders").stdout
    checked = run(doctor, "orders")
    assert checked.exit_code == 1
    assert "PROBLEM versions: the alias live (version 1) runs without firetee" in checked.stdout
    aws.fail("ListVersionsByFunction", "AccessDeniedException")
    assert "cannot tell which published versions are in use" in run(doctor, "orders").stdout


def test_once_the_alias_points_at_a_new_version_nothing_is_left_to_say(
    run: Run, published: Account, layer_zip: Path
) -> None:
    run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    published.lambda_.publish_version(FunctionName="orders")
    published.lambda_.update_alias(FunctionName="orders", Name="live", FunctionVersion="2")
    assert "still runs without" not in run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip).output
    assert "without firetee" not in run(doctor, "orders").output
    result = run(detach, "orders")
    assert "the alias live (version 2) still runs with firetee" in " ".join(result.output.split())


def test_a_version_without_an_alias_is_named_where_there_is_no_alias_at_all(
    run: Run, account: Account, layer_zip: Path
) -> None:
    account.function()
    account.stream()
    account.lambda_.publish_version(FunctionName="orders")
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert "orders: version 1 still runs without firetee" in " ".join(result.output.split())
    assert run(doctor, "orders").exit_code == 0, "nobody may be using it"


def test_what_may_not_be_listed_is_said_in_general(run: Run, published: Account, aws: FakeAws, layer_zip: Path) -> None:
    aws.fail("ListVersionsByFunction", "AccessDeniedException")
    result = run(attach, "orders", "--stream", "app-logs", "--zip", layer_zip)
    assert result.exit_code == 0
    assert "Published versions and their aliases keep the configuration they have" in result.output


def test_a_function_without_versions_gets_no_word_about_them(run: Run, account: Account, layer_zip: Path) -> None:
    account.function()
    account.stream()
    for command, *args in (
        (attach, "--stream", "app-logs", "--zip", layer_zip),
        (upgrade, "--zip", layer_zip),
        (detach,),
    ):
        output = run(command, "orders", *args).output
        assert "ublished version" not in output
        assert "alias" not in output
