"""The beginning of a rollout: the deployment is there, the lock is taken, a keeper stands by, the candidate is checked.

What is refused here is refused before any node is touched.
"""

import getpass
import math
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from ops import candidate
from ops.errors import UserError
from ops.nodes import Node
from ops.rollout import ending, keeper, reach, trial, wanted
from ops.rollout.history import History, Kind, Outcome, identify
from ops.rollout.lock import Lock, LockedError, Owner
from ops.rollout.objects import Objects
from ops.rollout.settings import Delivery
from ops.store import Store

NOTHING = "no serving node runs"
NODE_SECONDS = 180
"""What activating one deployment takes a node at most: the gate gives it 120 seconds, a drain 40."""
SPARE_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What the playbook needs to know. `deadline_seconds` outlasts the rollout, whatever it waits for."""

    rollout: str
    deployment: str
    previous: str
    kind: str
    before: str
    after: str
    nodes: list[str]
    batch: str
    at_once: bool
    """Nothing is served yet that a candidate could be compared with, or that could suffer."""
    bake_seconds: int
    watch_seconds: int
    minimum_requests: int
    keep_deployments: int
    deadline_seconds: int
    percent: int | None = None
    """Of a trial; 0 with a shadow."""
    trial: list[str] = field(default_factory=list)
    """How a node is told of it."""


def plan(
    at: Store,
    bounds: Delivery,
    nodes: Sequence[Node],
    deployment: str | None,
    *,
    kind: Kind,
    rollout: str = "",
    percent: int | None = None,
) -> Rollout:
    """What a rollout of `deployment` would change; None is one that is still to be made."""
    previous = at.pointer()
    return Rollout(
        rollout=rollout,
        deployment=deployment or "to be made",
        previous=previous,
        kind=str(kind),
        before=wanted.description(at, previous),
        after=wanted.description(at, deployment) if deployment else "what is named, once it is made",
        nodes=[node.name for node in nodes],
        batch=f"{bounds.batch_percent}%",
        at_once=not wanted.models(at, previous),
        bake_seconds=bounds.bake_seconds,
        watch_seconds=bounds.watch_seconds,
        minimum_requests=bounds.minimum_requests,
        keep_deployments=bounds.keep_deployments,
        deadline_seconds=deadline_seconds(len(nodes), bounds),
        percent=percent,
        trial=trial.words(deployment or "to be made", percent),
    )


def deadline_seconds(nodes: int, bounds: Delivery) -> int:
    """How long the first node may wait for the last: past it, it decides by the pointer."""
    followers = max(nodes - 1, 0)
    batch = max(1, followers * bounds.batch_percent // 100)
    return (
        (1 + math.ceil(followers / batch)) * NODE_SECONDS + bounds.bake_seconds + bounds.watch_seconds + SPARE_SECONDS
    )


def refuse_if_locked(at: Store) -> None:
    """Before a deployment is made, which takes a while. Raises `LockedError`."""
    held = Lock(at).read()
    if held and not held.expired:
        raise LockedError(held)


def begin(
    at: Store,
    bounds: Delivery,
    nodes: Sequence[Node],
    deployment: str,
    *,
    kind: Kind,
    by: str,
    reason: str,
    controller: int,
    percent: int | None = None,
) -> Rollout:
    """Takes the lock for the process `controller`. Raises `UserError`, having released it and written why."""
    started = Objects(at).now()
    planned = plan(at, bounds, nodes, deployment, kind=kind, rollout=identify(started, deployment), percent=percent)
    owner = _owner(planned, by, reason, started)
    taken_over = Lock(at).take(owner)
    if taken_over:
        ending.write_interrupted(at, taken_over.owner, "its lock expired")
    try:
        if kind is not Kind.ROLLBACK:
            trial.refuse_another(at, deployment)
            _check(at, planned, bounds)
        keeper.start(owner.rollout, controller)
    except UserError as error:
        ending.conclude(at, owner, Outcome.REFUSED, error.message, planned.nodes)
        raise
    return planned


def _owner(planned: Rollout, by: str, reason: str, started: datetime) -> Owner:
    return Owner(
        rollout=planned.rollout,
        deployment=planned.deployment,
        previous=planned.previous,
        kind=planned.kind,
        by=by,
        reason=reason,
        since=started.isoformat(timespec="seconds"),
    )


def _check(at: Store, planned: Rollout, bounds: Delivery) -> None:
    if planned.trial:
        trial.check(reach.current(), planned.deployment, planned.previous, wanted.models(at, planned.previous))
    refusals = candidate.check(at, planned.deployment, planned.previous, bounds)
    if refusals:
        reasons = "; ".join(map(str, refusals))
        raise UserError(f"deployment {planned.deployment} is refused: {reasons}", "no node was touched")


def operator() -> str:
    """Who rolls: SLIPWAY_BY, or the user and the machine."""
    return os.environ.get("SLIPWAY_BY") or f"{getpass.getuser()}@{socket.gethostname()}"


def refuse_without(nodes: Sequence[Node]) -> None:
    """Raises `UserError` when there is nothing to roll to."""
    if not nodes:
        raise UserError(NOTHING, "is the stack up? `python -m ops.inventory` lists its nodes")


def target_of_rollback(at: Store, deployment: str | None) -> str:
    """Where a rollback goes: the deployment that is named, or what was served before the current one."""
    if deployment:
        return at.existing(wanted.Wish(deployment).deployment or "")
    return History(at).before(at.pointer())


def as_facts(rollout: Rollout) -> dict[str, object]:
    return asdict(rollout)
