"""Rows in which who rolls goes away in the middle, in each phase, or is not the only one."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.gameday.day import Day, until_line
from tests.gameday.fleet import clock_ahead
from tests.gameday.rows import ROWS, Row, row

PHASES = ("Prepare every node", "Move the first node", "Bake", "Move the others", "Commit, and watch", "End")
PAST_ANY_DEADLINE = 3600
KEEPER = b"ops.rollout.keeper"


@row()
def two_rollouts_at_once(day: Day) -> None:
    """Two rollouts at once: the second is refused, and says by whom."""
    one, other = day.made(day.good(34)), day.made(day.good(35))
    with day.rolling("-e", f"deployment={one}") as process:
        until_line(process, r"PLAY \[Bake")
        refused = day.playbook("deploy.yml", "-e", f"deployment={other}", check=False)
        process.communicate(timeout=300)
    assert not refused.ok
    assert one in refused.stdout + refused.stderr
    assert process.returncode == 0
    assert day.settled() == one


@row()
def controller_out_of_reach(day: Day) -> None:
    """The controller is cut off in mid-bake, its keeper with it, until the nodes decide; then it is back."""
    before, wanted = day.pointer, day.made(day.good(36))
    with day.rolling("-e", f"deployment={wanted}") as process:
        until_line(process, r"PLAY \[Bake")
        with frozen(process.pid, keeper_of(process.pid)), ExitStack() as clocks:
            for node in day.live.nodes("serving"):
                clocks.enter_context(clock_ahead(day, node, PAST_ANY_DEADLINE))
            assert day.agreed() == before
        process.communicate(timeout=300)
    assert day.settled() == before
    assert process.returncode != 0


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Neither they nor their children do anything meanwhile, as if nothing that they send arrived anywhere."""
    for pid in pids:
        os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.killpg(pid, signal.SIGCONT)


def keeper_of(controller: int) -> int:
    """The process that `begin` has started to watch that playbook: the leader of a session of its own."""
    wanted = [KEEPER, str(controller).encode()]
    processes = [place for place in Path("/proc").iterdir() if place.name.isdigit()]
    (keeper,) = [place for place in processes if words_of(place)[2:3] + words_of(place)[4:] == wanted]
    return int(keeper.name)


def words_of(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().removesuffix(b"\0").split(b"\0")
    except OSError:
        return []  # it has ended


def killed_in(phase: str, trees: int) -> Row:
    def act(day: Day) -> None:
        before, wanted = day.pointer, day.made(day.good(trees))
        with day.rolling("-e", f"deployment={wanted}") as process:
            until_line(process, rf"PLAY \[{phase}")
            os.killpg(process.pid, signal.SIGKILL)
        assert day.settled() in (before, wanted)

    act.__doc__ = f"The controller is killed in the phase “{phase}”."
    return Row(f"controller-killed-{phase.split(',', maxsplit=1)[0].lower().replace(' ', '-')}", act)


for number, name in enumerate(PHASES):
    made = killed_in(name, 40 + number)
    ROWS[made.name] = made
