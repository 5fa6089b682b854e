"""What carries out an order on the tracking node: the bucket, and the processes that the watcher starts for it."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ops import delivery
from ops.orders.taker import Built
from ops.rollout import hindrance
from ops.rollout.history import History, Record
from ops.store import Store
from ops.watcher import children
from ops.watcher.children import Rolled, TroubleError


class Node:
    """What `taker.World` asks for. `folder` is where its logs may be."""

    def __init__(self, at: Store, folder: Path) -> None:
        self._at, self._folder = at, folder

    def hindrance(self) -> str:
        return hindrance.paused(self._at) or hindrance.rolling(self._at)

    def pointer(self) -> str:
        return self._at.pointer()

    def rollouts(self) -> Iterable[Record]:
        return History(self._at).newest_first()

    def make(self, name: str, hear: Callable[[str], None]) -> Built:
        """Raises `TroubleError`."""
        answer: dict[str, Any] = {}

        def on_line(line: str) -> None:
            print(line, flush=True)
            told = parsed(line)
            if told.get("event") == "making":
                hear(str(told.get("step")))
            elif told.get("order") == name:
                answer.update(told)

        argv = [sys.executable, "-m", "ops.orders.maker", name]
        seconds = children.MAKING_SECONDS
        done = children.roll(argv, self._folder / "order.log", on_line, cwd=children.ROOT, timeout_seconds=seconds)
        if not done.ok or not answer:
            last = "; ".join(line.strip() for line in done.last_lines.splitlines()[-3:])
            raise TroubleError(last or f"exit status {done.status}")
        return Built(*(str(answer.get(key, "")) for key in ("deployment", "release", "refused")))

    def roll(self, deployment: str, reason: str, by: str, hear: Callable[[str], None]) -> Rolled:
        headings, steps = children.Headings(deployment), delivery.watcher(hear)

        def on_line(line: str) -> None:
            headings(line)
            steps(line)

        return children.roll(children.command(deployment, reason), self._folder / "rollout.log", on_line, by=by)


def parsed(line: str) -> dict[str, Any]:
    """A line that is an object of JSON; others are empty."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
