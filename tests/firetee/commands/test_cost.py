"""`firetee cost` computes with the numbers that it is given."""

from __future__ import annotations

import json

from click.testing import CliRunner

from firetee.cli import main


def test_the_table_names_every_way_and_its_price() -> None:
    result = CliRunner().invoke(main, ["cost"])
    assert result.exit_code == 0, result.output
    for title in ("firetee, together", "CloudWatch Logs, standard class", "Lambda's own delivery to Firehose"):
        assert title in result.output


def test_json_has_load_prices_bytes_and_dollars() -> None:
    arguments = ["cost", "--invocations", "1000", "--lines", "1", "--firehose-gb", "1", "--added-ms", "0", "--json"]
    document = json.loads(CliRunner().invoke(main, arguments).output)
    assert document["load"]["invocations"] == 1000
    assert document["billed_bytes"]["firehose"] == 1000 * 5 * 1024
    assert document["dollars"]["firetee"] == 1000 * 5 * 1024 / (1 << 30)


def test_a_negative_number_is_wrong_usage_also_in_json() -> None:
    result = CliRunner().invoke(main, ["cost", "--lines", "-1", "--json"])
    assert result.exit_code == 2
    assert "error" in json.loads(result.output)
