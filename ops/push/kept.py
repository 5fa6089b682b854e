"""The repository's copy in the stack's bucket, as one git bundle: it outlives the node that the repository is on."""

import tempfile
from pathlib import Path

import boto3

from contract import S3
from ops import s3, store
from ops.push.repository import NOTHING, Repository
from ops.store import Store

SETTING = "slipway.kept"
"""Only a repository that says so is copied: one on an operator's machine is that operator's to keep."""


def key(branch: str) -> str:
    return f"{S3.pushed}{branch.replace('/', '-')}.bundle"


def keep(repository: Repository) -> None:
    """Copies it, if it is one to be kept. Raises `UserError`."""
    if repository.setting(SETTING) != "true" or repository.tip() == NOTHING:
        return
    at = store.current()
    with tempfile.TemporaryDirectory(prefix="slipway-bundle-") as scratch:
        bundle = Path(scratch) / "bundle"
        repository.git("bundle", "create", "--quiet", bundle, repository.reference)
        client = boto3.client("s3", region_name=at.region)
        s3.put(client, at.bucket, key(repository.branch), bundle.read_bytes(), {})


def restore(repository: Repository, at: Store) -> bool:
    """Brings back what was kept, into a repository that has no commit yet. Returns whether there was something."""
    if repository.tip() != NOTHING or not at.has(key(repository.branch)):
        return False
    with tempfile.TemporaryDirectory(prefix="slipway-bundle-") as scratch:
        bundle = Path(scratch) / "bundle"
        at.get(key(repository.branch), bundle)
        repository.git("fetch", "--quiet", bundle, f"{repository.reference}:{repository.reference}")
    return True
