"""`make gameday`: a stack of three small nodes, every row under load, one table; it ends with the stack taken down."""

import argparse
import json
import sys
from pathlib import Path

import pytest

from localcloud import control
from localcloud.state import CHECKOUT
from ops import example
from ops.environment import UNSET
from ops.errors import interruptible, reported
from tests.gameday import controller_rows, fleet_rows, model_rows, outage_rows, release_rows  # noqa: F401  # each adds its rows
from tests.gameday.day import Day
from tests.gameday.figures import figures
from tests.gameday.figures import table as figures_table
from tests.gameday.play import Verdict, play, table
from tests.gameday.rows import ROWS
from tests.machines import live, models

PLACE = CHECKOUT / ".slipway" / "gameday"
NODES = 3
WRITTEN = ("requests", "failed", "wrong", "allowed", "seconds", "changed", "slowest", "trouble")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make gameday", description=__doc__)
    parser.add_argument("--only", help="rows, by name, separated by commas", metavar="NAMES")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    parser.add_argument("--keep", action="store_true", help="leave the stack up, and take one that is up")
    parser.add_argument("--json", type=Path, help="write the figures here too", metavar="FILE")
    return parser.parse_args()


def day(*, keep: bool) -> Day:
    """The stack of the game day, up, in a copy of this checkout."""
    found = live.prepare(PLACE, keep=keep)
    running = found.state.read()
    if not (running and running.alive):
        enlarge(PLACE / "Pulumi.local.yaml")
        print("bringing up a stack of its own: make up", flush=True)
        found.make("up")
    patch = pytest.MonkeyPatch()
    for name in UNSET:
        patch.delenv(name, raising=False)
    for name, value in found.environment().items():
        patch.setenv(name, value)
    trained = example.train()
    today = Day(found, trained)
    for version in today.client.search_model_versions(f"name = '{models.MODEL}'"):
        today.know(str(version.version))
    return today


def enlarge(file: Path) -> None:
    """As many nodes as a rollout needs to have a first, a second and others."""
    text = file.read_text()
    changed = text.replace("    desired: 2\n", f"    desired: {NODES}\n")
    assert changed != text, f"{file} has the fleet's desired size"
    file.write_text(changed)


def chosen(names: str | None) -> list[str]:
    wanted = names.split(",") if names else list(ROWS)
    if unknown := [name for name in wanted if name not in ROWS]:
        sys.exit(f"no such row: {', '.join(unknown)}; there are: {', '.join(ROWS)}")
    return wanted


def written(verdicts: list[Verdict]) -> str:
    rows = [{"row": each.row.name} | {name: getattr(each, name) for name in WRITTEN} for each in verdicts]
    return json.dumps(rows, indent=2)


def main() -> None:
    interruptible()
    options = arguments()
    if options.list:
        print("\n".join(f"{row.name:<32} {row.title}" for row in ROWS.values()))
        return
    with reported("make gameday"):
        names = chosen(options.only)
        today = day(keep=options.keep)
        verdicts = []
        bake_seconds = today.live.outputs["delivery"]["bake_seconds"]
        try:
            for name in names:
                print(f"{name}: {ROWS[name].title}", flush=True)
                verdicts.append(play(today, ROWS[name]))
                print(table(verdicts[-1:]).splitlines()[-1], verdicts[-1].trouble, sep="\n", flush=True)
        finally:
            if not options.keep:
                control.stop(today.live.state, print)
        print(f"\n{table(verdicts)}")
        if found := figures(verdicts, bake_seconds):
            print(f"\n{figures_table(found)}")
        if options.json:
            options.json.write_text(written(verdicts))
        sys.exit(not all(verdict.passed for verdict in verdicts))


if __name__ == "__main__":
    main()
