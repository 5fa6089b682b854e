"""From a model version to the fleet that serves it: make the deployment, then roll it with the ordinary playbook."""

from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from ops import promotion
from ops.follow import follow
from ops.store import Store

if TYPE_CHECKING:
    from localcloud.state import State

PLAYBOOK = Path("playbooks") / "deploy.yml"
HINT = "the nodes serve what they served before; `make up` tries again"


def deploy(state: "State", at: Store, model: str, say: Callable[[str], None], log: Path) -> str:
    """`model` is NAME/VERSION@ALIAS. Returns what was done, in words.

    Raises `UserError` when the fleet did not take it: it is then as it was."""
    identity = serving(at, model) or make(at, model, say, log.with_stem("deployment"))
    say(f"rolling {identity}")
    command = ["ansible-playbook", str(PLAYBOOK), "-e", f"deployment={identity}"]
    follow(command, watcher(say), log=log, cwd=state.checkout, hint=HINT)
    return f"deployment {identity}"


def serving(at: Store, model: str) -> str:
    """The current deployment if this version is in it, perhaps beside others: rolled again it loses none."""
    current = at.pointer()
    labels = [f"{entry['name']}/{entry['version']}" for entry in at.manifest(current)["models"]]
    return current if model.partition("@")[0] in labels else ""


def make(at: Store, model: str, say: Callable[[str], None], log: Path) -> str:
    """The id of the deployment that serves exactly this version.

    Made in this process, which has imported mlflow already: another one would take seconds for that.
    """
    with log.open("w") as output, redirect_stdout(output), redirect_stderr(output):

        def on_line(line: str) -> None:
            print(line, flush=True)
            say(line)

        plan = promotion.plan(at, [model], None, breaking=False, alone=True, mode="auto", progress=on_line)
        return promotion.make(at, plan, on_line)


def watcher(say: Callable[[str], None]) -> Callable[[str], None]:
    """Ansible's own headings are the progress."""

    def on_line(line: str) -> None:
        if line.startswith(("PLAY [", "TASK [")):
            say(line.partition("[")[2].partition("]")[0])

    return on_line
