"""`python -m ops rollout …`: the steps of a rollout that are not Ansible's. Playbooks call them; people need not."""

import json
import sys
from typing import Any

import click

from ops import store
from ops.errors import UserError, reported
from ops.rollout import begin as beginning
from ops.rollout import ending, keeper, reach, settings, trial, wanted
from ops.rollout.history import Kind
from ops.rollout.judge import Verdict, Window, judge
from ops.rollout.lock import Lock


@click.group("rollout")
def main() -> None:
    """Steps of a rollout, for the playbooks."""


@main.command()
@click.option("--deployment", metavar="ID")
@click.option("--model", "models", multiple=True, metavar="NAME@ALIAS|NAME/VERSION")
@click.option("--release", metavar="SHA256")
@click.option("--canary", metavar="PERCENT", help="A share of the predictions only.")
@click.option("--shadow", is_flag=True, help="Copies of the predictions only.")
@click.option("--by", help="Who rolls, for the lock and the history.")
@click.option("--reason", help="Why, likewise.")
@click.option("--check", is_flag=True, help="Say what would change; hold nothing, make nothing.")
def begin(
    *,
    deployment: str | None,
    models: tuple[str, ...],
    release: str | None,
    canary: str | None,
    shadow: bool,
    by: str | None,
    reason: str | None,
    check: bool,
) -> None:
    """Takes the lock and prints what is to be rolled out, as JSON."""
    with reported("slipway rollout"):
        at, bounds, wish = store.current(), settings.current(), wanted.Wish(deployment, models, release)
        percent = trial.percentage(canary, shadow=shadow)
        nodes = [node for node in reach.current().nodes() if node.state == "running"]
        beginning.refuse_without(nodes)
        beginning.refuse_if_locked(at)
        kind = Kind.DEPLOY if percent is None else Kind.TRIAL
        if wish.deployment:
            trial.refuse_another(at, wish.deployment)
        if check:
            target = at.existing(wish.deployment) if wish.deployment else None
            _print(beginning.as_facts(beginning.plan(at, bounds, nodes, target, kind=kind, percent=percent)))
            return
        target, why = wanted.make(at, wish, bounds, _say)
        who = {"by": by or beginning.operator(), "reason": reason or why}
        pid = keeper.controller()
        rollout = beginning.begin(at, bounds, nodes, target, kind=kind, controller=pid, percent=percent, **who)
        _print(beginning.as_facts(rollout))


@main.command("judge")
def judge_() -> None:
    """Reads {"deployment", "candidates": [window], "others": [window]} and says whether the candidate may stay."""
    with reported("slipway rollout"):
        given = json.load(sys.stdin)
        candidates, others = ([Window.read(each) for each in given[side]] for side in ("candidates", "others"))
        found = judge(given["deployment"], candidates, others, settings.current())
        if found.verdict is Verdict.BAD:
            raise UserError("; ".join(found.reasons))
        _print({"verdict": found.verdict, "reasons": found.reasons})


@main.command()
@click.argument("rollout")
def commit(rollout: str) -> None:
    """Moves the pointer."""
    with reported("slipway rollout"):
        ending.commit(store.current(), rollout)


@main.command("try")
@click.argument("rollout")
@click.argument("percent", type=int)
def try_(rollout: str, percent: int) -> None:
    """Lets a trial stay on; reads how each node's answers compared, as a list."""
    with reported("slipway rollout"):
        kept = trial.keep(store.current(), rollout, percent, json.load(sys.stdin))
        _print({"deployment": kept.deployment, "percent": kept.percent, "answers": kept.answers})


@main.command()
@click.argument("rollout")
@click.option("--why", default="", help="For the history.")
def back(rollout: str, why: str) -> None:
    """Brings the fleet back to what it served before, ends the rollout, and fails with the reason."""
    with reported("slipway rollout"):
        raise ending.returned(
            ending.back(store.current(), reach.current(), rollout, why.partition("\n")[0].strip("; "))
        )


@main.command()
@click.argument("rollout")
def end(rollout: str) -> None:
    """Waits until every node that exists now serves the deployment, writes the history and releases the lock."""
    with reported("slipway rollout"):
        at, fleet = store.current(), reach.current()
        if Lock(at).renew(rollout).kind == Kind.TRIAL:
            kept = trial.read(at)
            record = ending.end(at, fleet, rollout, trial.in_words(kept.answers) if kept else "")
        else:
            record = ending.complete(at, fleet, rollout)
        _print({"outcome": record.outcome, "seconds": record.seconds, "nodes": record.nodes})


def _print(content: dict[str, Any]) -> None:
    print(json.dumps(content))


def _say(text: str) -> None:
    print(text, file=sys.stderr)
