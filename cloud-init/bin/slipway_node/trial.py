"""A candidate on trial: it runs in the idle slot and gets a share of the predictions, or copies of them all.

A trial is beside what is confirmed and never instead of it: a reboot, a rollout and a rollback end it. While it is
being set up it has a deadline; from then on the record in the bucket is what it lasts by.
"""

import time
from dataclasses import replace
from functools import partial
from typing import Any

from slipway_node import answers, fetch, links, prune
from slipway_node.activation import Activation
from slipway_node.cloud import UnreachableError
from slipway_node.exercise import exercise
from slipway_node.gate import UnixConnection
from slipway_node.node import OTHER_SLOT, ActivationError, log
from slipway_node.observe import LOOK_SECONDS, Mark, mark, obvious, window
from slipway_node.state import Trial

MARK = "mark-trial.json"


def begin(activation: Activation, wanted: str, percent: int, provisional_seconds: float | None = None) -> None:
    """The deployment `wanted` has passed the gate beside what serves, and gets `percent` of the predictions (0: copies
    of all). Again with another percentage changes that alone. Raises `ActivationError`, and nothing is on trial then
    that was not."""
    if percent and percent not in activation.node.percents:
        raise ActivationError("usage", f"a share is one of {', '.join(map(str, activation.node.percents))} percent")
    now = activation.load()
    if now.provisional:
        raise ActivationError("busy", f"deployment {now.provisional.deployment} is provisional here")
    if now.confirmed is None or not activation.serves(now.confirmed):
        raise ActivationError("nothing", "no deployment serves here that a candidate could be tried beside")
    if now.confirmed.deployment == wanted:
        raise ActivationError("usage", f"deployment {wanted} is what serves here")
    slot = OTHER_SLOT[now.confirmed.slot]
    if now.trial and not (now.trial.deployment == wanted and activation.slots.active(slot)):
        activation.end_trial()
        now = activation.load()
    if now.trial is None:
        manifest = prune.with_room(activation.node, lambda: fetch.deployment(activation.node, activation.cloud, wanted))
        activation.candidate(slot, manifest)
    deadline = None if provisional_seconds is None else time.time() + provisional_seconds
    since = now.trial.since if now.trial else time.time()
    activation.save(replace(now, trial=Trial(wanted, slot, percent, deadline, since)))
    activation.slots.settle_later(deadline is not None)
    links.give(activation.node, slot, percent)
    log("trial", deployment=wanted, slot=slot, percent=percent, provisional_seconds=provisional_seconds)


def kept(activation: Activation, pointer: str) -> bool:
    """Whether this node's trial goes on, beside what the pointer names: as the record in the bucket has it."""
    now = activation.load()
    if now.trial is None or now.confirmed is None or now.confirmed.deployment != pointer:
        return False
    wanted = activation.cloud.trial()
    if wanted is None or wanted[0] != now.trial.deployment or not activation.slots.active(now.trial.slot):
        return False
    if (now.trial.percent, now.trial.deadline) != (wanted[1], None):
        begin(activation, *wanted)
    return True


def settle(activation: Activation, *, at_once: bool) -> None:
    """Past its deadline a trial is what the record says: kept or ended. Unreachable: ask again."""
    trial = activation.load().trial
    if trial is None or (trial.deadline is None and not at_once):
        activation.slots.settle_later(False)
        return
    if not at_once and time.time() < (trial.deadline or 0):
        return
    try:
        stays = kept(activation, activation.cloud.pointer())
    except UnreachableError as failure:
        log("waiting", message=str(failure), trial=trial.deployment)
        return
    log("settle", trial=trial.deployment, kept=stays)
    if not stays:
        activation.end_trial()


def begin_window(activation: Activation) -> None:
    """For both slots at once. Nothing when nothing is on trial."""
    trial = activation.load().trial
    if trial:
        mark(activation, trial.deployment, trial.slot).save(activation.node, MARK)


def observe(activation: Activation, seconds: float, least: int) -> dict[str, Any]:
    """The window since `mark` of the candidate and of what serves beside it, and how their answers compare.

    A slot that was asked less than `least` times replays its examples, straight from its socket: what Nginx would give
    it is a matter of chance.
    """
    node = activation.node
    sides = {"candidate": Mark.load(node, MARK), "serving": Mark.load(node)}
    ending = time.monotonic() + seconds
    while time.monotonic() < ending and not obvious(window(activation, sides["candidate"], candidate=True)):
        time.sleep(min(LOOK_SECONDS, max(0.0, ending - time.monotonic())))
    found: dict[str, Any] = {}
    for side, since in sides.items():
        on_trial = side == "candidate"
        seen, manifest = window(activation, since, candidate=on_trial), fetch.read_manifest(node, since.deployment)
        if manifest is None or not manifest.models:
            found[side] = seen
            continue
        count = max(least - seen["requests"], 2 * len(manifest.models) if on_trial else 0)
        replayed = exercise(node, manifest, count, connect=partial(UnixConnection, node.socket(since.slot)))
        found[side] = {**window(activation, since, candidate=on_trial), "wrong": replayed["wrong"]}
    found["answers"] = answers.of(sides["serving"].slot, sides["candidate"].slot, sides["serving"].started)
    return found


def told(activation: Activation) -> dict[str, Any] | None:
    """What an operator is told of it: with a shadow, how its last answers compare."""
    now = activation.load()
    if now.trial is None or now.confirmed is None:
        return None
    said = {"deployment": now.trial.deployment, "slot": now.trial.slot, "percent": now.trial.percent}
    if now.trial.percent:
        return said
    return {**said, "answers": answers.of(now.confirmed.slot, now.trial.slot, now.trial.since)}
