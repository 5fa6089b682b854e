"""Alarms: what an operator should hear of without looking. Each is on a metric that AWS has of itself, but for one that
a rollout writes when it went back. With an address they write to it; it must confirm once, by the mail that SNS sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract import METRICS
from infra.components.balancer import Balancer
from infra.components.database import Database
from infra.settings import Settings

MINUTE = 60
ERRORS_IN_FIVE_MINUTES = 5
GIB = 2**30
LOW_STORAGE = 0.1  # RDS lets the storage grow at this share of it; an alarm is when it could not


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """`groups` are the names of the groups of nodes, by role."""

    settings: Settings
    balancer: Balancer
    groups: Mapping[str, pulumi.Output[str]]
    database: Database


class Alarms(pulumi.ComponentResource):
    """Every alarm asks for what lasts: a minute alone never raises one that a replacement of a node explains."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:watch:Alarms", name, None, opts)
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)
        self._actions = self._topic(args.settings.alarms.email)
        self._balancing(args.balancer)
        for role, group in args.groups.items():
            self._capacity(role, group)
        self._storage(args.database, args.settings.database.storage_gib)
        self._rollouts(args.settings.stack)
        self.register_outputs({})

    def _topic(self, email: str | None) -> list[pulumi.Input[str]]:
        if email is None:
            return []
        tags = {"Name": f"{self._name}-alarms"}
        topic = aws.sns.Topic(f"{self._name}-alarms", display_name="Slipway", tags=tags, opts=self._child)
        aws.sns.TopicSubscription(
            f"{self._name}-alarms", topic=topic.arn, protocol="email", endpoint=email, opts=self._child
        )
        return [topic.arn]

    def _balancing(self, balancer: Balancer) -> None:
        of_balancer = {"LoadBalancer": balancer.suffix}
        errors: dict[str, Any] = {"statistic": "Sum", "period": 5 * MINUTE, "evaluation_periods": 1}
        for key, metric, where, what in (
            ("balancer-5xx", "HTTPCode_ELB_5XX_Count", of_balancer, "that no node answered"),
            ("target-5xx", "HTTPCode_Target_5XX_Count", self._targets(balancer, "serving"), "from serving nodes"),
        ):
            self._alarm(
                key,
                f"More than {ERRORS_IN_FIVE_MINUTES} errors in five minutes {what}.",
                namespace="AWS/ApplicationELB",
                metric_name=metric,
                dimensions=where,
                threshold=ERRORS_IN_FIVE_MINUTES,
                **errors,
            )
        for role in ("serving", "tracking"):
            self._alarm(
                f"unhealthy-{role}",
                f"A {role} node has been unhealthy for ten minutes: it is not being replaced, or its successor fails.",
                namespace="AWS/ApplicationELB",
                metric_name="UnHealthyHostCount",
                dimensions=self._targets(balancer, role),
                statistic="Maximum",
                period=MINUTE,
                evaluation_periods=10,
                threshold=0,
            )

    def _targets(self, balancer: Balancer, role: str) -> dict[str, pulumi.Input[str]]:
        return {"LoadBalancer": balancer.suffix, "TargetGroup": balancer.group_suffixes[role]}

    def _capacity(self, role: str, group: pulumi.Output[str]) -> None:
        def metric(key: str, name: str) -> dict[str, Any]:
            where = {"AutoScalingGroupName": group}
            what = {"namespace": "AWS/AutoScaling", "metric_name": name, "dimensions": where}
            return {"id": key, "metric": {**what, "period": MINUTE, "stat": "Average"}}

        self._alarm(
            f"capacity-{role}",
            f"For fifteen minutes fewer {role} nodes than wanted: launches fail, or AWS has no such instances left.",
            metric_queries=[
                metric("wanted", "GroupDesiredCapacity"),
                metric("have", "GroupInServiceInstances"),
                {"id": "missing", "expression": "wanted - have", "label": "missing nodes", "return_data": True},
            ],
            evaluation_periods=15,
            threshold=0,
        )

    def _storage(self, database: Database, gib: int) -> None:
        self._alarm(
            "database-storage",
            "MLflow's database is nearly full, and has not grown: see database.storageLimitGib.",
            namespace="AWS/RDS",
            metric_name="FreeStorageSpace",
            dimensions={"DBInstanceIdentifier": database.identifier},
            statistic="Minimum",
            period=5 * MINUTE,
            evaluation_periods=6,
            comparison_operator="LessThanThreshold",
            threshold=LOW_STORAGE * gib * GIB,
        )

    def _rollouts(self, stack: str) -> None:
        self._alarm(
            "rollout-returned",
            "A rollout has gone back: `slipway history` says why.",
            namespace=METRICS.namespace,
            metric_name=METRICS.rollouts_returned,
            dimensions={METRICS.stack: stack},
            statistic="Sum",
            period=MINUTE,
            evaluation_periods=1,
            threshold=0,
        )

    def _alarm(self, key: str, why: str, *, comparison_operator: str = "GreaterThanThreshold", **what: Any) -> None:
        name = f"{self._name}-{key}"
        aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=why,
            comparison_operator=comparison_operator,
            treat_missing_data="notBreaching",
            alarm_actions=self._actions,
            ok_actions=self._actions,
            tags={"Name": name},
            opts=self._child,
            **what,
        )
