"""Every field of an envelope is a column of each table that the project offers: Parquet drops what is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: The envelope's fields, see README, "What a line looks like".
FIELDS = {
    *("time", "type", "record", "stream", "level", "requestId", "traceId", "spanId", "xrayTraceId", "sampled"),
    *("invocationId", "durableExecutionArn", "durableFirstInvocation", "tenantId", "coldStart", "function", "version"),
    *("environment", "tags", "seq", "part"),
}


def tables() -> dict[str, set[str]]:
    """Each table's columns, but for those that the place of an object gives."""
    terraform = (ROOT / "deploy" / "terraform" / "table.tf").read_text(encoding="utf-8")
    sam = (ROOT / "deploy" / "template.yaml").read_text(encoding="utf-8")
    query = (ROOT / "docs" / "query.md").read_text(encoding="utf-8")
    found = {"Terraform": set(re.findall(r"^ {4}(\w+) += ", terraform[: terraform.index("  }\n}")], re.MULTILINE))}
    for number, block in enumerate(re.findall(r"Columns:\n((?: +- \{ Name: .*\n)+)", sam), 1):
        found[f"SAM, {number}"] = set(re.findall(r"Name: (\w+)", block))
    ddl = query[query.index("CREATE EXTERNAL TABLE lines (") : query.index(")\nPARTITIONED BY")]
    found["docs"] = set(re.findall(r"(\w+) (?:string|boolean|bigint|array|map)", ddl))
    return found


@pytest.mark.parametrize("table", ["Terraform", "SAM, 1", "SAM, 2", "docs"])
def test_every_field_of_an_envelope_is_a_column(table: str) -> None:
    """But for the function's name in the table of one function each, whose folder tells it."""
    told_by_the_folder = {"function"} if table == "SAM, 2" else set()
    assert tables()[table] == {name.lower() for name in FIELDS} - told_by_the_folder


def test_the_fields_are_those_that_the_readme_explains() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme[readme.index("## What a line looks like") :]
    section = section[: section.index("\n## ", 3)]
    assert {name for name in FIELDS if not re.search(rf"\b{name}\b", section)} == set()
