"""A rollback: every node at once, without canary and bake, in one process over plain ssh.

No playbook does this, because seconds count and its deployment has served here before. A part of it that fails brings
every node back; a process that is killed leaves that to its keeper, as a playbook does.
"""

import os
from collections.abc import Callable, Sequence

from contract import ACTIVATE_EXIT
from ops.errors import UserError
from ops.nodes import Node
from ops.rollout import begin as beginning
from ops.rollout import ending, reach
from ops.rollout.begin import NODE_SECONDS, Rollout
from ops.rollout.history import Kind, Record
from ops.rollout.lock import Lock, LostError
from ops.rollout.reach import Fleet
from ops.rollout.settings import Delivery
from ops.store import Store


def plan(at: Store, bounds: Delivery, fleet: Fleet, deployment: str | None) -> Rollout:
    """What a rollback to `deployment`, or to what was served before, would change. Raises `UserError`."""
    nodes, target = _asked(at, fleet, deployment)
    return beginning.plan(at, bounds, nodes, target, kind=Kind.ROLLBACK)


def roll_back(
    at: Store, bounds: Delivery, fleet: Fleet, deployment: str | None, *, reason: str, say: Callable[[str], None]
) -> Record:
    """What became of it, once every node serves the deployment for good. Raises `UserError` when the fleet serves what
    it served."""
    nodes, target = _asked(at, fleet, deployment)
    rollout = beginning.begin(
        at,
        bounds,
        nodes,
        target,
        kind=Kind.ROLLBACK,
        by=beginning.operator(),
        reason=reason,
        controller=os.getpid(),
    )
    say(f"{len(nodes)} nodes go from {rollout.previous} to {target}")
    try:
        _activate(fleet, nodes, rollout)
        ending.commit(at, rollout.rollout)
    except LostError:
        raise
    except UserError as error:
        raise ending.returned(ending.back(at, fleet, rollout.rollout, error.message)) from error
    say("confirming")
    lock = Lock(at)
    fleet.patiently("confirm", "--keep", str(rollout.keep_deployments), turn=lambda: lock.renew(rollout.rollout))
    return ending.complete(at, fleet, rollout.rollout)


def _asked(at: Store, fleet: Fleet, deployment: str | None) -> tuple[list[Node], str]:
    nodes = fleet.started()
    beginning.refuse_without(nodes)
    beginning.refuse_if_locked(at)
    return nodes, beginning.target_of_rollback(at, deployment)


def _activate(fleet: Fleet, nodes: Sequence[Node], rollout: Rollout) -> None:
    """Raises `UserError` with the nodes that would not, and what their servers said."""
    words = ("activate", rollout.deployment, "--provisional", str(rollout.deadline_seconds))
    answers = fleet.patiently(*words, among=nodes, each_seconds=NODE_SECONDS)
    if failed := reach.unsettled(answers, [ACTIVATE_EXIT.ok]):
        raise UserError("; ".join(failed))
