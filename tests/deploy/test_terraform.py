"""The Terraform module: formatted, and every argument one that the AWS provider has.

The provider itself cannot be had without HashiCorp's registry, so `terraform validate` is out of reach here; typed
bindings of the provider tell its schema instead (see `provider`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.provider import Block, schema
from tests.deploy.sam import expand
from tests.deploy.tools import DEPLOY, HCL, imported

MODULE = DEPLOY / "terraform"
TERRAFORM = shutil.which("terraform")
META = {"count", "for_each", "depends_on", "provider"}


def load(path: Path) -> dict[str, Any]:
    """A file of Terraform's language as data; text keeps its quotes, expressions are `${...}`."""
    found: dict[str, Any] = imported("hcl2", *HCL).loads(path.read_text(encoding="utf-8"))
    return found


def bare(text: str) -> str:
    return text.strip('"')


def is_argument(key: str) -> bool:
    """Whether a key is the provider's affair: not Terraform's own, and not a mark that the parser sets."""
    return key not in META and not key.startswith("__")


def declared() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Each resource and data source of the module: kind, type, name, body."""
    for path in sorted(MODULE.glob("*.tf")):
        for kind, section in (("resources", "resource"), ("data-sources", "data")):
            for entry in load(path).get(section, []):
                for type_, named in entry.items():
                    for name, body in named.items():
                        yield kind, bare(type_), bare(name), body


@pytest.mark.timeout(300)  # the first run fetches the bindings, which are large
def test_every_argument_is_one_that_the_provider_has() -> None:
    found: list[str] = []
    for kind, type_, name, body in declared():
        known = schema(kind, type_)
        found += mistakes(body, known, known, f"{type_}.{name}")
    assert found == []


def test_the_check_itself_finds_a_wrong_argument_a_missing_one_and_a_wrong_kind() -> None:
    known = schema("resources", "aws_kinesis_firehose_delivery_stream")
    wrong = {
        "destination": '"extended_s3"',
        "nam": '"x"',
        "extended_s3_configuration": [{"role_arn": '"a"'}],
        "tags": 1,
    }
    found = "\n".join(mistakes(wrong, known, known, "it"))
    assert "it.nam: the provider has no such argument" in found
    assert "it: name is required" in found
    assert "it.extended_s3_configuration: bucket_arn is required" in found
    assert "it.tags: takes a map" in found


def mistakes(body: dict[str, Any], block: Block, root: Block, where: str) -> Iterator[str]:
    """What the provider would refuse of a block, as far as its schema tells."""
    given = {bare(key): value for key, value in body.items() if is_argument(bare(key))}
    for entry in given.pop("dynamic", []):
        ((label, dynamic),) = [(key, value) for key, value in entry.items() if is_argument(key)]
        given[bare(label)] = dynamic["content"]
    for missing in [key for key, each in block.arguments.items() if each.required and key not in given]:
        yield f"{where}: {missing} is required"
    for key, value in given.items():
        argument = block.arguments.get(key)
        if argument is None:
            yield f"{where}.{key}: the provider has no such argument"
        elif argument.kind == "block":
            nested = root.blocks.get(argument.block) or block.blocks[argument.block]
            for each in value if isinstance(value, list) else [value]:
                yield from mistakes(each, nested, root, f"{where}.{key}")
        elif not fits(value, argument.kind):
            yield f"{where}.{key}: takes a {argument.kind}, not {value!r}"


def fits(value: Any, kind: str) -> bool:
    """Whether a literal is of the kind; an expression may be anything."""
    if isinstance(value, str) and "${" in value:
        return True
    types: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "number": (int, float),
        "flag": (bool,),
        "map": (dict,),
        "list": (list,),
    }
    return kind not in types or isinstance(value, types[kind])


def test_every_reference_is_to_something_that_is_declared() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in MODULE.glob("*.tf"))
    names = {("data." if kind == "data-sources" else "") + f"{type_}.{name}" for kind, type_, name, _ in declared()}
    code = re.sub(r"#.*", "", text)
    references = set(re.findall(r"(?<![\w.\"/])((?:data\.)?aws_\w+\.\w+)(?=[.\[])", code))
    assert references <= names
    declared_variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    used = set(re.findall(r"\bvar\.(\w+)", code))
    assert used == declared_variables


def test_terraform_finds_the_module_well_formatted() -> None:
    if TERRAFORM is None:  # on a machine without terraform, the parser and the plainest of its rules have to do
        for path in sorted(MODULE.rglob("*.tf")):
            assert load(path)
            assert not re.search(r"\t| +$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return
    result = subprocess.run(
        [TERRAFORM, "fmt", "-check", "-diff", "-recursive", str(MODULE)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_the_terragrunt_example_sets_only_inputs_that_there_are() -> None:
    inputs = load(MODULE / "terragrunt" / "terragrunt.hcl")["inputs"]
    names = {bare(key) for key in (inputs[0] if isinstance(inputs, list) else inputs)} - {"__is_block__"}
    variables = {bare(key) for entry in load(MODULE / "variables.tf")["variable"] for key in entry}
    assert names
    assert names <= variables


def test_the_module_and_the_sam_template_agree() -> None:
    template = (DEPLOY / "template.yaml").read_text(encoding="utf-8")
    module = "\n".join(path.read_text(encoding="utf-8") for path in sorted(MODULE.glob("*.tf")))
    for shared in (
        "lines/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
        "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/",
        "{function: .function}",
        "DeliveryToS3.DataFreshness",
        "NOW-3YEARS,NOW",
    ):
        assert shared in template
        assert shared in module


def _queries_of_the_module() -> dict[str, str]:
    """Each named query's name and text; the name's beginning is the variable's."""
    text = (MODULE / "table.tf").read_text(encoding="utf-8")
    found = re.findall(r'name +\= "\$\{var\.name\}: ([^"]+)".*?<<-SQL\n(.*?)\n  SQL', text, re.DOTALL)
    return {name: re.sub(r"^    ", "", query, flags=re.MULTILINE) for name, query in found}


def test_the_module_and_the_sam_template_have_the_same_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # the translator of SAM asks for one
    resources = expand(DEPLOY / "template.yaml", {"Bucket": "b", "Key": "k"})["Resources"].values()
    queries = [each["Properties"] for each in resources if each["Type"] == "AWS::Athena::NamedQuery"]
    wanted = {each["Name"]["Fn::Sub"].removeprefix("${Name}: "): each["QueryString"].rstrip() for each in queries}
    assert len(wanted) == 5
    assert _queries_of_the_module() == wanted


def test_the_module_and_the_sam_template_have_the_same_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # the translator of SAM asks for one
    resources = expand(DEPLOY / "template.yaml", {"Bucket": "b", "Key": "k"})["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    wanted = {
        each["MetricName"]: (
            each["Statistic"],
            each["ComparisonOperator"],
            each["Threshold"],
            each["EvaluationPeriods"],
            each.get("DatapointsToAlarm", each["EvaluationPeriods"]),
        )
        for each in alarms
    }
    (locals_,) = load(MODULE / "alarms.tf")["locals"]
    found = {
        bare(each["metric"]): (
            bare(each["statistic"]),
            bare(each["operator"]),
            each["threshold"],
            each["periods"],
            each["breaching"],
        )
        for key, each in locals_["alarms"].items()
        if not key.startswith("__")
    }
    assert found == wanted


def test_for_each_goes_over_maps_whose_keys_are_the_callers_and_not_over_values_known_after_apply() -> None:
    variables = {
        bare(name): body for entry in load(MODULE / "variables.tf")["variable"] for name, body in entry.items()
    }
    for _, type_, name, body in declared():
        over = str(body.get("for_each", ""))
        for variable in re.findall(r"var\.(\w+)", over):
            assert "map(" in variables[variable]["type"], f"{type_}.{name}: for_each = {over}"
