"""`make bench`: Slipway and its peers side by side on this machine, with the figures that are to be reached."""

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path

from ops.errors import UserError, interruptible, reported
from ops.steps import Step, Steps
from tests.bench.serving import environments, measure, models, nginx, profile, servers, slipway
from tests.bench.serving.environments import CHECKOUT
from tests.bench.serving.measure import CONNECTIONS, Setup
from tests.bench.serving.models import CASES
from tests.bench.serving.rounds import Run
from tests.bench.serving.servers import Server

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
    parser.add_argument("--sessions", action="store_true", help="each process in a session of its own, as services are")
    parser.add_argument("--lock", action="store_true", help="resolve the peers' locks anew, and measure nothing")
    parser.add_argument("--minutes", type=float, default=math.inf, help="after so many, begin nothing more")
    parser.add_argument("--profile", action="store_true", help="show where a prediction's time goes, and no peers")
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


def relock(steps: Steps) -> None:
    for peer in sorted({server.lock for server in servers.PEER_SERVERS}):
        with steps.step(f"lock of {peer}"):
            environments.compile_lock(peer)


def setup(given: argparse.Namespace, step: Step) -> Setup:
    return Setup(
        models=models.ensure(step),
        workers=given.workers,
        seconds=given.seconds,
        connections=CONNECTIONS,
        behind_nginx=not given.direct and nginx.program() is not None,
        sessions=given.sessions,
    )


def perform(given: argparse.Namespace, steps: Steps) -> None:
    names, rows = chosen_cases(given.models), chosen_servers(given.only)
    with steps.step("models") as step:
        common = setup(given, step)
        subjects = [measure.subject(common, case) for case in CASES if case.name in names]
    if given.profile:
        with steps.step("profile") as step:
            found = [profile.measure(common, about, step) for about in subjects]
        print("\n\n".join(found))
        return
    run = Run(common, rows, subjects)
    overloaded = rows[0] if OVERLOAD in names and rows[0].name == slipway.NATIVE else None
    try:
        run.measure(given.runs, overloaded, steps, given.minutes)
    finally:
        if any(run.rounds) or run.overload:
            print(run.text())
            run.write(given.json)


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
