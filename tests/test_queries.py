"""The queries of docs/query.md, run by DuckDB over files that are laid out as a stream lays them out.

DuckDB stands in for Athena: real SQL over real files, with the table that the page declares.
"""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from firetee import fetch

PAGE = (fetch.ROOT / "docs" / "query.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(SELECT.*?)```", PAGE, re.DOTALL)
COLUMNS = {"time": "VARCHAR", "type": "VARCHAR", "record": "VARCHAR", "level": "VARCHAR", "requestId": "VARCHAR"}
COLUMNS |= {"function": "VARCHAR", "environment": "VARCHAR", "seq": "BIGINT"}


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a bucket in the current folder: an error that was delivered twice, and an ordinary line."""
    now = datetime.now(timezone.utc)
    error: dict[str, Any] = {"time": "2026-11-23T13:50:32Z", "type": "function", "level": "ERROR"}
    error |= {"record": {"errorType": "KeyError"}}
    error |= {"requestId": "r", "function": "orders", "environment": "9f86d0818842", "seq": 1}
    plain = {**error, "record": "fine", "level": "INFO", "seq": 0}
    folder = tmp_path / "lines" / f"day={now:%Y-%m-%d}" / f"hour={now:%H}"
    folder.mkdir(parents=True)
    content = "".join(json.dumps(each) + "\n" for each in (plain, error, error))
    (folder / "firetee-1.gz").write_bytes(gzip.compress(content.encode()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("query", QUERIES, ids=["errors", "one function", "DuckDB"])
def test_a_query_of_the_page_finds_the_error_once(query: str) -> None:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in COLUMNS.items())
    source = f"read_json('lines/**/*.gz', format='newline_delimited', columns={{{columns}}}, hive_partitioning=true)"
    for table in ("lines", "lines_of_function"):
        database.execute(f"CREATE VIEW {table} AS SELECT * REPLACE (CAST(day AS varchar) AS day) FROM {source}")
    cursor = database.execute(query.replace("PUT THE NAME HERE", "orders"))
    names = [each[0] for each in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found = [row for row in rows if "KeyError" in str(row["record"])]
    assert [(row["environment"], row["seq"]) for row in found] == [("9f86d0818842", 1)]
