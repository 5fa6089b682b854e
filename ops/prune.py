"""What of deployments, releases and models may leave the bucket: what no rollback can want any more.

Kept is what is served, what was served before it, the last few that were brought, all that recent history names, and
whatever is younger than that. Removed are only manifests that are none of these, and what nobody but them names: a
release that no manifest names is somebody else's (the control release), and the stack's first deployment, which has no
model, is the program's own.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import boto3

from contract import S3
from ops.rollout.history import History, Outcome
from ops.rollout.objects import Objects
from ops.store import Store

AT_ONCE = 1000  # S3's own bound on one deletion

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Stored:
    key: str
    size: int
    modified: datetime

    @property
    def name(self) -> str:
        """The id or digest that it is of: `deployments/<id>.json` and what lies beside it under the same one."""
        return self.key.rpartition("/")[2].partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`kept` says why, by deployment."""

    kept: dict[str, str]
    removed: list[Stored] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(each.size for each in self.removed)


def plan(at: Store, keep: int, days: int) -> Plan:
    """What would go. `keep` is how many deployments stay at least, `days` how far back history is held."""
    now = Objects(at).now()
    stored = {prefix: list(_list(at, prefix)) for prefix in (S3.deployments, S3.releases, S3.models)}
    manifests = {each.name: at.manifest(each.name) for each in stored[S3.deployments] if _is_manifest(each)}
    young = {each.name for each in stored[S3.deployments] if each.modified > now - timedelta(days=days)}
    kept = _kept(at, keep, now - timedelta(days=days))
    kept = dict.fromkeys(sorted(young & manifests.keys()), "is younger") | kept
    kept |= {name: "has no model: the stack's first" for name, each in manifests.items() if not each["models"]}
    gone = {name: each for name, each in manifests.items() if name not in kept}
    wanted = set(_digests(manifests[name] for name in kept if name in manifests))
    orphaned = set(_digests(gone.values())) - wanted
    names = gone.keys() | orphaned
    return Plan(kept=kept, removed=[each for each in itertools.chain(*stored.values()) if each.name in names])


def remove(at: Store, removed: list[Stored]) -> None:
    """Manifests first: what still has its manifest is whole."""
    client = boto3.client("s3", region_name=at.region)
    ordered = sorted(removed, key=lambda each: not each.key.startswith(S3.deployments))
    for start in range(0, len(ordered), AT_ONCE):
        keys = [{"Key": each.key} for each in ordered[start : start + AT_ONCE]]
        client.delete_objects(Bucket=at.bucket, Delete={"Objects": keys, "Quiet": True})


def _kept(at: Store, keep: int, since: datetime) -> dict[str, str]:
    """Why each deployment that history or the pointer names stays; the strongest reason is the last one given."""
    recent: dict[str, str] = {}
    brought: dict[str, str] = {}
    previous = ""
    pointer = at.pointer()
    for record in History(at).newest_first():
        if datetime.fromisoformat(record.started) >= since:
            recent |= dict.fromkeys((record.deployment, record.previous), "history names it")
        if record.outcome is Outcome.DONE and len(brought) < keep:
            brought[record.deployment] = f"one of the last {keep}"
        if record.deployment == pointer != record.previous and not previous:
            previous = record.previous
    pair = at.read(S3.previous) or {}
    for name in (previous, pair.get("previous"), pair.get("before")):
        if name:
            brought[name] = "was served before"
    if trial := (at.read(S3.trial) or {}).get("deployment"):
        brought[trial] = "is on trial"
    return recent | brought | {pointer: "is served"}


def _is_manifest(each: Stored) -> bool:
    """`deployments/` also holds what is no deployment: the last commit, and the candidate on trial."""
    return each.key == f"{S3.deployments}{each.name}.json" and each.key not in (S3.previous, S3.trial)


def _digests(manifests: Iterable[Manifest]) -> Iterator[str]:
    for manifest in manifests:
        yield manifest["release"]
        yield from (model["digest"] for model in manifest["models"])


def _list(at: Store, prefix: str) -> Iterator[Stored]:
    pages = boto3.client("s3", region_name=at.region).get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=at.bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield Stored(key=entry["Key"], size=entry["Size"], modified=entry["LastModified"])
