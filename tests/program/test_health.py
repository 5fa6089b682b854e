"""When `pulumi up` calls a group of nodes healthy, and what it says when it gives up."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pulumi
import pytest

from infra import health
from infra.announced import Announced
from infra.cloud import Refresh, Snapshot
from infra.health import HealthGate, Unhealthy

HEALTHY = ("healthy", "")


class Scripted:
    """A cloud that goes through the given states, and stays in the last."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.coming: Iterator[Snapshot] = iter(snapshots)
        self.last = snapshots[-1]
        self.looked = 0

    def snapshot(self, group: str) -> Snapshot:
        self.looked += 1
        return next(self.coming, self.last)

    def console_tail(self, instance_id: str) -> str:
        return f"{instance_id} login:\nslipway-boot: cannot reach the bucket"


def state(
    members: dict[str, str] | None = None,
    targets: dict[str, tuple[str, str]] | None = None,
    refresh: Refresh | None = None,
    failures: dict[str, str] | None = None,
    desired: int = 2,
) -> Snapshot:
    return Snapshot(
        desired=desired, members=members or {}, targets=targets or {}, refresh=refresh, failures=failures or {}
    )


def refresh(status: str, id_: str = "new", reason: str = "") -> Refresh:
    return Refresh(id=id_, status=status, percent=50, reason=reason)


LAUNCHES = {str(number): "You have requested more vCPU capacity than your limit of 1" for number in range(3)}
BOTH = {"i-a": "InService", "i-b": "InService"}
ALL_HEALTHY = state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY})


def gate(cloud: Scripted, timeout_seconds: int = 60) -> HealthGate:
    return HealthGate("fleet", timeout_seconds, lambda: cloud)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "POLL_SECONDS", 0.0)
    monkeypatch.setattr("pulumi.log.info", print)


def test_a_healthy_group_is_looked_at_once() -> None:
    cloud = Scripted(ALL_HEALTHY)
    gate(cloud).wait("group")
    assert cloud.looked == 1


WAITED_FOR = {
    "no instance yet": state(),
    "an instance that is pending": state({"i-a": "InService", "i-b": "Pending"}, {"i-a": HEALTHY}),
    "a target that is initial": state(BOTH, {"i-a": HEALTHY, "i-b": ("initial", "registering")}),
    "an old node that is still there": state(
        BOTH | {"i-c": "Terminating"}, {"i-a": HEALTHY, "i-b": HEALTHY, "i-c": HEALTHY}
    ),
    "a refresh under way": state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY}, refresh("InProgress")),
}


@pytest.mark.parametrize("unready", WAITED_FOR.values(), ids=WAITED_FOR)
def test_it_waits_for(unready: Snapshot, capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Scripted(unready, unready, ALL_HEALTHY)
    gate(cloud).wait("group")
    assert cloud.looked == 3
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2, "progress is said when it changes, and only then"


def test_progress_names_each_node_that_is_not_healthy_and_why() -> None:
    said = health.progress(state(BOTH, {"i-a": HEALTHY, "i-b": ("unhealthy", "Health checks failed with 503")}))
    assert said == "1 of 2 healthy; i-b InService, unhealthy (Health checks failed with 503)"


@pytest.mark.parametrize("status", sorted(health.FAILED_REFRESH))
def test_a_refresh_that_failed_ends_the_wait_with_its_reason(status: str) -> None:
    cloud = Scripted(state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY}, refresh(status, reason="i-c was unhealthy")))
    with pytest.raises(Unhealthy, match=f"the instance refresh ended as {status}: i-c was unhealthy"):
        gate(cloud).wait("group")


def test_what_failed_before_this_update_is_history() -> None:
    old = state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY}, refresh("Failed", "old"), failures=dict(LAUNCHES))
    waiting = gate(Scripted(old))
    waiting._remember("group")
    waiting.wait("group")


def test_a_refresh_that_is_already_under_way_is_waited_for() -> None:
    busy = state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY}, refresh("InProgress"))
    done = state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY}, refresh("Successful"))
    cloud = Scripted(busy, busy, done)
    waiting = gate(cloud)
    waiting._remember("group")
    waiting.wait("group")
    assert cloud.looked == 3


def test_a_node_in_standby_is_nobodys_concern() -> None:
    gate(Scripted(state(BOTH | {"i-c": "Standby"}, {"i-a": HEALTHY, "i-b": HEALTHY}))).wait("group")


def test_instances_that_cannot_be_launched_end_the_wait_with_what_ec2_said() -> None:
    cloud = Scripted(state(failures=LAUNCHES))
    with pytest.raises(Unhealthy, match="more vCPU capacity"):
        gate(cloud).wait("group")


def test_one_failed_launch_is_waited_out() -> None:
    gate(Scripted(state(failures={"1": "Invalid IAM Instance Profile name"}), ALL_HEALTHY)).wait("group")


def test_a_wait_in_vain_shows_the_end_of_an_unhealthy_nodes_console() -> None:
    cloud = Scripted(state(BOTH, {"i-a": HEALTHY, "i-b": ("unhealthy", "")}))
    with pytest.raises(Unhealthy) as caught:
        gate(cloud, timeout_seconds=-1).wait("group")
    message = str(caught.value)
    assert "the end of i-b's console:" in message
    assert "slipway-boot: cannot reach the bucket" in message


def test_an_up_without_change_looks_too() -> None:
    cloud = Scripted(ALL_HEALTHY)
    assert asyncio.run(gate(cloud)._confirmed("group")) == "group"
    assert cloud.looked, "else an up after a failed one would succeed with nothing healthy"


def test_an_up_fails_for_a_group_that_is_not_healthy_whether_it_has_changed_it_or_not() -> None:
    for changed in (True, False):
        waiting = gate(Scripted(state(BOTH)), timeout_seconds=-1)
        waiting.changed = changed
        with pytest.raises(Unhealthy):
            asyncio.run(waiting._confirmed("group"))


def test_what_a_change_brought_with_it_is_no_history() -> None:
    failed = state(BOTH, {"i-a": HEALTHY, "i-b": HEALTHY}, refresh("Failed", "new"))
    waiting = gate(Scripted(ALL_HEALTHY, failed))
    old = SimpleNamespace(old_outputs={"name": "group"})
    asyncio.run(waiting._before(cast(pulumi.ResourceHookArgs, old)))
    with pytest.raises(Unhealthy, match="the instance refresh ended as Failed"):
        asyncio.run(waiting._confirmed("group"))


def test_a_new_group_has_no_history() -> None:
    waiting = gate(Scripted(state(failures=LAUNCHES)))
    asyncio.run(waiting._before(cast(pulumi.ResourceHookArgs, SimpleNamespace(old_outputs=None))))
    with pytest.raises(Unhealthy, match="more vCPU capacity"):
        asyncio.run(waiting._confirmed("group"))


def test_a_node_that_no_balancer_asks_is_healthy_once_it_has_said_where_it_is() -> None:
    addresses = {"i-a": "10.0.0.1", "i-b": "10.0.0.2"}
    launched = {name: {"InstanceId": name, "LaunchTime": 100, "PrivateIpAddress": at} for name, at in addresses.items()}
    ec2 = SimpleNamespace(describe_instances=lambda **_: {"Reservations": [{"Instances": [*launched.values()]}]})
    said: dict[str, object] = {"Value": "pending", "LastModifiedDate": 90}
    ssm = SimpleNamespace(get_parameter=lambda **_: {"Parameter": said})
    announced = Announced(Scripted(state(BOTH, desired=1)), "/slipway/test/broker-address", ssm, ec2)
    assert announced.snapshot("broker").healthy == []
    said["Value"] = "10.0.0.2"
    assert announced.snapshot("broker").healthy == [], "another's, who had this address before"
    said["LastModifiedDate"] = 110
    assert announced.snapshot("broker").healthy == ["i-b"]
    assert "it has not said that it is ready" in health.progress(announced.snapshot("broker"))
