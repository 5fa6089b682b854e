"""What machines would do, at once: the controller of an API without machines.

Instances run and end, targets are healthy, databases are available on the next turn. It stands where the EC2, balancer
and database controllers stand, so a whole program can be brought up against the API alone.
"""

import threading
import time
import traceback

from localcloud.autoscaling import AutoscalingController
from localcloud.model import World

NEXT = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}


class InstantController:
    name = "instant"

    def __init__(self, world: World, drains: bool = False) -> None:
        """With `drains`, a deregistered target takes its whole delay, though nobody is connected to it."""
        self._world = world
        self._drains = drains

    def reconcile(self) -> None:
        for instance in self._world.instances():
            if following := NEXT.get(instance.state):
                self._world.set_instance_state(instance.id, following)  # type: ignore[arg-type]
        for group in self._world.target_groups():
            for target in group.targets:
                if target.draining_until is not None and not self._drains:
                    self._world.set_target_health(group.arn, target, "unused")
                elif group.in_use and target.draining_until is None:
                    self._world.set_target_health(group.arn, target, "healthy")
        for database in self._world.databases():
            if database.status == "creating":
                self._world.set_database_status(database.id, "available")
            elif database.status == "deleting":
                self._world.set_database_status(database.id, "deleting")

    def stop(self) -> None:
        """Nothing was made."""


class InstantCloud:
    """The two controllers in a thread of their own, until `stop`."""

    def __init__(self, world: World, interval_seconds: float = 0.1) -> None:
        self._controllers = (AutoscalingController(world), InstantController(world))
        self._interval = interval_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="instant", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            for controller in self._controllers:
                try:
                    controller.reconcile()
                except Exception:
                    traceback.print_exc()
            time.sleep(self._interval)
