"""A node with nobody to stand in for it: its group is told to leave it, until it is healthy again."""

import threading

import pytest

from ops import standby
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi
from tests.moto.test_gaps_autoscaling import Group


def test_a_held_node_is_not_replaced_until_it_is_let_go_healthy(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ENVIRONMENT, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": api.endpoint}.items():
        monkeypatch.setenv(name, value)
    group = Group(api, DesiredCapacity=1, MaxSize=2)
    (node,) = group.settle(1)
    standby.hold(node)
    group.mark(node, "unhealthy")
    api.turn(20)
    assert group.members() == [node], "an unhealthy node that is held stays"
    ending = threading.Thread(target=standby.unhold, args=(node,), daemon=True)
    ending.start()
    group.mark(node, "healthy")
    api.turn_until(lambda: not ending.is_alive(), seconds=60)
    assert group.describe()["SuspendedProcesses"] == []
    assert group.members() == [node]
