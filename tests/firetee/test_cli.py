"""The command line helps without arguments, and imports a command only to run it."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from firetee import __version__
from firetee.cli import COMMANDS, GROUPS, main, unserved


def test_without_arguments_it_lists_every_command_with_a_line_of_help() -> None:
    result = CliRunner().invoke(main, [])
    for name in {name.split()[0] for name in COMMANDS}:
        assert f"  {name} " in result.output
    assert GROUPS[""].split(",")[0] in result.output
    assert "Exit codes" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_helps(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"], prog_name="firetee")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: firetee {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_of_its_own(name: str) -> None:
    group: click.Command = main
    for word in name.split():
        assert isinstance(group, click.Group)
        found = group.get_command(click.Context(group), word)
        assert found is not None
        group = found
    assert group.help


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["fly"]).exit_code == 2
    assert CliRunner().invoke(main, ["layer", "fly"]).exit_code == 2


def test_help_imports_neither_boto3_nor_rich() -> None:
    program = (
        "import sys; from firetee.cli import main; main(['--help'], standalone_mode=False); "
        "sys.exit(' '.join({'boto3', 'rich', 'moto'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_it_runs_as_a_module_and_tells_its_version() -> None:
    command = [sys.executable, "-m", "firetee", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert __version__ in done.stdout


def test_json_is_json_also_where_the_command_is_unknown_or_an_argument_is_missing() -> None:
    for arguments in (["nosuch", "--json"], ["attach", "--json"], ["doctor", "--json"], ["layer", "nosuch", "--json"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert json.loads(result.stdout)["error"]


@pytest.mark.parametrize(
    ("command", "system", "why"),
    [
        ("local", "Linux", ""),
        ("local", "Darwin", "AWS's emulator is a program for Linux, this is Darwin"),
        ("attach", "Darwin", ""),
        ("attach", "Windows", "need Linux or macOS, this is Windows: use WSL"),
    ],
)
def test_a_system_on_which_a_command_cannot_run_is_told_before_anything_is_fetched(
    command: str, system: str, why: str
) -> None:
    assert why in unserved(command, system)
    assert bool(why) == bool(unserved(command, system))
