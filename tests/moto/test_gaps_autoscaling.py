"""Auto Scaling groups: what the API records, and what the controller makes of it."""

from typing import Any

import pytest

from tests.moto.local_api import IMAGE, LocalApi, refusal


class Group:
    """A group behind a target group that a listener forwards to, with two template versions (t3.small, t3.medium)."""

    def __init__(self, api: LocalApi, **more: Any) -> None:
        self.api, self.name, self.network = api, api.name("group"), api.network()
        ec2, elb = api.ec2, api.elbv2
        data = {"ImageId": IMAGE, "InstanceType": "t3.small"}
        self.template = ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=data)[
            "LaunchTemplate"
        ]["LaunchTemplateId"]
        ec2.create_launch_template_version(
            LaunchTemplateId=self.template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.medium"}
        )
        self.targets = elb.create_target_group(Name=self.name, Protocol="HTTP", Port=8080, VpcId=self.network.vpc)[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=self.targets,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}],
        )
        balancer = elb.create_load_balancer(Name=self.name, Subnets=self.network.subnets)["LoadBalancers"][0]
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Port=80,
            Protocol="HTTP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.targets}],
        )
        request: dict[str, Any] = {
            "MinSize": 1,
            "MaxSize": 4,
            "DesiredCapacity": 2,
            "LaunchTemplate": self.version("1"),
            "VPCZoneIdentifier": ",".join(self.network.subnets),
            "TargetGroupARNs": [self.targets],
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": 0,
        }
        api.groups.create_auto_scaling_group(AutoScalingGroupName=self.name, **(request | more))

    def version(self, number: str) -> dict[str, str]:
        return {"LaunchTemplateId": self.template, "Version": number}

    def describe(self) -> dict[str, Any]:
        groups = self.api.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return dict(groups["AutoScalingGroups"][0])

    def members(self, state: str | None = "InService") -> list[str]:
        instances = self.describe()["Instances"]
        return [each["InstanceId"] for each in instances if state in (None, each["LifecycleState"])]

    def health(self) -> dict[str, str]:
        found = self.api.elbv2.describe_target_health(TargetGroupArn=self.targets)["TargetHealthDescriptions"]
        return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in found}

    def settled(self, count: int = 2) -> bool:
        healthy = [target for target, state in self.health().items() if state == "healthy"]
        return len(self.members(None)) == count == len(self.members()) and sorted(healthy) == sorted(self.members())

    def settle(self, count: int = 2) -> list[str]:
        self.api.turn_until(lambda: self.settled(count))
        return self.members()

    def refresh(self) -> dict[str, Any]:
        found = self.api.groups.describe_instance_refreshes(AutoScalingGroupName=self.name)
        return dict(found["InstanceRefreshes"][0])

    def versions(self) -> list[str]:
        return sorted(each["LaunchTemplate"]["Version"] for each in self.describe()["Instances"])

    def mark(self, instance_id: str, health: Any) -> None:
        """The balancer's own opinion of one target, until somebody has another."""
        group = next(each for each in self.api.world.target_groups() if each.arn == self.targets)
        target = next(each for each in group.targets if each.id == instance_id)
        self.api.world.set_target_health(self.targets, target, health, "Target.Timeout")


def test_a_group_comes_into_service_spread_over_its_zones(api: LocalApi) -> None:
    group = Group(api)
    assert group.members(None) == []
    group.settle()
    zones = {each["AvailabilityZone"] for each in group.describe()["Instances"]}
    assert zones == {"us-east-1a", "us-east-1b"}
    activities = api.groups.describe_scaling_activities(AutoScalingGroupName=group.name)["Activities"]
    assert [each["StatusCode"] for each in activities] == ["Successful", "Successful"]


def test_a_group_keeps_and_answers_all_its_attributes(api: LocalApi) -> None:
    policy = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    tag = {"Key": "role", "Value": "serving", "PropagateAtLaunch": True}
    group = Group(api, InstanceMaintenancePolicy=policy, DefaultInstanceWarmup=7, Tags=[tag])
    found = group.describe()
    assert found["InstanceMaintenancePolicy"] == policy
    assert found["DefaultInstanceWarmup"] == 7
    assert found["HealthCheckGracePeriod"] == 0
    api.groups.update_auto_scaling_group(
        AutoScalingGroupName=group.name, HealthCheckGracePeriod=30, TerminationPolicies=["OldestInstance"]
    )
    assert group.describe()["HealthCheckGracePeriod"] == 30
    assert group.describe()["TerminationPolicies"] == ["OldestInstance"]
    assert group.describe()["DesiredCapacity"] == 2
    instance = group.settle()[0]
    tags = api.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
    assert ("role", "serving") in {(each["Key"], each["Value"]) for each in tags}


def test_desired_capacity_is_followed_out_and_in_and_stays_within_bounds(api: LocalApi) -> None:
    group = Group(api)
    group.settle()
    api.groups.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=4)
    group.settle(4)
    api.groups.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=1)
    api.turn(2)
    assert len(group.members("Terminating")) == 3
    assert list(group.health().values()).count("draining") == 3, "drained before it is terminated"
    group.settle(1)
    beyond = {"AutoScalingGroupName": group.name, "DesiredCapacity": 5}
    assert refusal(api.groups.set_desired_capacity, **beyond) == "ValidationError"


def test_a_terminated_instance_is_replaced(api: LocalApi) -> None:
    group = Group(api)
    lost = group.settle()[0]
    api.ec2.terminate_instances(InstanceIds=[lost])
    api.turn_until(lambda: lost not in group.members(None) and group.settled())


def test_a_machine_that_died_is_replaced(api: LocalApi) -> None:
    group = Group(api)
    lost = group.settle()[0]
    api.world.set_instance_state(lost, "stopped", "Server.InternalError: the machine ended")
    api.turn_until(lambda: lost not in group.members(None) and group.settled())


def test_a_target_that_fails_its_health_checks_is_replaced_after_the_grace_period(api: LocalApi) -> None:
    group = Group(api, HealthCheckGracePeriod=3600)
    sick = group.settle()[0]
    group.mark(sick, "unhealthy")
    api.autoscaling.reconcile()
    assert sick in group.members()
    api.groups.update_auto_scaling_group(AutoScalingGroupName=group.name, HealthCheckGracePeriod=0)
    api.autoscaling.reconcile()
    assert sick in group.members("Terminating")
    api.turn_until(lambda: sick not in group.members(None) and group.settled())


def test_an_unhealthy_target_stays_while_replacing_is_suspended(api: LocalApi) -> None:
    group = Group(api)
    sick = group.settle()[0]
    suspended = {"AutoScalingGroupName": group.name, "ScalingProcesses": ["ReplaceUnhealthy"]}
    api.groups.suspend_processes(**suspended)
    api.groups.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    api.turn()
    assert sick in group.members()
    api.groups.resume_processes(**suspended)
    api.autoscaling.reconcile()
    assert sick in group.members("Terminating")


def test_standby_drains_first_and_comes_back(api: LocalApi) -> None:
    group = Group(api)
    node = group.settle()[0]
    call = {"AutoScalingGroupName": group.name, "InstanceIds": [node]}
    api.groups.enter_standby(**call, ShouldDecrementDesiredCapacity=True)
    api.turn(1)
    assert group.members("EnteringStandby") == [node]
    assert group.health()[node] == "draining"
    api.turn_until(lambda: group.members("Standby") == [node])
    assert group.describe()["DesiredCapacity"] == 1
    assert node not in group.health()
    api.ec2.reboot_instances(InstanceIds=[node])
    api.groups.exit_standby(**call)
    group.settle()
    assert node in group.members()


def test_standby_below_the_minimum_is_refused(api: LocalApi) -> None:
    group = Group(api, DesiredCapacity=1)
    call = {"AutoScalingGroupName": group.name, "InstanceIds": group.settle(1), "ShouldDecrementDesiredCapacity": True}
    assert refusal(api.groups.enter_standby, **call) == "ValidationError"


PREFERENCES = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 0}


def start(api: LocalApi, group: Group, number: str = "2", **more: Any) -> None:
    api.groups.start_instance_refresh(
        AutoScalingGroupName=group.name,
        DesiredConfiguration={"LaunchTemplate": group.version(number)},
        Preferences=PREFERENCES | more,
    )


def test_a_refresh_replaces_every_instance_and_never_has_too_few(api: LocalApi) -> None:
    group = Group(api)
    before = set(group.settle())
    start(api, group)
    fewest = 2

    def done() -> bool:
        nonlocal fewest
        fewest = min(fewest, list(group.health().values()).count("healthy"))
        return bool(group.refresh()["Status"] == "Successful")

    api.turn_until(done)
    assert fewest == 2
    assert not before & set(group.settle())
    assert group.versions() == ["2", "2"]
    assert group.describe()["LaunchTemplate"]["Version"] == "2", "a refresh that succeeds moves the group"
    assert group.refresh()["PercentageComplete"] == 100


def test_a_refresh_without_room_above_replaces_one_at_a_time(api: LocalApi) -> None:
    group = Group(api)
    group.settle()
    start(api, group, MinHealthyPercentage=50, MaxHealthyPercentage=100)
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, len(group.members()) + len(group.members("Pending")))
        return bool(group.refresh()["Status"] == "Successful")

    api.turn_until(done)
    assert most <= 2
    group.settle()
    assert group.versions() == ["2", "2"]


def test_a_refresh_whose_new_instance_fails_goes_back(api: LocalApi) -> None:
    group = Group(api)
    group.settle()
    start(api, group, AutoRollback=True)
    api.turn(1)
    new = next(each["InstanceId"] for each in group.describe()["Instances"] if each["LaunchTemplate"]["Version"] == "2")
    api.turn_until(lambda: group.health().get(new) is not None)
    api.groups.set_instance_health(InstanceId=new, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    api.turn_until(lambda: group.refresh()["Status"] == "RollbackSuccessful")
    assert new in group.refresh()["StatusReason"]
    group.settle()
    assert group.versions() == ["1", "1"]
    assert group.describe()["LaunchTemplate"]["Version"] == "1"


def test_a_rollback_returns_to_the_groups_own_template_and_to_no_older_one(api: LocalApi) -> None:
    """The AWS provider changes the group before it starts the refresh, so there is nothing to return to."""
    group = Group(api)
    group.settle()
    api.groups.update_auto_scaling_group(AutoScalingGroupName=group.name, LaunchTemplate=group.version("2"))
    start(api, group, AutoRollback=True)
    api.turn(1)
    api.groups.rollback_instance_refresh(AutoScalingGroupName=group.name)
    api.turn_until(lambda: group.refresh()["Status"] == "RollbackSuccessful")
    group.settle()
    assert group.versions() == ["2", "2"]


def test_only_one_refresh_runs_and_it_can_be_cancelled(api: LocalApi) -> None:
    group = Group(api)
    group.settle()
    start(api, group)
    call = {"AutoScalingGroupName": group.name}
    assert refusal(api.groups.start_instance_refresh, **call) == "InstanceRefreshInProgress"
    api.groups.cancel_instance_refresh(**call)
    api.turn_until(lambda: group.refresh()["Status"] == "Cancelled")
    assert refusal(api.groups.cancel_instance_refresh, **call) == "ActiveInstanceRefreshNotFound"


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_a_rollback_needs_numbered_versions(api: LocalApi, version: str) -> None:
    group = Group(api)
    call = {
        "AutoScalingGroupName": group.name,
        "DesiredConfiguration": {"LaunchTemplate": group.version(version)},
        "Preferences": {"AutoRollback": True},
    }
    assert refusal(api.groups.start_instance_refresh, **call) == "ValidationError"


def test_a_group_moves_to_other_subnets_without_falling_short(api: LocalApi) -> None:
    group = Group(api)
    group.settle()
    second = group.network.subnets[1]
    api.groups.update_auto_scaling_group(AutoScalingGroupName=group.name, VPCZoneIdentifier=second)
    api.turn_until(lambda: {each["AvailabilityZone"] for each in group.describe()["Instances"]} == {"us-east-1b"})
    group.settle()
    inside = api.ec2.describe_instances(InstanceIds=group.members())["Reservations"]
    assert {each["Instances"][0]["SubnetId"] for each in inside} == {second}


def test_a_launch_that_ec2_refuses_is_a_failed_activity_with_the_reason(api: LocalApi) -> None:
    group = Group(api, DesiredCapacity=1)
    group.settle(1)
    api.ec2.delete_launch_template(LaunchTemplateId=group.template)
    api.groups.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=2)
    api.autoscaling.reconcile()
    activities = api.groups.describe_scaling_activities(AutoScalingGroupName=group.name)["Activities"]
    assert activities[0]["StatusCode"] == "Failed"
    assert group.template in activities[0]["StatusMessage"]


def test_a_group_with_a_template_that_cannot_launch_is_refused(api: LocalApi) -> None:
    name = api.name("group")
    data = {"ImageId": "ami-00000000000000000", "InstanceType": "t3.small"}
    api.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    call = {
        "AutoScalingGroupName": name,
        "MinSize": 0,
        "MaxSize": 1,
        "LaunchTemplate": {"LaunchTemplateName": name, "Version": "1"},
        "VPCZoneIdentifier": api.network().subnets[0],
    }
    assert refusal(api.groups.create_auto_scaling_group, **call) == "ValidationError"
    assert api.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"] == []


def test_a_group_with_instances_is_deleted_by_force_only(api: LocalApi) -> None:
    group = Group(api)
    members = group.settle()
    call = {"AutoScalingGroupName": group.name}
    assert refusal(api.groups.delete_auto_scaling_group, **call) == "ResourceInUse"
    api.groups.delete_auto_scaling_group(**call, ForceDelete=True)
    assert group.describe()["Status"] == "Delete in progress"
    names = {"AutoScalingGroupNames": [group.name]}
    api.turn_until(lambda: not api.groups.describe_auto_scaling_groups(**names)["AutoScalingGroups"])
    left = api.ec2.describe_instances(InstanceIds=members)["Reservations"]
    assert {each["Instances"][0]["State"]["Name"] for each in left} == {"terminated"}


def test_a_scaling_policy_has_an_arn(api: LocalApi) -> None:
    group = Group(api, DesiredCapacity=1)
    answer = api.groups.put_scaling_policy(
        AutoScalingGroupName=group.name, PolicyName="out", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1
    )
    assert answer["PolicyARN"].endswith("policyName/out")


def test_detached_and_terminated_members_leave_as_asked(api: LocalApi) -> None:
    group = Group(api, DesiredCapacity=3)
    first, second, _ = group.settle(3)
    api.groups.detach_instances(
        AutoScalingGroupName=group.name, InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    api.groups.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    group.settle(1)
    states = api.ec2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert states == "running", "a detached instance goes on"
