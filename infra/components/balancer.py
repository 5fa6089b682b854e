"""The public load balancer: target groups, listeners and rules.

Nodes wait for the rules: a target group that no rule names has no health, and its nodes would never count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract import HTTP, PORTS
from infra import routes
from infra.components.certificate import Certificate
from infra.components.firewall import Firewall
from infra.components.network import Network
from infra.settings import Settings

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
GROUP_LABELS = {"serving": "api", "tracking": "ui"}  # short: a target group's name has 32 characters
HEALTH_PATHS = {"serving": "/readyz", "tracking": "/health"}


@dataclass(frozen=True, kw_only=True)
class BalancerArgs:
    """With a certificate the main listener is HTTPS and the HTTP port redirects to it."""

    settings: Settings
    network: Network
    firewall: Firewall
    certificate: Certificate


class Balancer(pulumi.ComponentResource):
    """`rules` is what must exist before a target is registered. CloudWatch knows balancer and groups by suffixes."""

    arn: pulumi.Output[str]
    suffix: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    zone_id: pulumi.Output[str]
    group_arns: Mapping[str, pulumi.Output[str]]
    group_suffixes: Mapping[str, pulumi.Output[str]]
    rules: list[pulumi.Resource]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:balancer:Balancer", name, None, opts)
        settings, protected = args.settings, args.settings.balancer.protected
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)
        balancer = aws.lb.LoadBalancer(
            f"{name}-lb",
            load_balancer_type="application",
            internal=False,
            subnets=args.network.public_ids,
            security_groups=[args.firewall.groups["balancer"]],
            idle_timeout=HTTP.balancer_idle_seconds,
            drop_invalid_header_fields=True,
            enable_deletion_protection=protected,
            tags={"Name": f"{name}-lb"},
            # AWS refuses a public balancer in a network without an internet gateway, and to detach one that it uses.
            opts=pulumi.ResourceOptions(parent=self, protect=protected, depends_on=[args.network.public]),
        )
        self.arn, self.dns_name, self.zone_id = balancer.arn, balancer.dns_name, balancer.zone_id
        self.suffix = balancer.arn_suffix
        groups = {
            "serving": self._target_group("serving", args.network, settings.fleet.node.drain_seconds),
            "tracking": self._target_group("tracking", args.network, settings.tracking.node.drain_seconds),
        }
        self.group_arns = {role: group.arn for role, group in groups.items()}
        self.group_suffixes = {role: group.arn_suffix for role, group in groups.items()}
        listeners = self._listeners(settings, args.certificate.arn)
        self.rules = [self._rule(rule, listeners) for rule in routes.rules(settings.mlflow, jobs=settings.jobs.enabled)]
        if settings.mlflow.certificate_arn:
            aws.lb.ListenerCertificate(
                f"{name}-mlflow",
                listener_arn=listeners["main"],
                certificate_arn=settings.mlflow.certificate_arn,
                opts=self._child,
            )
        self.register_outputs({"arn": self.arn, "dns_name": self.dns_name})

    def _target_group(self, role: str, network: Network, drain_seconds: int) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._name}-{GROUP_LABELS[role]}",
            vpc_id=network.vpc_id,
            target_type="instance",
            protocol="HTTP",
            port=PORTS.node_http,
            deregistration_delay=drain_seconds,
            health_check=routes.health_check(HEALTH_PATHS[role]),
            tags={"Name": f"{self._name}-{role}"},
            opts=self._child,
        )

    def _listeners(
        self, settings: Settings, certificate_arn: pulumi.Input[str] | None
    ) -> dict[str, pulumi.Output[str]]:
        """Main, and for MLflow one of its own when it has a port."""
        if not settings.domain.https:
            listeners = {"main": self._listener("http", settings.balancer.http_port, routes.not_found())}
        else:
            self._listener("http", settings.balancer.http_port, routes.redirect())
            tls = {"ssl_policy": TLS_POLICY, "certificate_arn": certificate_arn}
            listeners = {
                "main": self._listener("https", routes.HTTPS_PORT, routes.not_found(), protocol="HTTPS", **tls)
            }
        if settings.mlflow.listener_port:
            listeners["mlflow"] = self._listener("mlflow", settings.mlflow.listener_port, routes.not_found())
        return listeners

    def _listener(
        self, key: str, port: int, action: dict[str, Any], protocol: str = "HTTP", **tls: pulumi.Input[str] | None
    ) -> pulumi.Output[str]:
        listener = aws.lb.Listener(
            f"{self._name}-{key}",
            load_balancer_arn=self.arn,
            port=port,
            protocol=protocol,
            default_actions=[action],
            tags={"Name": f"{self._name}-{key}"},
            opts=self._child,
            **tls,
        )
        return pulumi.Output.from_input(listener.arn)

    def _rule(self, rule: routes.Rule, listeners: Mapping[str, pulumi.Output[str]]) -> aws.lb.ListenerRule:
        return aws.lb.ListenerRule(
            f"{self._name}-{rule.key}",
            listener_arn=listeners[rule.listener],
            priority=rule.priority,
            conditions=list(rule.conditions),
            actions=[{"type": "forward", "target_group_arn": self.group_arns[rule.group]}],
            tags={"Name": f"{self._name}-{rule.key}"},
            opts=self._child,
        )
