"""The whole stack, live, in a copy of this checkout: how it is brought up, reached, waited for and taken down.

A copy, because the checkout's own stack may be up beside it and because some tests change the stack's settings. It
lies in one fixed place, so that what a killed session leaves behind is found and cleared by the next.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3

from infra.delivery import PYPI
from localcloud import control
from localcloud.cli import enter_argv
from localcloud.machine import group, init_of
from localcloud.network import Network
from localcloud.state import CHECKOUT, Running, State
from ops.environment import STACK
from ops.follow import follow
from ops.nodes import Node, nodes
from ops.rollout.lock import Lock
from ops.run import Result, run
from ops.stack import Stack
from ops.steps import tail
from ops.store import Store
from tests.waiting import until

PLACE = CHECKOUT / ".slipway" / "machines-tier"
GENERATED = shutil.ignore_patterns(".git", ".venv", ".slipway", "__pycache__", ".*_cache", ".hypothesis")
TAIL_LINES = 25
# What the tests wait for again and again, where the load asks some hundred times in each such second.
HASTENED = {
    "bakeSeconds: 6": "bakeSeconds: 2",
    "watchSeconds: 6": "watchSeconds: 2",
    "drainSeconds: 10": "drainSeconds: 4",
}
BUILDING = "SLIPWAY_TEST_BUILDING"


def builds() -> bool:
    """Whether the tracking node may build releases, which wants an index of packages."""
    return os.environ.get(BUILDING) == "1"


def index() -> str:
    """Where this machine's own uv or pip gets packages from."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if given := os.environ.get(variable):
            return given.rstrip("/")
    said = run([sys.executable, "-m", "pip", "config", "list"], check=False).stdout.splitlines()
    found = [line.partition("=")[2].strip("'") for line in said if line.partition("=")[0].endswith(".index-url")]
    return (found or [PYPI])[-1].rstrip("/")


def settings() -> dict[str, str]:
    """Lines of the local stack's settings, and what stands there in the tests."""
    if not builds():
        return HASTENED
    more = [HASTENED["watchSeconds: 6"], "buildReleases: true", f"index: {index()}"]
    return HASTENED | {"watchSeconds: 6": "\n    ".join(more)}


class Live:
    """The stack `local` of the copy. Its environment, as `.slipway/env` has it, must be this process's own."""

    def __init__(self, checkout: Path) -> None:
        self.state = State(checkout)
        self.checkout = self.state.checkout
        self.network = Network(self.state.checkout_id)
        self.pristine = fingerprint(self.checkout)

    def make(self, verb: str) -> Result:
        """`make VERB`, on a machine with or without make. Its output is kept in the log `make-VERB`."""
        log = self.state.slipway / "log" / f"make-{verb}.log"
        lines: list[str] = []
        command = ["make", verb] if shutil.which("make") else [sys.executable, "-m", "ops.quickstart", verb]
        follow(command, lines.append, log=log, cwd=self.checkout)
        return Result("\n".join(lines), "", 0)

    def environment(self) -> dict[str, str]:
        """What `.slipway/env` makes of this process's environment, as a user's shell reads it."""
        text = run(["sh", "-c", '. "$0" && env -0', self.state.slipway / "env"]).stdout
        return dict(pair.split("=", 1) for pair in text.split("\0") if pair)

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """As they were when they were first asked for."""
        return Stack(self.state).outputs()

    @property
    def url(self) -> str:
        return str(self.outputs["url"])

    @property
    def mlflow_url(self) -> str:
        return str(self.outputs["mlflow_url"])

    @property
    def store(self) -> Store:
        return Store(self.outputs["region"], self.outputs["bucket"], self.outputs["deployment_parameter"])

    @property
    def running(self) -> Running:
        return control.running(self.state)

    def run(self, *argv: str | Path, check: bool = True) -> Result:
        """A command of the operator's, in the checkout."""
        return run(argv, cwd=self.checkout, check=check, timeout_seconds=600)

    def pulumi(self, *words: str, check: bool = True) -> Result:
        return self.run("pulumi", *words, "--non-interactive", "--color", "never", check=check)

    def up(self, *more: str) -> Result:
        return self.pulumi("up", "--stack", STACK, "--yes", "--skip-preview", *more)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Settings of Slipway's, by their paths."""
        words = [word for path, value in settings.items() for word in ("--plaintext", f"slipway:{path}={value}")]
        self.pulumi("config", "set-all", "--stack", STACK, "--path", *words)

    def playbook(self, name: str, *words: str, check: bool = True) -> Result:
        return self.run("ansible-playbook", f"playbooks/{name}", *words, check=check)

    def localcloud(self, *words: str, check: bool = True) -> Result:
        return self.run(sys.executable, "-m", "localcloud", *words, check=check)

    def nodes(self, role: str) -> list[Node]:
        """The running ones of a role."""
        return [node for node in nodes(STACK) if node.role == role and node.state == "running"]

    def group(self, role: str) -> dict[str, Any]:
        name = self.outputs["fleet_group" if role == "serving" else "tracking_group"]
        found = boto3.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        group: dict[str, Any] = found["AutoScalingGroups"][0]
        return group

    def health(self, role: str) -> dict[str, str]:
        """What the balancer says of each of the role's targets, by instance id."""
        arn = self.group(role)["TargetGroupARNs"][0]
        found = boto3.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {entry["Target"]["Id"]: entry["TargetHealth"]["State"] for entry in found}

    def whole(self, role: str) -> set[str]:
        """The ids of the role's nodes in service, once they are as many as wanted and healthy; else none."""
        group, health = self.group(role), self.health(role)
        states = {each["InstanceId"]: each["LifecycleState"] for each in group["Instances"]}
        members = {name for name, state in states.items() if state == "InService"}
        complete = len(members) == group["DesiredCapacity"] and {*states.values()} <= {"InService", "Standby"}
        return members if complete and health == dict.fromkeys(members, "healthy") else set()

    def until_whole(self, role: str, without: str = "", seconds: float = 240) -> set[str]:
        """Waits for the role to be whole, `without` a node that is to be gone."""
        return until(
            lambda: members if without not in (members := self.whole(role)) else set(),
            f"all {role} nodes are healthy: {self.health(role)}",
            seconds,
        )

    def until_idle(self) -> None:
        """Waits until no rollout is under way: one holds its lock beyond the commit, to watch and to verify."""
        lock = Lock(self.store)
        until(lambda: lock.read() is None, lambda: f"the rollout ends: {lock.read()}", 240)

    def shell(self, node: Node | str, *command: str, check: bool = True, input: str | None = None) -> Result:
        """A command as root on a node."""
        instance_id = node if isinstance(node, str) else node.id
        argv = enter_argv(self.state, instance_id, list(command))
        return run(argv, check=check, input=input, timeout_seconds=180)

    def kill(self, node: Node) -> None:
        """SIGKILL to the machine, as when a host dies: nothing on it says goodbye."""
        init = init_of(group(self.state.checkout_id, node.id))
        assert init is not None, f"{node.id} runs"
        os.kill(init, signal.SIGKILL)

    def activation(self, node: Node) -> dict[str, Any]:
        """What slipway-activate says that the node serves."""
        status: dict[str, Any] = json.loads(
            self.shell(node, "/usr/local/lib/slipway/slipway-activate", "status", "--json").stdout
        )
        return status

    def serving(self) -> list[str | None]:
        return [self.activation(node)["serving"] for node in self.nodes("serving")]


def prepare(place: Path, *, keep: bool, changed: Mapping[str, str] | None = None) -> Live:
    """A fresh copy of this checkout's own files, after whatever an earlier session left there is cleared; `changed`
    are lines of its settings.

    With `keep`, a stack that is up there is taken as it is.
    """
    if keep and (running := State(place).read()) and running.alive:
        return Live(place)
    if place.exists():
        control.stop(State(place), print)
        shutil.rmtree(place)
    shutil.copytree(CHECKOUT, place, ignore=GENERATED, symlinks=True)
    settings = place / f"Pulumi.{STACK}.yaml"
    for line, other in (changed or {}).items():
        assert f" {line}\n" in settings.read_text(), f"{settings} has {line}"
        settings.write_text(settings.read_text().replace(f" {line}\n", f" {other}\n"))
    return Live(place)


def fingerprint(checkout: Path) -> dict[str, str]:
    """The digest of every file that git would see: what may not change from `make up` to `make down`."""
    found = {}
    for folder, names, files in os.walk(checkout):
        names[:] = sorted(set(names) - {*GENERATED(folder, names)})
        for file in files:
            path = Path(folder, file)
            found[str(path.relative_to(checkout))] = sha256(path.read_bytes()).hexdigest()
    return found


def logs(state: State) -> str:
    """The last lines of every log and console."""
    files = [*state.slipway.glob("log/*.log"), *state.folder.glob("log/*.log"), *state.folder.glob("machines/*/*.log")]
    return "\n".join("\n".join([f"--- {file}", *tail(file, TAIL_LINES)]) for file in sorted(files))
