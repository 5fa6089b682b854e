"""Auto Scaling groups. Creation waits for capacity as the real provider does; a new template replaces machines only
through an instance refresh, which is started and not waited for.
"""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import gone
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.schema import Fields
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.types.autoscaling import capacity, refresh
from localcloud.provider.types.autoscaling.inputs import DIRECT, HOOK, INPUTS, SIZES, problems

EMPTY = {"minSize": 0, "maxSize": 0, "desiredCapacity": 0}  # until its hooks are there, as the AWS provider does it
BUSY = ("ResourceInUse", "ScalingActivityInProgress")


class Group(Resource):
    token = "aws:autoscaling/group:Group"
    inputs = INPUTS
    outputs = ("arn", "predictedCapacity", "warmPoolSize")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        return problems(args)

    def create(self, call: Call, args: Args) -> str:
        name = str(args["name"])
        extra = {"TargetGroupARNs": args["targetGroupArns"]} if args.get("targetGroupArns") else {}
        call.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            Tags=[_tag(name, tag) for tag in args.get("tags") or []],
            **_place(args),
            **_direct({**args, **EMPTY} if args.get("initialLifecycleHooks") else args),
            **extra,
        )
        return name

    def configure(self, call: Call, id: str, args: Args) -> None:
        client = call.client("autoscaling")
        group = capacity.find(call, id) or {}
        if group.get("MaxSize") == 0 and (hooks := args.get("initialLifecycleHooks")):
            for hook in hooks:
                client.put_lifecycle_hook(AutoScalingGroupName=id, **to_aws(HOOK, hook))
            client.update_auto_scaling_group(AutoScalingGroupName=id, **to_aws(SIZES, args))
        if args.get("suspendedProcesses"):
            client.suspend_processes(AutoScalingGroupName=id, ScalingProcesses=args["suspendedProcesses"])
        if args.get("enabledMetrics"):
            self._metrics(call, id, args, args["enabledMetrics"])
        if call.creating:
            capacity.wait_created(call, id, args)

    def _metrics(self, call: Call, id: str, args: Args, names: list[str]) -> None:
        call.client("autoscaling").enable_metrics_collection(
            AutoScalingGroupName=id, Metrics=names, Granularity=args["metricsGranularity"]
        )

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        group = capacity.find(call, id)
        if group is None:
            return None
        subnets = [each for each in str(group.get("VPCZoneIdentifier") or "").split(",") if each]
        metrics = group.get("EnabledMetrics") or []
        if group.get("TerminationPolicies") == ["Default"] and not state.get("terminationPolicies"):
            group["TerminationPolicies"] = None
        return {
            **from_aws(DIRECT, group),
            "name": group["AutoScalingGroupName"],
            "arn": group.get("AutoScalingGroupARN"),
            "availabilityZones": group.get("AvailabilityZones") or [],
            "vpcZoneIdentifiers": subnets,
            "targetGroupArns": group.get("TargetGroupARNs") or [],
            "enabledMetrics": [each["Metric"] for each in metrics],
            "metricsGranularity": metrics[0].get("Granularity", "1Minute") if metrics else "1Minute",
            "suspendedProcesses": [each["ProcessName"] for each in group.get("SuspendedProcesses") or []],
            "tags": [_block(tag) for tag in group.get("Tags") or [] if not tag["Key"].startswith("aws:")],
            "predictedCapacity": group.get("PredictedCapacity") or 0,
            "warmPoolSize": group.get("WarmPoolSize") or 0,
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("autoscaling")
        direct = {name: spec for name, spec in DIRECT.items() if name in changed}
        place = _place(new) if changed & {"vpcZoneIdentifiers", "availabilityZones"} else {}
        if direct or place:
            client.update_auto_scaling_group(AutoScalingGroupName=id, **_direct(new, direct), **place)
        if "tags" in changed:
            self._retag(call, id, old, new)
        if "targetGroupArns" in changed:
            self._retarget(call, id, old, new)
        if changed & {"enabledMetrics", "metricsGranularity"}:
            removed = sorted({*(old.get("enabledMetrics") or [])} - {*(new.get("enabledMetrics") or [])})
            if removed:
                client.disable_metrics_collection(AutoScalingGroupName=id, Metrics=removed)
            if new.get("enabledMetrics"):
                self._metrics(call, id, new, new["enabledMetrics"])
        if "suspendedProcesses" in changed:
            self._processes(call, id, old, new)
        if changed & SIZES.keys():
            capacity.wait_updated(call, id, new)
        if refresh.wanted(new, changed):
            refresh.start(call, id, new)

    def _retag(self, call: Call, id: str, old: State, new: Args) -> None:
        client = call.client("autoscaling")
        kept = {tag["key"] for tag in new.get("tags") or []}
        surplus = [_tag(id, tag) for tag in old.get("tags") or [] if tag["key"] not in kept]
        if surplus:
            client.delete_tags(Tags=surplus)
        if new.get("tags"):
            client.create_or_update_tags(Tags=[_tag(id, tag) for tag in new["tags"]])

    def _retarget(self, call: Call, id: str, old: State, new: Args) -> None:
        client = call.client("autoscaling")
        before, after = {*(old.get("targetGroupArns") or [])}, {*(new.get("targetGroupArns") or [])}
        if before - after:
            client.detach_load_balancer_target_groups(AutoScalingGroupName=id, TargetGroupARNs=sorted(before - after))
        if after - before:
            client.attach_load_balancer_target_groups(AutoScalingGroupName=id, TargetGroupARNs=sorted(after - before))

    def _processes(self, call: Call, id: str, old: State, new: Args) -> None:
        client = call.client("autoscaling")
        before, after = {*(old.get("suspendedProcesses") or [])}, {*(new.get("suspendedProcesses") or [])}
        if before - after:
            client.resume_processes(AutoScalingGroupName=id, ScalingProcesses=sorted(before - after))
        if after - before:
            client.suspend_processes(AutoScalingGroupName=id, ScalingProcesses=sorted(after - before))

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("autoscaling")
        if capacity.find(call, id) is None:
            return
        force = bool(state.get("forceDelete"))
        if not force:
            client.update_auto_scaling_group(AutoScalingGroupName=id, MinSize=0, MaxSize=0, DesiredCapacity=0)
            capacity.wait_empty(call, id)

        def delete() -> None:
            try:
                client.delete_auto_scaling_group(AutoScalingGroupName=id, ForceDelete=force)
            except Exception as error:
                if not gone(error) and capacity.find(call, id) is not None:
                    raise

        call.retry(delete, BUSY, "the group is in use", 600)
        call.wait_gone(lambda: capacity.find(call, id), "the group", 600)


UNSET: dict[str, Any] = {
    "maxInstanceLifetime": 0,
    "defaultInstanceWarmup": -1,
    "capacityRebalance": False,
    "protectFromScaleIn": False,
    "terminationPolicies": ["Default"],
    "instanceMaintenancePolicy": {"minHealthyPercentage": -1, "maxHealthyPercentage": -1},
}
"""What takes an attribute back to AWS's default when the program no longer gives it."""


def _direct(args: Args, changed: Fields | None = None) -> dict[str, Any]:
    """The plain attributes: those that are given, or those that changed."""
    if changed is None:
        return to_aws(DIRECT, args)
    unset = {name: value for name, value in UNSET.items() if args.get(name) is None}
    return to_aws(changed, {**args, **unset})


def _place(args: Args) -> dict[str, Any]:
    if args.get("vpcZoneIdentifiers"):
        return {"VPCZoneIdentifier": ",".join(args["vpcZoneIdentifiers"])}
    return {"AvailabilityZones": args["availabilityZones"]} if args.get("availabilityZones") else {}


def _tag(group: str, tag: dict[str, Any]) -> dict[str, Any]:
    return {
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": tag["key"],
        "Value": tag["value"],
        "PropagateAtLaunch": tag["propagateAtLaunch"],
    }


def _block(tag: dict[str, Any]) -> dict[str, Any]:
    return {"key": tag["Key"], "value": tag.get("Value", ""), "propagateAtLaunch": tag.get("PropagateAtLaunch", False)}
