"""Rows in which who rolls goes away in the middle, in each phase, or is not the only one."""

import os
import signal

from tests.gameday.day import Day, until_line
from tests.gameday.rows import ROWS, Row, row

PHASES = ("Prepare every node", "Move the first node", "Bake", "Move the others", "Commit, and watch", "End")


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
