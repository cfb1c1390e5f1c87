"""The commands in the docs work: each page's ```console blocks are run in order, and what they show is what comes.

A page starts in an empty folder, against a fake account that holds one function, `orders`. `firetee` runs in this
process. Any other command belongs into a block marked `<!-- not run: why -->`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from firetee import fetch, runtimes
from firetee.cli import main
from firetee.cloud.aws import Cloud
from tests.firetee.cloud.fake_aws import FakeAws
from tests.firetee.cloud.fixtures import Account, account, aws, boto_session, server, write_layer_zip

__all__ = ["account", "aws", "server"]

DOCS = fetch.ROOT / "docs"
BLOCK = re.compile(r"^(?P<indent>[ ]*)```console\n(?P<body>.*?)\n(?P=indent)```", re.DOTALL | re.MULTILINE)
PAGES = sorted(path.name for path in DOCS.glob("*.md") if "```console" in path.read_text(encoding="utf-8"))


def commands(page: str) -> list[tuple[str, list[str]]]:
    """The page's commands that are to be run, each with the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        if _is_marked(block):
            continue
        for line in block["body"].splitlines():
            line = line.removeprefix(block["indent"])
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip() not in {"", "..."}:
                found[-1][1].append(line)
    return found


def _is_marked(block: re.Match[str]) -> bool:
    """Whether the line above the block marks it as not to be run."""
    above = block.string[: block.start()].rstrip("\n").rsplit("\n", 1)[-1].strip()
    return above.startswith("<!-- not run: ")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(
    page: str, account: Account, aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.function("orders", tags={"team": "web"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for command, shown in commands(page):
        program, *arguments = shlex.split(command)
        assert program == "firetee", f"{command}: mark the block <!-- not run: why -->"
        result = CliRunner().invoke(
            main,
            arguments,
            obj=lambda region: Cloud(region, sleep=lambda seconds: None, session=boto_session()),
            catch_exceptions=False,
        )
        assert result.exit_code == (1 if any("PROBLEM" in line for line in shown) else 0), f"{command}\n{result.output}"
        for line in shown:
            assert line.strip() in result.output, f"{command}\n{result.output}"


def test_every_page_with_commands_is_run() -> None:
    assert {"install.md", "migration.md", "troubleshooting.md"} <= set(PAGES)


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_link_between_the_docs_leads_somewhere(page: str) -> None:
    for target, anchor in re.findall(
        r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", (DOCS / page).read_text(encoding="utf-8")
    ):
        path = (DOCS / target).resolve() if target else DOCS / page
        assert path.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in _anchors(path), f"{page} links to {target}#{anchor}"


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("command", ["attach", "upgrade", "status", "doctor", "detach"])
def test_what_a_command_asks_of_aws_stands_in_the_table_of_permissions(
    command: str, account: Account, aws: FakeAws, tmp_path: Path
) -> None:
    table = (DOCS / "security.md").read_text(encoding="utf-8")
    rows = [line.split(" | ", 1) for line in table.splitlines() if line.startswith("| ")]
    needs = "".join(need for who, need in rows if f"`{command}" in who or "any of these" in who)
    account.function("orders", tags={"team": "web"})
    account.stream()
    zip_ = write_layer_zip(tmp_path / "layer.zip", runtimes.MINORS)
    first = ["attach", "orders", "--stream", "app-logs", "--zip", str(zip_)]
    newer = write_layer_zip(tmp_path / "newer.zip", ["3.12"])
    arguments = {
        "attach": ["--stream", "app-logs", "--zip", str(zip_)],
        "upgrade": ["--zip", str(newer)],
    }
    second = [command, "--tag", "team=web", *arguments.get(command, [])]
    for line in ([] if command == "attach" else [first]) + [second]:
        aws.calls.clear()
        result = CliRunner().invoke(main, line, obj=lambda region: Cloud(region, session=boto_session()))
        assert result.exit_code == 0, result.output
    missing = {call for call in aws.calls if f":{call}`" not in needs and not call.startswith("GET")}
    assert missing == set()
