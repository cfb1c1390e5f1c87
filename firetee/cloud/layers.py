"""Layer versions: find the one with this very content, or publish it.

The content's hash stands in the version's description, so that one `ListLayerVersions` finds it; `GetLayerVersion` then
confirms it against Lambda's own hash. Publishing the same zip twice makes one version.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firetee import layer
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, explain, is_missing
from firetee.cloud.state import KNOWN_RUNTIMES
from firetee.layer import Release

_COMPILED_FOR = re.compile(r"compiled for ([\d. ]*)\. ")
_SHA_IN_DESCRIPTION = re.compile(r"sha256:([A-Za-z0-9+/]{43}=)")
_OUR_DESCRIPTION = re.compile(r"firetee(?: (\S+ [0-9a-f]{12}))?: function output to Data Firehose\b")
MAX_UPLOAD_BYTES = 50 * 1000 * 1000
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 50 MB zipped, uploaded directly."""
REGIONS_AT_ONCE = 8
"""A choice: the upload of a small zip waits for the network, not for the processor."""


@dataclass(frozen=True)
class LayerZip:
    """The layer's zip, with the hash as Lambda gives it (`CodeSha256`: base64 of SHA-256)."""

    content: bytes
    sha256: str
    release: Release | None = None
    """What the layer inside says it is."""

    @classmethod
    def read(cls, path: Path) -> LayerZip:
        """Raises CloudError if there is no such file, or if Lambda would not take it."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CloudError(f"Cannot read {path}: {error.strerror}.", "Run `firetee layer build` first.") from error
        if len(content) > MAX_UPLOAD_BYTES:
            raise CloudError(f"{path} has {len(content):,} bytes; Lambda takes {MAX_UPLOAD_BYTES:,}.")
        return cls(content, base64.b64encode(hashlib.sha256(content).digest()).decode())

    @property
    def compiled_for(self) -> str:
        """The versions of Python (`3.13 3.14`) that it has compiled modules for."""
        try:
            return " ".join(layer.compiled_for(io.BytesIO(self.content)))
        except zipfile.BadZipFile:  # Lambda will say so
            return ""


@dataclass(frozen=True)
class Published:
    """A layer version; `new` if this call made it."""

    arn: str
    version: int
    new: bool


def find(cloud: Cloud, name: str, sha256: str) -> Published | None:
    """The newest version of the layer with this content, or None."""
    client = cloud.client("lambda")
    try:
        pages: list[dict[str, Any]] = list(client.get_paginator("list_layer_versions").paginate(LayerName=name))
    except Exception as error:
        if is_missing(error):
            return None
        raise
    for version in (each for page in pages for each in page["LayerVersions"]):
        claimed = _SHA_IN_DESCRIPTION.search(version.get("Description") or "")
        if claimed and claimed.group(1) == sha256:
            content = client.get_layer_version(LayerName=name, VersionNumber=version["Version"])["Content"]
            if content["CodeSha256"] == sha256:
                return Published(version["LayerVersionArn"], int(version["Version"]), new=False)
    return None


def read_version(cloud: Cloud, layer_version_arn: str) -> dict[str, Any]:
    """`GetLayerVersion` of the ARN, whoever's layer it is."""
    layer, _, version = layer_version_arn.rpartition(":")
    answer: dict[str, Any] = cloud.client("lambda").get_layer_version(LayerName=layer, VersionNumber=int(version))
    return answer


def newest(cloud: Cloud, name: str) -> str:
    """The ARN of the newest version of the layer in this account; empty if there is none."""
    versions = cloud.client("lambda").list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
    return str(versions[0]["LayerVersionArn"]) if versions else ""


def description_of(cloud: Cloud, version_arn: str) -> str:
    """What a layer version says of itself; it never changes, and is asked once."""
    return cloud.once(
        ("description", version_arn), lambda: str(read_version(cloud, version_arn).get("Description") or "")
    )


def compiled_for(cloud: Cloud, version_arn: str) -> tuple[str, ...] | None:
    """The versions of Python that a layer version says it is compiled for; None if it does not say."""
    said = _COMPILED_FOR.search(description_of(cloud, version_arn))
    return tuple(said[1].split()) if said else None


def description(zip_: LayerZip) -> str:
    """What stands in a version's description: the release, the Pythons it is compiled for, and the zip's hash."""
    release = f" {zip_.release}" if zip_.release else ""
    what = f"firetee{release}: function output to Data Firehose, compiled for {zip_.compiled_for}."
    return f"{what} sha256:{zip_.sha256}"


def release_of(cloud: Cloud, layer_version_arn: str) -> str:
    """The release that a version's description names (`0.1.0 0123456789ab`); empty if it names none."""
    found = _OUR_DESCRIPTION.match(description_of(cloud, layer_version_arn))
    return (found.group(1) or "") if found else ""


def is_our_description(text: str) -> bool:
    """Whether a version's description is one that `description` writes."""
    return _OUR_DESCRIPTION.match(text) is not None


def publish(cloud: Cloud, name: str, zip_: LayerZip) -> Published:
    """Publish the zip as a new version."""
    answer = cloud.client("lambda").publish_layer_version(
        LayerName=name,
        Description=description(zip_),
        Content={"ZipFile": zip_.content},
        CompatibleRuntimes=list(KNOWN_RUNTIMES),
        CompatibleArchitectures=["x86_64", "arm64"],
        LicenseInfo="MIT",
    )
    return Published(answer["LayerVersionArn"], int(answer["Version"]), new=True)


def find_or_publish(cloud: Cloud, name: str, zip_: LayerZip) -> Published:
    """The version with this content, published if need be."""
    return find(cloud, name, zip_.sha256) or publish(cloud, name, zip_)


def share(cloud: Cloud, name: str, version: int) -> None:
    """Let every AWS account use this version. Doing it again changes nothing."""
    try:
        cloud.client("lambda").add_layer_version_permission(
            LayerName=name,
            VersionNumber=version,
            StatementId="public",
            Action="lambda:GetLayerVersion",
            Principal="*",
        )
    except cloud.client("lambda").exceptions.ResourceConflictException:
        return  # the statement is there already


@dataclass(frozen=True)
class RegionResult:
    """How it went in one region: either `published` or `problem`."""

    region: str
    published: Published | None
    problem: CloudError | None


def publish_everywhere(
    cloud: Cloud,
    regions: Sequence[str],
    name: str,
    zip_: LayerZip,
    *,
    public: bool = False,
    on_done: Callable[[RegionResult], None] = lambda result: None,
) -> list[RegionResult]:
    """Publish in every region at once. One region's failure does not stop the others.

    `on_done` is called on the calling thread as each region ends; the results come in the order of `regions`.
    """

    def one(region: str) -> RegionResult:
        try:
            there = cloud.in_region(region)
            published = find_or_publish(there, name, zip_)
            if public:
                share(there, name, published.version)
        except Exception as error:  # noqa: BLE001 - a region's failure is a result
            return RegionResult(region, None, explain(error))
        return RegionResult(region, published, None)

    results: dict[str, RegionResult] = {}
    with ThreadPoolExecutor(min(REGIONS_AT_ONCE, max(1, len(regions)))) as pool:
        for future in as_completed([pool.submit(one, region) for region in regions]):
            result = future.result()
            results[result.region] = result
            on_done(result)
    return [results[region] for region in regions]
