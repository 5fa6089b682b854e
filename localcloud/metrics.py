"""What the balancers have counted, minute by minute, and CloudWatch's copy of it.

A minute lasts as long as the environment says: policies and alarms that take a quarter of an hour on AWS are then to be
seen here. Rates stay true: what was counted is stated for a whole minute, so that a target value means the same.
Not safe by itself: whoever calls holds moto's lock.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import utcnow

VARIABLE = "SLIPWAY_LOCAL_MINUTE"
DEFAULT_MINUTE_SECONDS = 4.0
MINUTE = 60.0
KEPT = 180
NAMESPACE = "AWS/ApplicationELB"


def minute_seconds() -> float:
    """How long a minute of CloudWatch lasts here, from 1 to 60 seconds."""
    try:
        return min(max(float(os.environ.get(VARIABLE, DEFAULT_MINUTE_SECONDS)), 1.0), MINUTE)
    except ValueError:
        return DEFAULT_MINUTE_SECONDS


@dataclass
class Series:
    """One target group before one balancer: what was counted since the last minute, and the minutes before."""

    requests: int = 0
    errors: int = 0
    healthy: int = 0
    unhealthy: int = 0
    per_target: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))


@dataclass
class Meter:
    """`series` by `balancer/target group`, as policies' labels have it; `answered` are a balancer's own errors."""

    length: float = field(default_factory=minute_seconds)
    clock: Callable[[], float] = time.monotonic
    series: dict[str, Series] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.clock()

    def count(self, label: str, requests: int, errors: int, health: tuple[int, int]) -> None:
        """Adds requests and their 5xx of one target group; `health` are its healthy and unhealthy targets now."""
        found = self.series.setdefault(label, Series())
        found.requests += requests
        found.errors += errors
        found.healthy, found.unhealthy = health

    def count_own(self, balancer: str, errors: int) -> None:
        """Adds 5xx that the balancer itself answered."""
        self.answered[balancer] = self.answered.get(balancer, 0) + errors

    def turn(self, cloudwatch: Any) -> bool:
        """Ends the minute when it is over, and tells CloudWatch. True when it has ended one."""
        now = self.clock()
        if now < self._until + self.length:
            return False
        self._until = now
        scale = MINUTE / self.length
        data = [entry for label, found in self.series.items() for entry in _end(label, found, scale)]
        for balancer, errors in self.answered.items():
            if errors:
                data.append(_datum("HTTPCode_ELB_5XX_Count", errors, {"LoadBalancer": balancer}))
            self.answered[balancer] = 0
        if data:
            cloudwatch.put_metric_data(NAMESPACE, data)
        own = KEPT * max(len(data), 1)
        kept = cloudwatch.metric_data
        if len(kept) > 2 * own:
            del kept[: len(kept) - own]
        return True


def _end(label: str, found: Series, scale: float) -> list[dict[str, Any]]:
    balancer, _, group = label.partition("/targetgroup/")
    names = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
    each = found.requests * scale / max(found.healthy, 1)
    found.per_target.append(each)
    data = [
        _datum("RequestCountPerTarget", each, names),
        _datum("HealthyHostCount", found.healthy, names),
        _datum("UnHealthyHostCount", found.unhealthy, names),
    ]
    if found.requests:
        data.append(_datum("RequestCount", found.requests * scale, names))
    if found.errors:
        data.append(_datum("HTTPCode_Target_5XX_Count", found.errors, names))
    found.requests = found.errors = 0
    return data


def _datum(name: str, value: float, dimensions: dict[str, str]) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Value": value,
        "Timestamp": utcnow(),
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
    }
