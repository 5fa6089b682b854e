"""Brings a deployment's files onto the disk, each under its digest, and nothing under a digest that it does not have.

An archive is unpacked in a folder beside its place, which gets its name when the digest has been seen to fit.
GNU tar unpacks: it writes nothing outside its folder, and Debian 12's Python has no extraction filters yet.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from slipway_node.cloud import Cloud
from slipway_node.node import ActivationError, Node, log

SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """A deployment's manifest: its canonical bytes, and what they say."""

    id: str
    content: bytes
    release: str
    models: list[dict[str, Any]]

    @property
    def model_digests(self) -> list[str]:
        """Of the models, and of their compiled forms."""
        own = [model["digest"] for model in self.models]
        return own + [model["compiled"]["digest"] for model in self.models if "compiled" in model]


def deployment(node: Node, cloud: Cloud, deployment_id: str) -> Manifest:
    """The manifest of that id with its release and models on the disk. Raises `ActivationError` fetch or digest."""
    manifest = read_manifest(node, deployment_id) or _fetch_manifest(node, cloud, deployment_id)
    release(node, cloud, manifest.release)
    for digest in manifest.model_digests:
        _have(node.models / digest, f"{node.keys['models']}{digest}.tar", cloud)
    return manifest


def release(node: Node, cloud: Cloud, digest: str) -> Path:
    """The folder of a release. Raises `ActivationError` fetch or digest."""
    place = node.releases / digest
    _have(place, f"{node.keys['releases']}{digest}.tar.zst", cloud)
    return place


def read_manifest(node: Node, deployment_id: str) -> Manifest | None:
    """The copy on this disk, None when there is none or it is not what its name says."""
    try:
        return parse_manifest(deployment_id, (node.deployments / f"{deployment_id}.json").read_bytes())
    except (FileNotFoundError, ActivationError):
        return None


def parse_manifest(deployment_id: str, content: bytes) -> Manifest:
    actual = hashlib.sha256(content).hexdigest()
    if not actual.startswith(deployment_id) or len(deployment_id) != 12:
        raise ActivationError("digest", f"deployment {deployment_id}: its manifest has the id {actual[:12]}")
    manifest = json.loads(content)
    if manifest.get("schema") != SCHEMA:
        raise ActivationError(
            "digest", f"deployment {deployment_id}: schema {manifest.get('schema')}, this node reads {SCHEMA}"
        )
    return Manifest(deployment_id, content, manifest["release"], manifest["models"])


def _fetch_manifest(node: Node, cloud: Cloud, deployment_id: str) -> Manifest:
    partial = node.deployments / f".{deployment_id}.partial"
    cloud.download(f"{node.keys['deployments']}{deployment_id}.json", partial)
    manifest = parse_manifest(deployment_id, partial.read_bytes())
    partial.replace(node.deployments / f"{deployment_id}.json")
    return manifest


def _have(place: Path, key: str, cloud: Cloud) -> None:
    if place.is_dir():
        return
    log("fetch", object=key)
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "files").mkdir(parents=True)
    try:
        cloud.download(key, partial / "archive")
        actual = unpack(partial / "archive", partial / "files")
        if actual != place.name:
            raise ActivationError("digest", f"{key}: what came has the digest {actual}")
        (partial / "files").rename(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def unpack(archive: Path, folder: Path) -> str:
    """Unpacks a tar, which may be compressed with zstd, into `folder`; returns the sha256 of the tar itself."""
    read = ["zstd", "--decompress", "--stdout", "--quiet", "--pass-through", str(archive)]
    unpacker = ["tar", "--extract", "--no-same-owner", "--no-same-permissions", "--file=-", f"--directory={folder}"]
    with subprocess.Popen(read, stdout=subprocess.PIPE) as tar_stream:
        tar = subprocess.Popen(unpacker, stdin=tar_stream.stdout, umask=0o022)
        with subprocess.Popen(read, stdout=subprocess.PIPE) as again:
            digest = hashlib.file_digest(cast(BufferedReader, again.stdout), "sha256")
        if tar.wait():
            raise ActivationError("digest", f"tar cannot unpack what came: exit status {tar.returncode}")
    return digest.hexdigest()
