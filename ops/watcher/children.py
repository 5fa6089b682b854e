"""The processes that the watcher starts: one that makes a deployment, and the playbook that rolls it.

The playbook writes to a file, not to a pipe, and is left alone when the watcher dies (KillMode=process): a rollout
under way is not broken off because somebody restarts the watcher.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops import extra_vars
from ops.errors import UserError
from ops.run import run
from ops.watcher.events import say

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / "playbooks" / "deploy.yml"
MAKING_SECONDS = 1800
"""A release may have to be built: fetched, compiled and packed, on two processors that slow down when they are busy."""
POLL_SECONDS = 0.5
UNREACHABLE = 4
"""ansible-playbook's exit status when a host could not be reached."""
LAST_LINES = 30


class TroubleError(UserError):
    """It did not work now, and nothing says that the model is to blame."""


@dataclass(frozen=True)
class Made:
    """`deployment` is empty when it was refused: then `model` names which, if one is to blame, and `refused` why."""

    deployment: str
    refused: str = ""
    model: str = ""


@dataclass(frozen=True)
class Rolled:
    status: int
    last_lines: str

    @property
    def ok(self) -> bool:
        return self.status == 0


def make(models: Sequence[str]) -> Made:
    """Raises `TroubleError`."""
    answer = _maker(models)
    return Made(str(answer.get("id", "")), str(answer.get("refused", "")), str(answer.get("model") or ""))


def prefetch() -> str:
    """Brings the current release onto this disk; its digest. Raises `TroubleError`."""
    return str(_maker([])["release"])


def _maker(models: Sequence[str]) -> dict[str, object]:
    argv = [sys.executable, "-m", "ops.watcher.maker", *models]
    try:
        done = run(argv, cwd=ROOT, timeout_seconds=MAKING_SECONDS, check=False)
    except UserError as error:
        raise TroubleError(error.message, error.hint) from error
    lines = done.stdout.strip().splitlines()
    for line in lines[:-1]:
        print(line, flush=True)
    if not done.ok or not lines:
        text = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise TroubleError("; ".join(line.strip() for line in text[-3:]) or f"exit status {done.returncode}")
    answer: dict[str, object] = json.loads(lines[-1])
    return answer


def command(deployment: str, reason: str) -> list[str]:
    """Not `ansible-playbook`: a release holds packages, and no scripts of theirs."""
    words = extra_vars.words({"deployment": deployment, "reason": reason})
    return [sys.executable, "-m", "ansible.cli.playbook", str(PLAYBOOK), "--extra-vars", words]


def roll(
    argv: Sequence[str],
    log: Path,
    hear: Callable[[str], None],
    *,
    by: str = "",
    cwd: Path = PLAYBOOK.parent,
    timeout_seconds: float | None = None,
) -> Rolled:
    """Runs the playbook, or what else is to be heard, to its end; `hear` gets each line as it comes.

    `by`: in whose name, if not the watcher's. Who is not done after `timeout_seconds` is killed.
    """
    env = {**os.environ, "PYTHONUNBUFFERED": "1", **({"SLIPWAY_BY": by} if by else {})}
    with log.open("w") as output:
        process = subprocess.Popen(argv, cwd=cwd, stdout=output, stderr=subprocess.STDOUT, env=env)
    deadline = time.monotonic() + timeout_seconds if timeout_seconds else math.inf
    with log.open(errors="replace") as lines:
        rest = ""
        while True:
            ended = process.poll()
            rest += lines.read()
            *whole, rest = rest.split("\n")
            for line in whole:
                hear(line)
            if ended is not None:
                break
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(POLL_SECONDS)
    return Rolled(ended, "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:]))


class Headings:
    """Ansible's output as events: each heading is a step, and what failed is told whole."""

    def __init__(self, deployment: str) -> None:
        self._deployment = deployment

    def __call__(self, line: str) -> None:
        if line.startswith(("PLAY [", "TASK [")):
            say("rolling", deployment=self._deployment, step=line.partition("[")[2].partition("]")[0])
        elif line.startswith(("fatal:", "failed:", "[ERROR]", "ERROR!")) or "UNREACHABLE" in line:
            say("rolling", deployment=self._deployment, error=line[:2000])
