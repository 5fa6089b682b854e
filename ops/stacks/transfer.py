"""Brings a deployment of another stack to this one: release, models and manifest, each held against its digest twice.

The manifest comes last: a deployment that has it is whole. Again brings only what is missing, so that a transfer that
was broken off goes on.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contract import S3
from ops import canonical, deployment, integrity
from ops.errors import UserError
from ops.node_python import Progress
from ops.stacks.other import Other
from ops.store import Store, manifest_key

HINT = "make the deployment anew in that stack, and try again"


def bring(at: Store, other: Other, deployment_id: str | None, progress: Progress = lambda _: None) -> str:
    """The id of the other stack's deployment, the current one without an id; it is in this one's bucket then, whole.

    Raises `UserError` when anything is not what it is called, on either side. Nothing is activated.
    """
    progress(f"asking stack {other.name}")
    found = other.show(deployment_id)
    manifest, identity = found["manifest"], str(found["id"])
    if (found["bucket"], found["region"]) == (at.bucket, at.region):
        raise UserError(f"{other.name} is this very stack", "name the stack that the deployment comes from")
    if deployment.identify(canonical.json_bytes(manifest)) != identity:
        raise UserError(f"stack {other.name}: deployment {identity} is not what it is called", HINT)
    if not manifest["models"]:
        raise UserError(f"deployment {identity} of stack {other.name} serves no model", "deliver one there first")
    with tempfile.TemporaryDirectory(prefix="slipway-transfer-") as folder:
        _copy(at, other, dict(digests(manifest)), Path(folder), progress)
    made = deployment.publish(at, manifest, found["measured"])
    if at.manifest(made) != manifest:
        raise UserError(f"{manifest_key(made)} in this stack's bucket says something else", "remove it, and try again")
    return made


def digests(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each object that nodes fetch for this deployment, and the digest of the tar that it must hold."""
    yield f"{S3.releases}{manifest['release']}.tar.zst", manifest["release"]
    for model in manifest["models"]:
        yield f"{S3.models}{model['digest']}.tar", model["digest"]
        if compiled := model.get("compiled"):
            yield f"{S3.models}{compiled['digest']}.tar", compiled["digest"]


def _copy(at: Store, other: Other, wanted: Mapping[str, str], scratch: Path, progress: Progress) -> None:
    missing = {key: digest for key, digest in wanted.items() if not at.has(key)}
    progress(f"fetching {len(missing)} of {len(wanted)} objects")
    fetched = other.fetch(scratch, list(missing))
    for key, digest in missing.items():
        if (actual := integrity.digest_of(fetched[key])) != digest:
            reason = f"its digest is {actual or 'that of no archive'}"
            raise UserError(f"stack {other.name}: {key} is not what it is called: {reason}", HINT)
    for key in missing:
        progress(f"copying {key}")
        at.put(key, fetched[key])
    for key, digest in wanted.items():
        progress(f"verifying {key}")
        if wrong := integrity.wrong(at, key, digest, scratch):
            raise UserError(wrong, "remove it from this stack's bucket, and try again")
