"""The verbs of slipway-activate."""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from slipway_node import fetch, report, state, trial
from slipway_node.activation import Activation
from slipway_node.cloud import Cloud
from slipway_node.exercise import exercise
from slipway_node.follow import due, follow, last_error, settle
from slipway_node.node import ActivationError, Node, log
from slipway_node.observe import Mark, mark_serving, observe
from slipway_node.prepare import prepare, prepared
from slipway_node.prune import with_room
from slipway_node.slots import CURRENT


def main(words: list[str]) -> int:
    arguments = _parser().parse_args(words)
    node = Node.load()
    activation = Activation(node, Cloud(node))
    try:
        if arguments.verb in LOCKLESS:
            LOCKLESS[arguments.verb](activation, arguments)
        elif arguments.verb != "settle" or arguments.now or due(activation):
            with state.locked(node.state):
                LOCKED[arguments.verb](activation, arguments)
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
    share = verbs.add_parser("share", help="give this deployment a share of the predictions, beside what serves")
    share.add_argument("deployment", metavar="ID")
    share.add_argument("percent", type=int, metavar="PERCENT")
    shadow = verbs.add_parser("shadow", help="give this deployment copies of all predictions, beside what serves")
    shadow.add_argument("deployment", metavar="ID")
    for trying in (share, shadow):
        trying.add_argument("--provisional", type=float, metavar="SECONDS", help="then the record in S3 decides")
    verbs.add_parser("unshare", help="end either: what is confirmed serves all")
    confirm = verbs.add_parser("confirm", help="keep what is provisional")
    confirm.add_argument("--keep", type=int, metavar="N", help="deployments whose files stay from now on")
    verbs.add_parser("revert", help="return to what was confirmed")
    status = verbs.add_parser("status", help="what serves here")
    status.add_argument("--json", action="store_true", help="the only form")
    status.add_argument("--server", action="store_true", help="also what the model server says of itself")
    verbs.add_parser("follow", help="serve what the pointer names, waiting for it (at boot)")
    verbs.add_parser("resume", help="serve what was confirmed, without network (at boot)")
    settled = verbs.add_parser("settle", help="decide on what is provisional, when its time is up (by a timer)")
    settled.add_argument("--now", action="store_true", help="whether its time is up or not")
    verbs.add_parser("mark", help="begin a window of observation")
    watch = verbs.add_parser("observe", help="what the slot that serves did in a window of time, as JSON")
    watch.add_argument("seconds", type=float, metavar="SECONDS", help="from now; ends early when it obviously fails")
    watch.add_argument("--marked", action="store_true", help="the window began at `mark`")
    watch.add_argument("--trial", action="store_true", help="of both the candidate on trial and what serves")
    watch.add_argument("--least", type=int, default=0, metavar="N", help="replay examples until there are so many")
    replay = verbs.add_parser("exercise", help="replay the deployment's examples through Nginx")
    replay.add_argument("count", type=int, metavar="N")
    return parser


def _status(activation: Activation, arguments: argparse.Namespace) -> None:
    more: dict[str, Any] = {}
    if arguments.server:
        own = activation.node
        more = {"server": report.server(own), "trial": trial.told(activation), "jobs": report.jobs(own)}
    print(json.dumps({**describe(activation), **more}, indent=2))


def _mark(activation: Activation) -> None:
    mark_serving(activation).save(activation.node)
    trial.begin_window(activation)


def _observe(activation: Activation, arguments: argparse.Namespace) -> None:
    if arguments.trial:
        print(json.dumps(trial.observe(activation, arguments.seconds, arguments.least)))
        return
    since = Mark.load(activation.node) if arguments.marked else mark_serving(activation)
    print(json.dumps(observe(activation, since, arguments.seconds, arguments.least)))


def _exercise(activation: Activation, arguments: argparse.Namespace) -> None:
    serving = activation.load().serving
    manifest = fetch.read_manifest(activation.node, serving.deployment) if serving else None
    if manifest is None:
        raise ActivationError("nothing", "no deployment serves here")
    print(json.dumps(exercise(activation.node, manifest, arguments.count)))


Verb = Callable[[Activation, argparse.Namespace], None]
LOCKLESS: dict[str, Verb] = {
    "status": _status,
    "follow": lambda activation, _: follow(activation),
    "prepare": lambda here, given: with_room(here.node, lambda: prepare(here.node, here.cloud, given.deployment)),
    "mark": lambda activation, _: _mark(activation),
    "observe": _observe,
    "exercise": _exercise,
}
"""Those that take the lock themselves, or change nothing that serves."""
LOCKED: dict[str, Verb] = {
    "activate": lambda activation, given: activation.activate(given.deployment, given.provisional),
    "share": lambda activation, given: trial.begin(activation, given.deployment, given.percent, given.provisional),
    "shadow": lambda activation, given: trial.begin(activation, given.deployment, 0, given.provisional),
    "unshare": lambda activation, _: activation.end_trial(),
    "confirm": lambda activation, given: activation.confirm(given.keep),
    "revert": lambda activation, _: activation.revert(),
    "resume": lambda activation, _: activation.resume(),
    "settle": lambda activation, given: settle(activation, at_once=given.now),
}


def describe(activation: Activation) -> dict[str, Any]:
    """What serves, what is promised, and what each slot holds. Asks this machine only."""
    node, now = activation.node, activation.load()
    provisional = now.provisional
    units = {slot: activation.slots.show(slot)["ActiveState"] for slot in ("a", "b")}
    linked = activation.slots.linked(CURRENT)
    placed = {entry.slot: entry.deployment for entry in (now.trial, now.confirmed, provisional) if entry}
    return {
        "serving": placed.get(linked) if linked and units[linked] == "active" else None,
        "slot": linked,
        "confirmed": now.confirmed.deployment if now.confirmed else None,
        "provisional": provisional.deployment if provisional else None,
        "seconds_left": max(0, round((provisional.deadline or 0) - time.time())) if provisional else None,
        "trial": {"deployment": now.trial.deployment, "percent": now.trial.percent} if now.trial else None,
        "slots": {slot: {"deployment": placed.get(slot), "unit": unit} for slot, unit in units.items()},
        "prepared": prepared(node),
        "history": now.history,
        "last_error": last_error(activation),
        "draining": (node.run / "draining").exists(),
    }
