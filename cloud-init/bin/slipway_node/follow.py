"""A node by itself: it serves what the pointer names, at boot and whenever it is found to differ, and settles what a
rollout left provisional. A node that cannot serve it stands in with the deployment before, and says so.
"""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from slipway_node import state, trial
from slipway_node.activation import Activation
from slipway_node.cloud import UNREACHABLE_PAUSES, UnreachableError
from slipway_node.node import ActivationError, log
from slipway_node.slots import systemctl

REFUSED_PAUSES = [15, 30, 60, 120, 300]
"""Seconds between attempts at a deployment that came and failed: it will most likely fail again."""
FOLLOW_UNIT = "slipway-follow.service"


def follow(activation: Activation) -> None:
    """Returns when this node serves what the pointer names, or a rollout has it in hand. Until then it says why not,
    and keeps what it serves."""
    attempts: Counter[str] = Counter()
    while not _attempt(activation, attempts):
        pass


def _attempt(activation: Activation, attempts: Counter[str]) -> bool:
    """Whether that was the last one needed; waits when it was not."""
    wanted = None
    try:
        with state.locked(activation.node.state):
            if not due(activation):
                return True
            wanted = activation.cloud.pointer()
            if not trial.kept(activation, wanted):
                activation.activate(wanted, from_pointer=True)
        _error_file(activation).unlink(missing_ok=True)
        return True
    except ActivationError as failure:
        unreachable = failure.exit_name in ("fetch", "busy")
        pauses = UNREACHABLE_PAUSES if unreachable else REFUSED_PAUSES
        pause = pauses[min(attempts[failure.exit_name], len(pauses) - 1)]
        attempts[failure.exit_name] += 1
        if wanted and not unreachable:
            stand_in(activation, wanted, failure)
        serving = activation.load().serving
        log(
            "waiting",
            seconds=pause,
            attempt=attempts[failure.exit_name],
            reason=failure.exit_name,
            message=str(failure),
            serving=serving.deployment if serving else None,
            **failure.fields,
        )
        time.sleep(pause)
    return False


def stand_in(activation: Activation, wanted: str, failure: ActivationError) -> None:
    """A node that serves nothing takes the deployment that the fleet had before `wanted`: better than none."""
    about = {"deployment": wanted, "reason": failure.exit_name, "message": str(failure), "time": round(time.time())}
    state.write_whole(_error_file(activation), json.dumps(about))
    if activation.load().serving is not None:
        return
    try:
        previous = activation.cloud.previous(wanted)
        if previous is None:
            return
        with state.locked(activation.node.state):
            activation.activate(previous)
        log("standing-in", deployment=previous, instead_of=wanted, message=str(failure))
    except ActivationError as second:
        log("no-stand-in", reason=second.exit_name, message=str(second))


def last_error(activation: Activation) -> dict[str, Any] | None:
    """Why this node does not serve what the pointer named, None when it does or nothing was tried."""
    try:
        found: dict[str, Any] = json.loads(_error_file(activation).read_text())
    except FileNotFoundError:
        return None
    return found


def due(activation: Activation) -> bool:
    """Nothing is provisional or being put on trial, or its time is up. Asked without the lock by the timer's look every
    few seconds, which must not be what another verb finds in its way."""
    now = activation.load()
    pending = now.provisional or now.trial
    return pending is None or time.time() >= (pending.deadline or 0)


def settle(activation: Activation, *, at_once: bool = False) -> None:
    """Past its deadline a provisional deployment is what the pointer says: kept or undone. Unreachable: ask again.

    `at_once` does not wait for the deadline, when it is known that the rollout has ended.
    """
    provisional = activation.load().provisional
    if provisional is None:
        trial.settle(activation, at_once=at_once)
        return
    if not at_once and time.time() < (provisional.deadline or 0):
        return
    try:
        wanted = activation.cloud.pointer()
    except UnreachableError as failure:
        log("waiting", message=str(failure), provisional=provisional.deployment)
        return
    log("settle", provisional=provisional.deployment, pointer=wanted)
    if wanted == provisional.deployment and activation.serves(provisional):
        activation.confirm()
        return
    activation.revert()
    confirmed = activation.load().confirmed
    if confirmed and confirmed.deployment != wanted:
        # A later rollout has passed this node by: it catches up by itself.
        systemctl("start", "--no-block", FOLLOW_UNIT, check=False)


def _error_file(activation: Activation) -> Path:
    return activation.node.state.with_name("refused.json")
