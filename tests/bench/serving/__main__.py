"""`make bench`: Slipway and its peers side by side on this machine, with the figures that are to be reached.

Servers take turns within each round, so that what else the machine does meets them all; a figure is the median of the
rounds. Whoever fails or answers wrongly is named and left out, since a comparison lives on without one peer.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from ops.errors import UserError, interruptible, reported
from ops.steps import Step, Steps
from tests.bench.serving import environments, measure, models, nginx, overload, report, servers, slipway, targets
from tests.bench.serving.environments import CHECKOUT
from tests.bench.serving.measure import CONNECTIONS, Cell, Setup, Subject
from tests.bench.serving.models import CASES
from tests.bench.serving.servers import Server
from tests.bench.serving.targets import Goal, Key

JSON_FILE = CHECKOUT / ".slipway" / "bench-serving.json"
OVERLOAD = "overload"
CASE_NAMES = [*(case.name for case in CASES), OVERLOAD]


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="servers whose names hold one of these, comma-separated")
    parser.add_argument("--models", default=",".join(CASE_NAMES), help=f"of {','.join(CASE_NAMES)}")
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS", "3")), help="rounds; medians are shown")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load per figure, after a second of warming up")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="worker processes of each")
    parser.add_argument("--direct", action="store_true", help="no Nginx in front of anybody")
    parser.add_argument("--lock", action="store_true", help="resolve the peers' locks anew, and measure nothing")
    parser.add_argument("--json", type=Path, default=JSON_FILE, help="where the figures go")
    return parser.parse_args(words)


def chosen_servers(only: str) -> list[Server]:
    every = [*slipway.servers(), *servers.PEER_SERVERS]
    wanted = [part.strip().lower() for part in only.split(",") if part.strip()]
    found = [server for server in every if not wanted or any(part in server.name.lower() for part in wanted)]
    if not found:
        raise UserError(f"--only {only}: no such server", f"there are: {'; '.join(server.name for server in every)}")
    return found


def chosen_cases(names: str) -> list[str]:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := set(wanted) - set(CASE_NAMES):
        raise UserError(f"--models: there is no {', '.join(sorted(unknown))}", f"there are: {', '.join(CASE_NAMES)}")
    return wanted


def one_round(
    setup: Setup, rows: Sequence[Server], subjects: Sequence[Subject], left_out: dict[Key, str], step: Step
) -> dict[Key, Cell]:
    cells = {}
    for about in subjects:
        for server in rows:
            key = (about.case.name, server.name)
            if key in left_out:
                continue
            try:
                cells[key] = measure.cell(server, setup, about, step)
            except UserError as error:
                left_out[key] = error.message
                step.board.line(f"     left out: {about.case.name}: {server.name}: {error}")
    return cells


def relock(steps: Steps) -> None:
    for peer in sorted({server.lock for server in servers.PEER_SERVERS}):
        with steps.step(f"lock of {peer}"):
            environments.compile_lock(peer)


def header(setup: Setup, runs: int) -> str:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    front = "all behind Nginx as the node has it" if setup.behind_nginx else "no Nginx in front of anybody"
    return (
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {os.cpu_count()} processors, load average {load}; "
        f"{setup.workers} workers each, {front}; h2load over loopback, {setup.seconds:g} s per figure, "
        f"medians of {runs}; ratio is to `{servers.MLFLOW}`"
    )


def perform(given: argparse.Namespace, steps: Steps) -> None:
    names, rows = chosen_cases(given.models), chosen_servers(given.only)
    behind = not given.direct and nginx.program() is not None
    with steps.step("models") as step:
        home = models.ensure(step)
        setup = Setup(
            models=home, workers=given.workers, seconds=given.seconds, connections=CONNECTIONS, behind_nginx=behind
        )
        subjects = [measure.subject(setup, case) for case in CASES if case.name in names]
    left_out: dict[Key, str] = {}
    before, rounds = os.getloadavg(), []
    for number in range(1, given.runs + 1):
        with steps.step(f"round {number} of {given.runs}") as step:
            rounds.append(one_round(setup, rows, subjects, left_out, step))
    cells = targets.medians(rounds)
    goals = targets.goals(cells)
    parts = [header(setup, given.runs), report.table(cells), report.distances(cells)]
    under = None
    if OVERLOAD in names and rows[0].name == slipway.NATIVE:
        with steps.step(OVERLOAD) as step:
            under = overload.measure(rows[0], setup, step)
        goals += overload.goals(under)
        parts.append(report.overload_lines(under))
    parts.append(report.goal_lines(goals))
    print(
        "\n\n".join(
            [*filter(None, parts), *(f"left out: {case}: {name}: {why}" for (case, name), why in left_out.items())]
        )
    )
    write(given.json, setup, before, cells, goals, under, left_out)


def write(
    place: Path,
    setup: Setup,
    load_before: tuple[float, float, float],
    cells: dict[Key, Cell],
    goals: Sequence[Goal],
    under: overload.Overload | None,
    left_out: dict[Key, str],
) -> None:
    found = {
        "load_average": {"before": load_before, "after": os.getloadavg()},
        "behind_nginx": setup.behind_nginx,
        "cells": report.as_json(cells),
        "goals": [{**vars(goal), "met": goal.met} for goal in goals],
        "overload": report.overload_json(under),
        "left_out": [{"case": case, "server": name, "why": why} for (case, name), why in left_out.items()],
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(found, indent=2) + "\n")


def main() -> None:
    interruptible()
    with reported("make bench"):
        given, steps = arguments(), Steps()
        if given.lock:
            relock(steps)
        else:
            perform(given, steps)


if __name__ == "__main__":
    main()
