"""`slipway rollback`; and how `slipway promote` rolls: the playbooks that a person would run, and what came of them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from ops import cache, extra_vars, store, terminal
from ops.delivery import watcher
from ops.errors import UserError, reported
from ops.follow import follow
from ops.rollout import begin, reach, returning, settings, trial
from ops.rollout.history import History
from ops.run import CommandError
from ops.steps import Steps
from ops.store import Store
from ops.verbs import trials
from ops.verbs.common import json_option, verb

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


@verb("rollback", "slipway rollback", "slipway rollback 3f2a9c1b7d20", "slipway rollback --check")
@click.argument("deployment_id", required=False, metavar="[ID]")
@click.option("--reason", default="rollback", help="For the history.")
@click.option("--check", is_flag=True, help="Say what would change; change nothing.")
@json_option
def rollback(deployment_id: str | None, reason: str, check: bool, as_json: bool) -> None:
    """Brings every node back to the deployment before, or to ID: all at once, without canary and bake.

    playbooks/rollback.yml does the same.
    """
    with reported("slipway rollback"):
        at, bounds, fleet, steps = store.current(), settings.current(), reach.current(), Steps()
        if check:
            plan = returning.plan(at, bounds, fleet, deployment_id)
            if as_json:
                terminal.as_json(begin.as_facts(plan))
            else:
                print(f"{len(plan.nodes)} nodes: {plan.previous} {plan.before} -> {plan.deployment} {plan.after}")
            return
        with steps.step("rollback") as step:
            record = returning.roll_back(at, bounds, fleet, deployment_id, reason=reason, say=step.say)
            step.done(f"deployment {record.deployment}")
        if as_json:
            terminal.as_json({"deployment": record.deployment, "trial": None, "rollout": record})


def roll(at: Store, steps: Steps, playbook: str, extra: Mapping[str, str], as_json: bool) -> None:
    """Runs the playbook with its headings as progress, and tells what the history says of it."""
    log = cache.folder("log") / f"{playbook.removesuffix('.yml')}.log"
    before = next(iter(History(at).newest_first()), None)
    with steps.step(playbook.removesuffix(".yml")) as step:
        try:
            follow(command(playbook, extra), watcher(step.say), log=log, cwd=ROOT, env=environment())
        except CommandError as error:
            reason = _why(at, before.rollout if before else "", log) or error.message
            raise UserError(reason, "`slipway status` shows what serves, `slipway history` what was tried") from error
        step.done(trials.begun(at) if playbook == "trial.yml" else f"deployment {at.pointer()}")
    record = next(iter(History(at).newest_first()), None)
    if as_json:
        terminal.as_json({"deployment": at.pointer(), "trial": trial.read(at), "rollout": record})


def command(playbook: str, extra: Mapping[str, str]) -> list[str]:
    """Variables go as JSON and as no templates, so that a reason may be any text."""
    program = TOOLS / "ansible-playbook"
    name = str(program) if program.exists() else "ansible-playbook"
    return [name, f"playbooks/{playbook}", *(["-e", extra_vars.words(extra)] if extra else [])]


def environment() -> dict[str, str]:
    """What Ansible needs of `.slipway/env`, for a shell that has not read it: this Python, and the configuration."""
    config = os.environ.get("ANSIBLE_CONFIG") or str(ROOT / "playbooks" / "ansible.cfg")
    return {"ANSIBLE_CONFIG": config, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}


def _why(at: Store, before: str, log: Path) -> str:
    """What the history says, if this rollout came as far as that."""
    record = next(iter(History(at).newest_first()), None)
    if record is None or record.rollout == before or not record.why:
        return ""
    return f"{record.outcome}: {record.why} (all that Ansible said is in {log})"
