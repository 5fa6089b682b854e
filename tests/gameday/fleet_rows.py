"""Rows in which nodes come and go: planned, by force, in the middle of a rollout."""

import boto3

from tests.gameday.day import Day, until_line
from tests.gameday.fleet import clock_ahead, first, reboot_through_standby
from tests.gameday.model_rows import delivered, returned
from tests.gameday.rows import row

AHEAD_SECONDS = 600
GATED = r"TASK \[.*[Aa]ctivat"


@row()
def node_reboots(day: Day) -> None:
    """A node reboots, through Standby."""
    reboot_through_standby(day)
    day.settled()


@row()
def scale_out_and_in(day: Day) -> None:
    """The fleet scales out by one and in again."""
    before = len(day.live.nodes("serving"))
    for size in (before + 1, before):
        boto3.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=day.live.outputs["fleet_group"], DesiredCapacity=size
        )
        day.sized(size)
    day.settled()


@row(machine_dies=True)
def canary_dies(day: Day) -> None:
    """The first node dies in the middle of its switch."""
    wanted = day.made(day.good(32))
    with day.rolling("-e", f"deployment={wanted}") as process:
        until_line(process, GATED)
        day.live.kill(first(day))
        process.communicate(timeout=300)
    day.settled()


@row(machine_dies=True)
def other_node_dies(day: Day) -> None:
    """Another node dies in the middle of a rollout."""
    wanted = day.made(day.good(33))
    with day.rolling("-e", f"deployment={wanted}") as process:
        until_line(process, GATED)
        day.live.kill(day.live.nodes("serving")[-1])
        process.communicate(timeout=300)
    day.settled()


@row()
def clock_is_wrong(day: Day) -> None:
    """The clock of one node is ten minutes ahead: a good model comes, and one that raises goes back."""
    with clock_ahead(day, first(day), AHEAD_SECONDS):
        delivered(day, day.good(38))
        returned(day, day.faulty("fails_on_traffic", how="raises"), "rolled-back")
    delivered(day, day.good(39))
