"""Brings a deployment's files onto the disk, each under its digest, and nothing under a digest that it does not have.

An archive is unpacked in a folder beside its place, which gets its name when the digest has been seen to fit. Whoever
wants the same meanwhile waits for that folder's lock: a deployment may be prepared while another one is activated.
GNU tar unpacks: it writes nothing outside its folder, and Debian 12's Python has no extraction filters yet.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from slipway_node import room
from slipway_node.cloud import CHUNK_BYTES, Cloud
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
    found = manifest(node, cloud, deployment_id)
    files(node, cloud, found)
    return found


def manifest(node: Node, cloud: Cloud, deployment_id: str) -> Manifest:
    """The manifest alone. Raises `ActivationError` fetch or digest."""
    return read_manifest(node, deployment_id) or _fetch_manifest(node, cloud, deployment_id)


def files(node: Node, cloud: Cloud, wanted: Manifest) -> None:
    """The release and the models that a manifest names. Raises `ActivationError` fetch or digest."""
    release(node, cloud, wanted.release)
    for digest in wanted.model_digests:
        _have(node.models / digest, f"{node.keys['models']}{digest}.tar", cloud)


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
    place = node.deployments / f"{deployment_id}.json"
    with _draft(place) as folder:
        cloud.download(f"{node.keys['deployments']}{place.name}", folder / "archive")
        found = parse_manifest(deployment_id, (folder / "archive").read_bytes())
        (folder / "archive").replace(place)
    return found


def _have(place: Path, key: str, cloud: Cloud) -> None:
    if place.is_dir():
        return
    with _draft(place) as folder:
        if place.is_dir():
            return
        room.require(place.parent, key, cloud.size(key))
        log("fetch", object=key)
        (folder / "files").mkdir()
        cloud.download(key, folder / "archive")
        actual = unpack(folder / "archive", folder / "files")
        if actual != place.name:
            raise ActivationError("digest", f"{key}: what came has the digest {actual}")
        (folder / "files").rename(place)


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """An empty folder beside `place`, for one process at a time; what a crash left of it the next one empties."""
    folder = place.with_name(f".{place.name}.partial")
    while True:
        folder.mkdir(exist_ok=True)
        with _locked(folder, wait=True) as held:
            if not held:
                continue
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            try:
                yield folder
            finally:
                shutil.rmtree(folder)
            return


def discard(entry: Path) -> bool:
    """Removes what is kept here no more. Returns False and leaves it when somebody is filling it."""
    if not entry.is_dir():
        entry.unlink()
        return True
    with _locked(entry, wait=False) as held:
        if held:
            shutil.rmtree(entry)
        return held


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this process has the folder for itself: not when another has it, or it was removed while it was asked."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locks(handle, wait=wait) and folder.exists() and os.path.samestat(os.fstat(handle), folder.stat())
    finally:
        os.close(handle)


def _locks(handle: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unpack(archive: Path, folder: Path) -> str:
    """Unpacks a tar, which may be compressed with zstd, into `folder`; returns the sha256 of the tar itself."""
    read = ["zstd", "--decompress", "--stdout", "--quiet", "--pass-through", str(archive)]
    unpacker = ["tar", "--extract", "--no-same-owner", "--no-same-permissions", "--file=-", f"--directory={folder}"]
    digest = hashlib.sha256()
    with (
        subprocess.Popen(read, stdout=subprocess.PIPE) as zstd,
        subprocess.Popen(unpacker, stdin=subprocess.PIPE, umask=0o022) as tar,
    ):
        source, target = cast(IO[bytes], zstd.stdout), cast(IO[bytes], tar.stdin)
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            with suppress(BrokenPipeError):  # tar has ended before its time, and its status says so
                target.write(chunk)
        with suppress(BrokenPipeError):
            target.close()
    if tar.returncode:
        raise ActivationError("digest", f"tar cannot unpack what came: exit status {tar.returncode}")
    return digest.hexdigest()
