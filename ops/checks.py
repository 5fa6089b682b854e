"""`make test`: the linters and the four tiers; all of them run, and the summary names what failed. Without `--all`,
which is `make test-all`, tests that are marked as long are left out.

Linters and what of the tiers asks nothing of the clock run side by side, the longest first, so that no core ends alone.
What runs servers has the host to itself, for many of its tests count what becomes of every request: the model server's
own tests, then of the machines what makes a network or a node of its own, then what needs the one whole stack. Machines
need root; without, they are skipped with one loud line that says why.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops import cache
from ops.abreast import Ended, Job, Running, abreast
from ops.errors import interruptible, reported
from ops.follow import attached
from toolchain import host
from toolchain.setup import CHECKOUT

UNIT, MACHINES = "unit", "machines"
TIERS = (UNIT, "program", "moto", MACHINES)
SERVER = "tests/unit/app"
LONGEST = ("tests/unit", "tests/moto")
SCRIPT_FOLDERS = (".ci", "cloud-init", "compose", "localcloud", "playbooks", "ops")
PULUMI_FILES = ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml")
YAML_FILES = ("cloud-init", "compose.yaml", "contract", "playbooks", *PULUMI_FILES)
PLAYBOOKS = ("site.yml", "deploy.yml", "rollback.yml", "trial.yml")
NO_TESTS_COLLECTED = 5
SAY_SECONDS = 60


@dataclass(frozen=True)
class Check:
    name: str
    argv: tuple[str, ...]
    root: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Outcome:
    name: str
    verdict: str
    seconds: float


def lints(checkout: Path) -> list[Check]:
    """One command per linter, over what exists in this checkout."""
    checks = [
        Check("ruff", ("ruff", "check", ".")),
        Check("ruff format", ("ruff", "format", "--check", ".")),
        Check("mypy --strict", ("mypy",)),
    ]
    if scripts := shell_scripts(checkout):
        checks.append(Check("shellcheck", ("shellcheck", *scripts)))
    if files := [name for name in YAML_FILES if (checkout / name).exists()]:
        checks.append(Check("yamllint", ("yamllint", "--strict", *files)))
    if books := [f"playbooks/{name}" for name in PLAYBOOKS if (checkout / "playbooks" / name).exists()]:
        checks.append(Check("ansible-lint", ("ansible-lint", "--offline", "-q", *books)))
    return checks


def shell_scripts(checkout: Path) -> list[str]:
    """Files whose first line names sh or bash, whatever they are called."""
    files = [file for name in SCRIPT_FOLDERS for file in sorted((checkout / name).rglob("*")) if file.is_file()]
    return [str(file.relative_to(checkout)) for file in files if is_shell(first_line(file))]


def first_line(file: Path) -> str:
    with file.open("rb") as content:
        return content.readline(200).decode(errors="replace")


def is_shell(line: str) -> bool:
    return line.startswith("#!") and line.strip().split("/")[-1].removeprefix("env ").split(" ")[0] in {"sh", "bash"}


def tier(name: str, checkout: Path, *, long: bool = True) -> list[Check]:
    """`-rs` names every skipped test and why."""
    pytest = (sys.executable, "-m", "pytest", "-rs", *(() if long else ("-m", "not long")))
    if name == UNIT:
        rest = Check("tests/unit", (*pytest, "tests/unit", f"--ignore={SERVER}"))
        return [rest, Check("tests/unit app", (*pytest, SERVER), alone=True)]
    if name != MACHINES:
        return [Check(f"tests/{name}", (*pytest, f"tests/{name}"))]
    files = {str(file.relative_to(checkout)) for file in (checkout / "tests" / name).glob("test_*.py")}
    stack = {file for file in files if "/test_stack_" in file}
    halves = {f"tests/{name}": files - stack, f"tests/{name} stack": stack}
    return [Check(half, (*pytest, *sorted(found)), root=True, alone=True) for half, found in halves.items() if found]


def chosen(names: Sequence[str], checkout: Path, *, long: bool = True) -> list[Check]:
    names = names or ("lint", *TIERS)
    checks = lints(checkout) if "lint" in names else []
    tiers = [
        tier(name, checkout, long=long) for name in TIERS if name in names and (checkout / "tests" / name).is_dir()
    ]
    return [*checks, *itertools.chain.from_iterable(tiers)]


def command(check: Check, this: host.Host) -> tuple[str, ...]:
    if not check.root:
        return check.argv
    os.environ[cache.VARIABLE] = str(cache.root())
    return tuple(host.as_root(this, ["env", f"PATH={os.environ['PATH']}", *check.argv], host.handed_on()))


def possible(checks: Sequence[Check], this: host.Host) -> list[Check]:
    """Those that can run here; of the others the first says why not, for all."""
    left = [check for check in checks if check.root and host.why_no_machines(this)]
    if left:
        print(f"\n{'!' * 8} SKIPPED {left[0].name}: {host.why_no_machines(this)} {'!' * 8}", flush=True)
    return [check for check in checks if check not in left]


def verdict(status: int) -> str:
    return "ok" if status in (0, NO_TESTS_COLLECTED) else f"FAILED (status {status})"


def perform(checks: Sequence[Check], this: host.Host, cores: int) -> list[Outcome]:
    """What has come of each, in their order. One alone has the terminal; of several each is shown whole at its end."""
    outcomes = {check.name: Outcome(check.name, "SKIPPED", 0) for check in checks}

    def keep(ended: Ended) -> None:
        outcomes[ended.name] = Outcome(ended.name, verdict(ended.status), ended.seconds)

    def show(ended: Ended) -> None:
        keep(ended)
        print(f"\n--- {ended.name}: {verdict(ended.status)} after {ended.seconds:.0f} s\n{ended.output}", flush=True)

    ready = sorted(possible(checks, this), key=turn)
    jobs = [Job(check.name, command(check, this)) for check in ready]
    if len(jobs) == 1:
        started = time.monotonic()
        keep(Ended(jobs[0].name, attached(jobs[0].argv, silent=True), time.monotonic() - started, ""))
    else:
        alone = {check.name for check in ready if check.alone}
        abreast([job for job in jobs if job.name not in alone], cores, show, Progress())
        abreast([job for job in jobs if job.name in alone], 1, show, Progress())
    return list(outcomes.values())


def turn(check: Check) -> tuple[bool, bool, bool, bool]:
    """What takes longest first, then linters and the other tiers; machines last, and of these the whole stack."""
    return check.alone, check.root, check.name not in LONGEST, check.name.endswith(" stack")


class Progress:
    """Says once a minute, and whenever that has changed, what runs and where its output can be read meanwhile."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._next = 0.0

    def __call__(self, running: Sequence[Running]) -> None:
        names = {each.job.name for each in running}
        now = time.monotonic()
        if names <= self._said and now < self._next:
            return
        self._said, self._next = names, now + SAY_SECONDS
        running_for = [f"{each.job.name} {now - each.started:.0f} s" for each in running]
        print(f"... {', '.join(running_for)} (so far: {running[0].output.parent}/)", flush=True)


def summary(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(f"{outcome.name:<20} {outcome.seconds:7.1f} s  {outcome.verdict}" for outcome in outcomes)


def main() -> None:
    interruptible()  # else a background job's tests would inherit that Ctrl-C is ignored
    parser = argparse.ArgumentParser(prog="ops.checks")
    parser.add_argument("names", nargs="*", choices=[[], "lint", *TIERS])
    parser.add_argument("--all", action="store_true", help="also the tests that are marked as long")
    arguments = parser.parse_args()
    os.chdir(CHECKOUT)
    with reported("make test"):
        this = host.this_host()
        outcomes = perform(chosen(arguments.names, CHECKOUT, long=arguments.all), this, len(os.sched_getaffinity(0)))
        print(f"\n{summary(outcomes)}")
        sys.exit(any(outcome.verdict.startswith("FAILED") for outcome in outcomes))


if __name__ == "__main__":
    main()
