"""The last look: every serving node that exists by now serves the deployment, those that still start included."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from ops.errors import UserError
from ops.rollout.reach import Fleet, reason

SECONDS = 300.0
PAUSE_SECONDS = 2.0


def verify(fleet: Fleet, deployment: str, turn: Callable[[], object], seconds: float = SECONDS) -> list[str]:
    """The names of the nodes, once all serve it for good. One that serves another is told; one that starts is waited
    for, since it boots into the pointer. Raises `UserError` naming those that do not."""
    ending = time.monotonic() + seconds
    while True:
        turn()
        statuses = fleet.statuses()
        wrong = {name: told for name, told in ((name, differs(s, deployment)) for name, s in statuses.items()) if told}
        if not wrong:
            return sorted(statuses)
        if time.monotonic() > ending:
            raise UserError(
                f"deployment {deployment} is current, but not everywhere: "
                + "; ".join(f"{name} {told}" for name, told in wrong.items()),
                "such a node goes on trying by itself; `slipway status` shows it",
            )
        tell(fleet, statuses, deployment)
        time.sleep(PAUSE_SECONDS)


def differs(status: Mapping[str, Any] | None, deployment: str) -> str:
    """In which way a node does not serve the deployment for good; empty when it does."""
    if status is None:
        return "does not answer yet"
    if status["provisional"]:
        return f"serves {status['provisional']} provisionally"
    if status["serving"] == deployment == status["confirmed"]:
        return ""
    error = (status.get("last_error") or {}).get("message", "")
    return f"serves {status['serving'] or 'nothing'}{': ' if error else ''}{error}"


def tell(fleet: Fleet, statuses: Mapping[str, Mapping[str, Any] | None], deployment: str) -> None:
    """A node with another deployment is a late one: it takes part now, or says why not."""
    late = {
        name for name, s in statuses.items() if s and not s["provisional"] and s["serving"] not in (None, deployment)
    }
    if late:
        among = [node for node in fleet.nodes() if node.name in late]
        for name, answer in fleet.everywhere("activate", deployment, among=among).items():
            if not answer.ok:
                print(f"{name}: {reason(answer)}", flush=True)
