"""Rows in which what no prediction may need is gone: MLflow, its database, the bucket, the parameters; each and all."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.gameday.day import Day
from tests.gameday.fleet import BOOT_SECONDS, kill_a_worker, reboot_through_standby
from tests.gameday.rows import row
from tests.waiting import until

CANNOT_REACH = ("sh", "-c", "journalctl --unit mlflow | grep --max-count=1 'cannot be reached'")


def ride_out(day: Day, *services: str) -> None:
    """While the services are down a worker is killed and a node reboots through Standby; both serve again."""
    before = day.pointer
    with ExitStack() as outages:
        for service in services:
            outages.enter_context(down(day, service))
        kill_a_worker(day)
        reboot_through_standby(day)
        assert set(day.served().values()) == {before}
    assert day.settled() == before


@contextmanager
def down(day: Day, service: str) -> Iterator[None]:
    day.live.localcloud("fault", service, "down")
    try:
        yield
    finally:
        day.live.localcloud("fault", service, "up")


@row()
def tracking_down(day: Day) -> None:
    """MLflow is down: its node is killed, and comes back."""
    day.live.kill(day.live.nodes("tracking")[0])
    kill_a_worker(day)
    day.live.until_whole("tracking")


@row()
def tracking_boots_without_its_database(day: Day) -> None:
    """The database is down when MLflow's node is replaced: it says so, and is up with the database."""
    before = {node.id for node in day.live.nodes("tracking")}
    with down(day, "database"):
        day.live.kill(day.live.nodes("tracking")[0])

        def says_so() -> bool:
            after = [node for node in day.live.nodes("tracking") if node.id not in before]
            return any(day.live.shell(node, *CANNOT_REACH, check=False).ok for node in after)

        until(says_so, "the new node says that it cannot reach the database", BOOT_SECONDS)
    day.live.until_whole("tracking")


@row()
def database_down(day: Day) -> None:
    """The database is down."""
    ride_out(day, "database")


@row()
def bucket_down(day: Day) -> None:
    """S3 is down."""
    ride_out(day, "s3")


@row()
def everything_down(day: Day) -> None:
    """The database, S3, SSM and Secrets Manager are down."""
    ride_out(day, "database", "s3", "ssm", "secretsmanager")
