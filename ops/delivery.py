"""From a model version to the fleet that serves it: make the deployment, then roll it with the ordinary playbook."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from localcloud.state import State
from ops.follow import follow

PLAYBOOK = Path("playbooks") / "deploy.yml"
HINT = "the nodes serve what they served before; `make up` tries again"


def deploy(state: State, model: str, version: str, say: Callable[[str], None], log: Path) -> str:
    """Returns what was done, in words. Raises `UserError` when the fleet did not take it: it is then as it was."""
    identity = make(model, version, say, log.with_stem("deployment"))
    say(f"rolling {identity}")
    command = ["ansible-playbook", str(PLAYBOOK), "-e", f"deployment={identity}"]
    follow(command, watcher(say), log=log, cwd=state.checkout, hint=HINT)
    return f"deployment {identity}"


def make(model: str, version: str, say: Callable[[str], None], log: Path) -> str:
    """The id of the deployment that serves exactly this version: the last line that its maker prints."""
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        say(line)

    follow([sys.executable, "-m", "ops.deployment", f"{model}/{version}"], on_line, log=log, hint=HINT)
    return str(json.loads(lines[-1])["id"])


def watcher(say: Callable[[str], None]) -> Callable[[str], None]:
    """Ansible's own headings are the progress."""

    def on_line(line: str) -> None:
        if line.startswith(("PLAY [", "TASK [")):
            say(line.partition("[")[2].partition("]")[0])

    return on_line
