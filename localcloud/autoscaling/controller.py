"""One turn of every Auto Scaling group, under moto's lock, because it changes moto's own records.

It launches and terminates through the same code as the API's RunInstances, so an instance of a group is no other than
one made by hand. Each step looks at the state anew: a turn that is lost or cut short costs a quarter of a second.
"""

from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.api.lock import MOTO
from localcloud.autoscaling import capacity, health, lifecycle, refresh, tracking
from localcloud.gaps.autoscaling_members import terminate
from localcloud.metrics import Meter


class AutoscalingController:
    name = "autoscaling"

    def __init__(self, world: Any) -> None:
        self._account, self._region, self._meter = world.account, world.region, world.meter

    def reconcile(self) -> None:
        with MOTO:
            backend = autoscaling_backends[self._account][self._region]
            minute = self._meter if self._meter.turn(cloudwatch_backends[self._account][self._region]) else None
            groups = list(backend.autoscaling_groups.values())
            failures = [error for group in groups if (error := _turn(backend, group, minute))]
        if failures:
            raise ExceptionGroup("autoscaling", failures)

    def stop(self) -> None:
        """Nothing: the instances are the EC2 controller's, and go with it."""


def _turn(backend: Any, group: Any, minute: Meter | None) -> Exception | None:
    """One group, so that a fault in one leaves the others alone. `minute` is given when one has ended."""
    try:
        if minute is not None:
            tracking.step(backend, group, minute)
        lifecycle.step(backend, group)
        for state in health.unhealthy(backend, group):
            refresh.failed(group, state)
            terminate(group, state, state.health_reason)
        if not refresh.step(backend, group):
            capacity.step(backend, group)
        lifecycle.register(backend, group)
        if group.status and not group.instance_states:
            backend.autoscaling_groups.pop(group.name, None)
    except Exception as error:
        return error
    return None
