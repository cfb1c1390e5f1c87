"""A SAM template as the CloudFormation template that the service makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.deploy.tools import SAM_TRANSLATOR, imported


class _NoManagedPolicies:
    """The translator asks AWS for the names of managed policies; our templates use none."""

    def load(self) -> dict[str, str]:
        return {}


def expand(template: Path, artifact: dict[str, str]) -> dict[str, Any]:
    """The template expanded. What it would upload (layer, code) is taken from `artifact` (`Bucket`, `Key`) instead.

    Raises the translator's InvalidDocumentException on anything that SAM would refuse.
    """
    transform = imported("samtranslator.translator.transform", SAM_TRANSLATOR).transform
    yaml_parse = imported("samtranslator.yaml_helper", SAM_TRANSLATOR).yaml_parse
    source = yaml_parse(template.read_text(encoding="utf-8"))
    for resource in source["Resources"].values():
        for key in ("ContentUri", "CodeUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = dict(artifact)
    expanded: dict[str, Any] = transform(source, {}, _NoManagedPolicies())
    return expanded
