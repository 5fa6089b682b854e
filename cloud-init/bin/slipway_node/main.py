"""The verbs of slipway-activate, and the waiting: for the pointer at boot, for the deadline of what is provisional."""

import argparse
import json
import time
from collections import Counter
from typing import Any

from slipway_node import state
from slipway_node.activation import Activation
from slipway_node.cloud import UNREACHABLE_PAUSES, Cloud, UnreachableError
from slipway_node.node import ActivationError, Node, log
from slipway_node.prepare import prepare, prepared
from slipway_node.slots import CURRENT, settle_later

REFUSED_PAUSES = [15, 30, 60, 120, 300]
"""Seconds between attempts at a deployment that came and failed: it will most likely fail again."""


def main(words: list[str]) -> int:
    arguments = _parser().parse_args(words)
    node = Node.load()
    activation = Activation(node, Cloud(node))
    try:
        if arguments.verb == "status":
            print(json.dumps(describe(activation), indent=2))
        elif arguments.verb == "follow":
            follow(activation)
        elif arguments.verb == "prepare":
            prepare(node, activation.cloud, arguments.deployment)
        elif arguments.verb != "settle" or due(activation):
            with state.locked(node.state):
                _act(activation, arguments)
    except ActivationError as failure:
        log("failed", reason=failure.exit_name, message=str(failure), **failure.fields)
        return node.exits[failure.exit_name]
    return node.exits["ok"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slipway-activate", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    activate = verbs.add_parser("activate", help="serve this deployment")
    activate.add_argument("deployment", metavar="ID")
    activate.add_argument(
        "--provisional", type=float, metavar="SECONDS", help="until confirmed; then the pointer decides"
    )
    ahead = verbs.add_parser("prepare", help="fetch and verify this deployment; nothing else is served")
    ahead.add_argument("deployment", metavar="ID")
    verbs.add_parser("confirm", help="keep what is provisional")
    verbs.add_parser("revert", help="return to what was confirmed")
    status = verbs.add_parser("status", help="what serves here")
    status.add_argument("--json", action="store_true", help="the only form")
    verbs.add_parser("follow", help="serve what the pointer names, waiting for it (at boot)")
    verbs.add_parser("resume", help="serve what was confirmed, without network (at boot)")
    verbs.add_parser("settle", help="decide on what is provisional, when its time is up (by a timer)")
    return parser


def _act(activation: Activation, arguments: argparse.Namespace) -> None:
    if arguments.verb == "activate":
        activation.activate(arguments.deployment, arguments.provisional)
    elif arguments.verb == "settle":
        settle(activation)
    else:
        getattr(activation, arguments.verb)()


def follow(activation: Activation) -> None:
    """Returns when this node serves what the pointer names. Until then it says why not, and keeps what it serves."""
    attempts: Counter[str] = Counter()
    while True:
        try:
            with state.locked(activation.node.state):
                activation.activate(activation.cloud.pointer(), from_pointer=True)
            return
        except ActivationError as failure:
            pauses = UNREACHABLE_PAUSES if failure.exit_name in ("fetch", "busy") else REFUSED_PAUSES
            pause = pauses[min(attempts[failure.exit_name], len(pauses) - 1)]
            attempts[failure.exit_name] += 1
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


def due(activation: Activation) -> bool:
    """Asked without the lock: the timer's look every few seconds must not be what another verb finds in its way."""
    provisional = activation.load().provisional
    return provisional is None or time.time() >= (provisional.deadline or 0)


def settle(activation: Activation) -> None:
    """Past its deadline a provisional deployment is what the pointer says: kept or undone. Unreachable: ask again."""
    provisional = activation.load().provisional
    if provisional is None:
        settle_later(False)
        return
    if time.time() < (provisional.deadline or 0):
        return
    try:
        wanted = activation.cloud.pointer()
    except UnreachableError as failure:
        log("waiting", message=str(failure), provisional=provisional.deployment)
        return
    log("settle", provisional=provisional.deployment, pointer=wanted)
    if wanted == provisional.deployment and activation.serves(provisional):
        activation.confirm()
    else:
        activation.revert()


def describe(activation: Activation) -> dict[str, Any]:
    """What serves, what is promised, and what each slot holds. Asks this machine only."""
    node, now = activation.node, activation.load()
    provisional = now.provisional
    units = {slot: activation.slots.show(slot)["ActiveState"] for slot in ("a", "b")}
    linked = activation.slots.linked(CURRENT)
    placed = {entry.slot: entry.deployment for entry in (now.confirmed, provisional) if entry}
    return {
        "serving": placed.get(linked) if linked and units[linked] == "active" else None,
        "slot": linked,
        "confirmed": now.confirmed.deployment if now.confirmed else None,
        "provisional": provisional.deployment if provisional else None,
        "seconds_left": max(0, round((provisional.deadline or 0) - time.time())) if provisional else None,
        "slots": {slot: {"deployment": placed.get(slot), "unit": unit} for slot, unit in units.items()},
        "prepared": prepared(node),
        "history": now.history,
        "draining": (node.run / "draining").exists(),
    }
