"""A run: servers in turn, round after round, and what was found, whole or interrupted.

Servers take turns within each round, so that what else the machine does meets them all; a figure is the median of the
rounds. Whoever fails or answers wrongly is named and left out, since a comparison lives on without one peer.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.errors import UserError
from ops.steps import Step, Steps
from tests.bench.serving import measure, overload, report, servers, targets
from tests.bench.serving.measure import Cell, Setup, Subject
from tests.bench.serving.overload import Overload
from tests.bench.serving.servers import Server
from tests.bench.serving.targets import Goal, Key


@dataclass
class Run:
    setup: Setup
    servers: Sequence[Server]
    subjects: Sequence[Subject]
    rounds: list[dict[Key, Cell]] = field(default_factory=list)
    left_out: dict[Key, str] = field(default_factory=dict)
    overload: Overload | None = None
    machine_load: list[float] = field(default_factory=list)
    """The one-minute load average before each start: ours is in it, and whatever else the machine had to do."""

    def measure(self, count: int, overloaded: Server | None, steps: Steps, minutes: float = math.inf) -> None:
        """Fills in what it finds as it goes; an interrupt ends it early, and what is there stays.

        After `minutes` nothing more is begun. Overload comes first, for it takes half of one.
        """
        until = time.monotonic() + minutes * 60
        if overloaded:
            with steps.step("overload") as step:
                self.overload = overload.measure(overloaded, self.setup, step)
        for number in range(1, count + 1):
            with steps.step(f"round {number} of {count}") as step:
                self.rounds.append({})
                self._round(self.rounds[-1], step, until)

    def _round(self, cells: dict[Key, Cell], step: Step, until: float) -> None:
        for about in self.subjects:
            for server in self.servers:
                key = (about.case.name, server.name)
                if key in self.left_out:
                    continue
                if time.monotonic() >= until:
                    if len(self.rounds) == 1:
                        self.left_out[key] = "there was no time left"
                    continue
                self.machine_load.append(os.getloadavg()[0])
                try:
                    cells[key] = measure.cell(server, self.setup, about, step)
                except UserError as error:
                    self.left_out[key] = error.message
                    step.board.line(f"     left out: {about.case.name}: {server.name}: {error}")

    @property
    def cells(self) -> dict[Key, Cell]:
        return targets.medians(self.rounds)

    @property
    def goals(self) -> list[Goal]:
        return targets.goals(self.cells) + (overload.goals(self.overload) if self.overload else [])

    def header(self) -> str:
        loads = self.machine_load or [os.getloadavg()[0]]
        front = "all behind Nginx as the node has it" if self.setup.behind_nginx else "no Nginx in front of anybody"
        return (
            f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {os.cpu_count()} processors, "
            f"load average {min(loads):.1f} to {max(loads):.1f} in the run; {self.setup.workers} workers each, "
            f"{front}; h2load over loopback, {self.setup.seconds:g} s per figure, median of {len(self.rounds)}; "
            f"ratio is to `{servers.MLFLOW}`"
        )

    def text(self) -> str:
        cells = self.cells
        under = report.overload_lines(self.overload) if self.overload else ""
        left_out = "\n".join(f"left out: {case}: {server}: {why}" for (case, server), why in self.left_out.items())
        parts = [self.header(), report.table(cells), report.distances(cells), under, report.goal_lines(self.goals)]
        return "\n\n".join(filter(None, [*parts, left_out]))

    def write(self, place: Path) -> None:
        found = {
            "header": self.header(),
            "machine_load": self.machine_load,
            "behind_nginx": self.setup.behind_nginx,
            "cells": report.as_json(self.cells),
            "goals": [{**report.nulled(vars(goal)), "met": goal.met} for goal in self.goals],
            "overload": report.overload_json(self.overload),
            "left_out": [{"case": case, "server": server, "why": why} for (case, server), why in self.left_out.items()],
        }
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")
