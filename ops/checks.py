"""`make test`: the linters, then the four tiers, cheapest first; all of them run, and the summary names what failed.

The last tier boots machines and needs root; where that cannot be, it is skipped with one loud line that says why.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops import cache
from ops.errors import interruptible, reported
from ops.follow import attached
from toolchain import host
from toolchain.setup import CHECKOUT

TIERS = ("unit", "program", "moto", "machines")
SCRIPT_FOLDERS = (".ci", "cloud-init", "localcloud", "playbooks", "ops")
YAML_FILES = ("cloud-init", "contract", "playbooks", "Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.prod.yaml")
PLAYBOOKS = ("site.yml", "deploy.yml", "rollback.yml")
NO_TESTS_COLLECTED = 5


@dataclass(frozen=True)
class Check:
    name: str
    argv: tuple[str, ...]
    root: bool = False


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


def tier(name: str) -> Check:
    """`-rs` names every skipped test and why."""
    return Check(f"tests/{name}", (sys.executable, "-m", "pytest", f"tests/{name}", "-rs"), root=name == "machines")


def chosen(names: Sequence[str], checkout: Path) -> list[Check]:
    names = names or ("lint", *TIERS)
    checks = lints(checkout) if "lint" in names else []
    return checks + [tier(name) for name in TIERS if name in names and (checkout / "tests" / name).is_dir()]


def perform(check: Check, this: host.Host) -> Outcome:
    started = time.monotonic()
    argv = list(check.argv)
    if check.root and (reason := host.why_no_machines(this)):
        print(f"\n{'!' * 8} SKIPPED {check.name}: {reason} {'!' * 8}", flush=True)
        return Outcome(check.name, "SKIPPED", 0)
    print(f"\n--- {check.name}", flush=True)
    if check.root:
        os.environ[cache.VARIABLE] = str(cache.root())
        argv = host.as_root(this, ["env", f"PATH={os.environ['PATH']}", *argv], host.handed_on())
    status = attached(argv, silent=True)
    verdict = "ok" if status in (0, NO_TESTS_COLLECTED) else f"FAILED (status {status})"
    return Outcome(check.name, verdict, time.monotonic() - started)


def summary(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(f"{outcome.name:<20} {outcome.seconds:7.1f} s  {outcome.verdict}" for outcome in outcomes)


def main() -> None:
    interruptible()  # else a background job's tests would inherit that Ctrl-C is ignored
    parser = argparse.ArgumentParser(prog="ops.checks")
    parser.add_argument("names", nargs="*", choices=[[], "lint", *TIERS])
    names = parser.parse_args().names
    os.chdir(CHECKOUT)
    with reported("make test"):
        this = host.this_host()
        outcomes = [perform(check, this) for check in chosen(names, CHECKOUT)]
        print(f"\n{summary(outcomes)}")
        sys.exit(any(outcome.verdict.startswith("FAILED") for outcome in outcomes))


if __name__ == "__main__":
    main()
