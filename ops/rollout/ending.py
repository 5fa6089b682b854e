"""The ways in which a rollout goes on and ends: commit, back, end, and what is written of it.

Each may run again: a playbook's rescue and a keeper may both find the same rollout at its end.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from contract import S3
from ops import metrics, notify
from ops.errors import UserError
from ops.rollout import reach, trial, verify
from ops.rollout.history import History, Kind, Outcome, Record
from ops.rollout.lock import Lock, LostError, Owner
from ops.rollout.objects import Objects
from ops.rollout.reach import Fleet
from ops.store import Store

LATE_SECONDS = 60.0
WENT_BACK = (Outcome.REVERTED, Outcome.RETURNED)


def commit(at: Store, rollout: str) -> Owner:
    """Moves the pointer: from here on the fleet serves it. Raises `LostError` when this rollout may no longer."""
    owner = Lock(at).renew(rollout)
    objects = Objects(at)
    found = objects.read(S3.previous)
    before = found.content.get("previous") if found else None
    if owner.deployment != owner.previous:
        objects.put(S3.previous, {"deployment": owner.deployment, "previous": owner.previous, "before": before})
    Lock(at).check(rollout)
    at.point(owner.deployment)
    trial.clear(at)
    return owner


def back(at: Store, fleet: Fleet, rollout: str, why: str) -> Record:
    """Every node serves what was served before, the pointer names it, and the history says why. Raises `LostError`."""
    history = History(at)
    if done := history.read(rollout):
        return done
    owner = Lock(at).renew(rollout)
    committed = at.pointer() == owner.deployment != owner.previous
    if committed:
        at.point(owner.previous)
        _forget(at, owner)
    trial.clear(at)
    moved = fleet.patiently("revert", turn=lambda: Lock(at).renew(rollout))
    outcome = Outcome.RETURNED if committed else Outcome.REVERTED
    if not committed and all(answer.returncode != 0 for answer in moved.values()):
        outcome = Outcome.REFUSED
    if committed:
        why += _late(fleet, owner, lambda: Lock(at).renew(rollout))
    if left := reach.unsettled(moved):
        why += f" (not reached, they settle by themselves: {'; '.join(left)})"
    return conclude(at, owner, outcome, why, list(moved))


def _late(fleet: Fleet, owner: Owner, turn: Callable[[], object]) -> str:
    """Nodes that came between the commit and its return have nothing to revert to: they are told where to go."""
    try:
        verify.verify(fleet, owner.previous, turn, LATE_SECONDS)
    except UserError as error:
        return f" ({error.message})"
    return ""


def end(at: Store, fleet: Fleet, rollout: str, why: str = "") -> Record:
    """The deployment is the fleet's: that is written down, and the lock is free. `why` names who lags behind."""
    owner = Lock(at).renew(rollout)
    return conclude(at, owner, Outcome.DONE, why, [node.name for node in fleet.nodes()])


def complete(at: Store, fleet: Fleet, rollout: str) -> Record:
    """`end`, once every node that exists by now serves the deployment. Raises `UserError` naming those that do not."""
    lock = Lock(at)
    owner = lock.renew(rollout)
    try:
        verify.verify(fleet, owner.deployment, lambda: lock.renew(rollout))
    except LostError:
        raise
    except UserError as error:
        end(at, fleet, rollout, error.message)
        raise
    return end(at, fleet, rollout)


def returned(record: Record) -> UserError:
    """What whoever rolled is told of a rollout that went back."""
    serves = f"every node serves {record.previous}"
    return UserError(f"deployment {record.deployment} is {record.outcome}, {serves}: {record.why}", "`slipway history`")


def settle(fleet: Fleet, turn: Callable[[], object]) -> list[str]:
    """Whatever is provisional anywhere becomes what the pointer says, now; returns the nodes that could not be told."""
    return reach.unsettled(fleet.patiently("settle", "--now", turn=turn))


def conclude(at: Store, owner: Owner, outcome: Outcome, why: str, nodes: Sequence[str]) -> Record:
    """Writes what became of it, once, and gives up the lock."""
    record = _record(at, owner, outcome, why, nodes)
    wrote = History(at).write(record)
    if wrote and outcome in WENT_BACK:
        metrics.rollout_returned(at)
    Lock(at).release(owner.rollout)
    if wrote:
        notify.rollout_ended(record)
    return record


def write_interrupted(at: Store, owner: Owner, why: str) -> None:
    """For a rollout whose owner is gone. Nothing when it has ended in order."""
    committed = " after its commit" if at.pointer() == owner.deployment else ""
    record = _record(at, owner, Outcome.INTERRUPTED, f"{why}{committed}", [])
    if History(at).write(record):
        metrics.rollout_returned(at)
        notify.rollout_ended(record)


def _record(at: Store, owner: Owner, outcome: Outcome, why: str, nodes: Sequence[str]) -> Record:
    started = datetime.fromisoformat(owner.since)
    return Record(
        rollout=owner.rollout,
        deployment=owner.deployment,
        previous=owner.previous,
        by=owner.by,
        reason=owner.reason,
        started=owner.since,
        seconds=round((Objects(at).now() - started).total_seconds(), 1),
        outcome=outcome,
        kind=Kind(owner.kind),
        why=why,
        nodes=sorted(nodes),
    )


def _forget(at: Store, owner: Owner) -> None:
    """The pair that a new node may stand in by is again the one from before this commit."""
    objects = Objects(at)
    found = objects.read(S3.previous)
    if found and found.content.get("before"):
        objects.put(S3.previous, {"deployment": owner.previous, "previous": found.content["before"]})
    elif found:
        objects.delete(S3.previous)
