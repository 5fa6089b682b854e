"""How many nodes the requests of the last minutes call for, and how those are counted."""

from typing import Any

import pytest

from localcloud.autoscaling.tracking import wanted
from localcloud.balancer.counting import FRONTENDS, Counting
from localcloud.balancer.runtime import counters
from localcloud.metrics import DEFAULT_MINUTE_SECONDS, VARIABLE, Meter, minute_seconds

TARGET = 100.0
LABEL = "app/fleet/0a/targetgroup/api/0b"


def test_a_group_grows_after_three_minutes_above_the_target_and_not_before() -> None:
    assert wanted([150, 150], TARGET, 2, True) is None
    assert wanted([90, 150, 150], TARGET, 2, True) is None
    assert wanted([150, 150, 150], TARGET, 2, True) == 3


def test_it_grows_by_as_much_as_the_last_minute_calls_for() -> None:
    assert wanted([110, 200, 390], TARGET, 2, True) == 8


def test_what_is_warming_up_has_not_shared_the_load() -> None:
    assert wanted([200, 200, 200], TARGET, 0, True) == 2, "one node is the least that can have served them"


def test_it_shrinks_after_fifteen_minutes_a_tenth_below_the_target() -> None:
    quiet = [20.0] * 15
    assert wanted(quiet[:14], TARGET, 4, True) is None
    assert wanted(quiet, TARGET, 4, True) == 1
    assert wanted([*quiet[:14], 95.0], TARGET, 4, True) is None, "within a tenth of the target"


def test_it_keeps_room_for_the_busiest_of_those_minutes() -> None:
    assert wanted([20.0] * 14 + [60.0], TARGET, 4, True) == 3


def test_a_policy_may_only_add() -> None:
    assert wanted([0.0] * 15, TARGET, 4, False) is None


def stat(*lines: str) -> Any:
    return counters("\n".join(["# pxname,svname,type,stot,req_tot,hrsp_5xx", *lines]))


def test_requests_are_counted_by_backend_and_errors_by_server() -> None:
    counting = Counting()
    first = ["listener-80,FRONTEND,0,3,10,2", "healthy-api,BACKEND,1,8,,2", "healthy-api,i-0a:8080,2,8,,1"]
    assert counting.since("1", stat(*first, "all-api,BACKEND,1,1,,0")) == {FRONTENDS: (10, 2), "api": (9, 1)}
    assert counting.since("1", stat(*first)) == {FRONTENDS: (0, 0), "api": (0, 0)}, "each is counted once"


def test_a_successor_and_a_server_that_returns_begin_at_nothing() -> None:
    counting = Counting()
    counting.since("1", stat("healthy-api,BACKEND,1,80,,0", "healthy-api,i-0a:8080,2,80,,5"))
    assert counting.since("1", stat("healthy-api,BACKEND,1,90,,0", "healthy-api,i-0a:8080,2,2,,1")) == {"api": (10, 1)}
    assert counting.since("2", stat("healthy-api,BACKEND,1,7,,0")) == {"api": (7, 0)}


class CloudWatch:
    def __init__(self) -> None:
        self.metric_data: list[Any] = []

    def put_metric_data(self, namespace: str, data: list[dict[str, Any]]) -> None:
        self.metric_data += data


def test_a_short_minute_states_true_rates() -> None:
    now = 0.0
    meter, cloudwatch = Meter(length=6.0, clock=lambda: now), CloudWatch()
    now = 6.0
    meter.count(LABEL, 20, 3, (2, 1))
    assert meter.turn(cloudwatch)
    assert not meter.turn(cloudwatch), "the next has just begun"
    assert list(meter.series[LABEL].per_target) == [100.0], "20 in a tenth of a minute, by two nodes"
    said = {each["MetricName"]: each["Value"] for each in cloudwatch.metric_data}
    assert said["UnHealthyHostCount"] == 1
    assert said["HTTPCode_Target_5XX_Count"] == 3


def test_a_minute_lasts_what_the_environment_says_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, seconds in {"10": 10.0, "0.1": 1.0, "600": 60.0, "soon": DEFAULT_MINUTE_SECONDS}.items():
        monkeypatch.setenv(VARIABLE, given)
        assert minute_seconds() == seconds
