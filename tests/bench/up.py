"""`make bench-up`: how long the local stack takes to come up, to be looked at again and to go, and what it holds.

It measures what a user runs, `make up` and `make down`, on warm caches, and prints each figure beside its target.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from localcloud import control
from localcloud.cgroup import Cgroup
from localcloud.cli import enter_argv
from localcloud.state import State
from ops import environment
from ops.errors import UserError, reported
from ops.follow import follow
from ops.run import run
from ops.stack import Stack
from ops.steps import Step, Steps

STEP = re.compile(r"^ok +(?P<name>.+?) +(?P<seconds>\d+\.\d) s(?: |$)")
READY = ("curl", "-s", "-o", "/dev/null", "-m", "2", "-f", "http://127.0.0.1:8080/readyz")
POLL_SECONDS = 0.5

UP = "make up"
STACK_UP = "pulumi up"
READY_NODE = "RunInstances to /readyz, slowest"
AGAIN = "pulumi up, nothing to change"
MEMORY = "memory, summed PSS (GiB)"
DOWN = "make down"
TARGETS = {UP: 90.0, STACK_UP: 60.0, READY_NODE: 20.0, AGAIN: 10.0, MEMORY: 4.0, DOWN: 30.0}

Figures = dict[str, float]


@dataclass
class Boots(threading.Thread):
    """Watches serving nodes from the API's launch time until they answer `/readyz` themselves."""

    state: State
    ready: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.ending = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.ending.wait(POLL_SECONDS):
            running = self.state.read()
            machines = running.machines if running and running.alive else {}
            for instance_id in machines.keys() - self.ready.keys():
                if machines[instance_id].startswith("running") and self._answers(instance_id):
                    self.ready[instance_id] = time.time()

    def _answers(self, instance_id: str) -> bool:
        try:
            return run(enter_argv(self.state, instance_id, list(READY)), check=False).ok
        except (UserError, OSError):  # it is not there yet, or no more
            return False

    def slowest(self) -> float:
        """Seconds from RunInstances to ready, of the slowest of the serving nodes."""
        self.ending.set()
        self.join()
        filters = [{"Name": "tag:slipway-role", "Values": ["serving"]}]
        found = boto3.client("ec2").describe_instances(Filters=filters)["Reservations"]
        launched = {
            each["InstanceId"]: each["LaunchTime"].timestamp() for group in found for each in group["Instances"]
        }
        return float(max(self.ready[name] - at for name, at in launched.items() if name in self.ready))


def make(state: State, verb: str, say: Callable[[str], None]) -> Figures:
    """Runs a verb as a user does; the seconds of each of its steps, and of the whole under `make VERB`."""
    steps: Figures = {}

    def on_line(line: str) -> None:
        if found := STEP.match(line):
            steps[found["name"]] = float(found["seconds"])
            say(found["name"])

    started = time.monotonic()
    command = ["make", verb] if shutil.which("make") else [sys.executable, "-m", "ops.quickstart", verb]
    follow(command, on_line, log=state.slipway / "log" / f"bench-{verb}.log", cwd=state.checkout)
    return steps | {f"make {verb}": time.monotonic() - started}


def memory_gib(state: State) -> float:
    """Proportional set size of every process of the local cloud: shared pages count once."""
    total = 0
    for pid in Cgroup(state.checkout_id).pids():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 2**20


def measure(state: State, step: Step) -> Figures:
    """One round: up, up again, memory, down. Leaves nothing up."""
    boots = Boots(state)
    boots.start()
    try:
        figures = make(state, "up", step.say)
        running = control.running(state)
        environment.applied(environment.environment(state, running.api_port, os.environ["PATH"]))
        figures[READY_NODE] = boots.slowest()
        figures[MEMORY] = memory_gib(state)
        step.say("pulumi up, again")
        started = time.monotonic()
        Stack(state).up(step)
        figures[AGAIN] = time.monotonic() - started
    finally:
        boots.ending.set()
        down = make(state, "down", step.say)
    return figures | {f"down: {name}" if name in figures else name: seconds for name, seconds in down.items()}


def table(rounds: Sequence[Mapping[str, float]]) -> str:
    """A line per figure: every round, the median, the target; the targets' own figures last."""
    names = list(dict.fromkeys(name for figures in rounds for name in figures))
    names.sort(key=lambda name: name in TARGETS)
    head = f"{'figure':<36}" + "".join(f"{f'run {number}':>9}" for number in range(1, len(rounds) + 1))
    lines = [f"{head}{'median':>9}{'target':>9}"]
    for name in names:
        values = [figures[name] for figures in rounds if name in figures]
        median, target = statistics.median(values), TARGETS.get(name)
        cells = "".join(f"{figures[name]:9.1f}" if name in figures else f"{'':>9}" for figures in rounds)
        verdict = "" if target is None else f"{target:9.1f}  {'ok' if median <= target else 'MISSED'}"
        lines.append(f"{name:<36}{cells}{median:9.1f}{verdict}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-up")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the figures of every run as JSON instead")
    arguments = parser.parse_args()
    state, steps = State(), Steps()
    with reported("make bench-up"):
        running = state.read()
        if running is not None and running.alive:
            raise UserError("a local stack is up in this checkout", "take it down first: `make down`")
        rounds = []
        for number in range(1, arguments.runs + 1):
            with steps.step(f"run {number} of {arguments.runs}") as step:
                rounds.append(measure(state, step))
        if arguments.json:
            print(json.dumps({"targets": TARGETS, "runs": rounds}, indent=2))
        else:
            print("seconds, unless it says otherwise\n" + table(rounds))


if __name__ == "__main__":
    main()
