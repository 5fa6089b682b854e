"""Security groups and every rule between them, in one place: who may open a connection to whom, and nothing else.

Rules are resources of their own, so that two groups can name each other; a node is started after all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from contract import PORTS
from infra import addresses
from infra.components.network import Network
from infra.sections import Egress, OperatorAccess
from infra.settings import Settings

HTTPS = 443
HTTP = 80

DESCRIPTIONS = {
    "balancer": "The public load balancer",
    "serving": "Nodes that answer predictions",
    "worker": "Nodes that only work on jobs",
    "tracking": "The node of the MLflow server",
    "broker": "The node of the broker of jobs",
    "pipeline": "The node of Airflow and the trainings",
    "database": "PostgreSQL of the MLflow server",
    "endpoints": "Interface endpoints of AWS services",
    "connect": "The EC2 Instance Connect Endpoint",
}


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    settings: Settings
    network: Network


class Firewall(pulumi.ComponentResource):
    groups: Mapping[str, pulumi.Output[str]]
    rules: list[pulumi.Resource]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:network:Firewall", name, None, opts)
        self._name = name
        self.rules = []
        wanted = {"balancer", "serving", "tracking", "database"}
        settings = args.settings
        wanted |= {"endpoints"} if settings.network.egress is Egress.NONE else set()
        wanted |= {"connect"} if settings.operator_access is OperatorAccess.INSTANCE_CONNECT else set()
        wanted |= {"broker"} if settings.jobs.enabled else set()
        wanted |= {"worker"} if settings.jobs.on_workers else set()
        wanted |= {"pipeline"} if settings.pipeline.enabled else set()
        self.groups = {role: self._group(role, args.network.vpc_id) for role in DESCRIPTIONS if role in wanted}
        for port in addresses.listener_ports(settings):
            for cidr in settings.allowed_cidrs:
                self._admit("balancer", port, f"{port}-from-{_slug(cidr)}", cidr_ipv4=str(cidr))
        for node in ("serving", "tracking"):
            self._connect("balancer", node, PORTS.node_http)
            self._outward(node, args)
            self._operators(node, settings)
        self._connect("tracking", "database", PORTS.database)
        if settings.delivery.follow_alias:
            self._connect("tracking", "serving", PORTS.ssh)
        if settings.jobs.enabled:
            self._jobs(args)
        if settings.pipeline.enabled:
            self._pipeline(args)
        self.register_outputs({"groups": self.groups})

    def _group(self, role: str, vpc_id: pulumi.Input[str]) -> pulumi.Output[str]:
        label = f"{self._name}-{role}"
        group = aws.ec2.SecurityGroup(
            label,
            vpc_id=vpc_id,
            description=DESCRIPTIONS[role],
            tags={"Name": label},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.from_input(group.id)

    def _outward(self, node: str, args: FirewallArgs) -> None:
        """AWS and Debian's mirrors through NAT, or AWS's services by their endpoints alone."""
        if args.settings.network.egress is Egress.NONE:
            self._connect(node, "endpoints", HTTPS)
            self._permit(node, HTTPS, f"{HTTPS}-to-s3", prefix_list_id=args.network.s3_prefix_list_id)
            return
        for port in (HTTPS, HTTP):
            self._permit(node, port, f"{port}-to-anywhere", cidr_ipv4="0.0.0.0/0")

    def _jobs(self, args: FirewallArgs) -> None:
        """Serving nodes accept jobs and work on them, or have worker nodes for that, to which only operators and
        rollouts open a connection; the broker's node makes the login at the database.
        """
        workers = ("worker",) if args.settings.jobs.on_workers else ()
        for node in ("broker", *workers):
            self._outward(node, args)
            self._operators(node, args.settings)
        for node in ("serving", *workers):
            self._connect(node, "broker", PORTS.broker)
        for node in ("serving", *workers, "broker"):
            self._connect(node, "database", PORTS.database)
        if workers and args.settings.delivery.follow_alias:
            self._connect("tracking", "worker", PORTS.ssh)

    def _pipeline(self, args: FirewallArgs) -> None:
        """Nobody but operators opens a connection to it."""
        self._outward("pipeline", args)
        self._operators("pipeline", args.settings)
        self._connect("pipeline", "database", PORTS.database)
        self._connect("pipeline", "tracking", PORTS.node_http)

    def _operators(self, node: str, settings: Settings) -> None:
        if settings.operator_access is OperatorAccess.INSTANCE_CONNECT:
            self._connect("connect", node, PORTS.ssh)
        for cidr in settings.operator_cidrs:
            self._admit(node, PORTS.ssh, f"{PORTS.ssh}-from-{_slug(cidr)}", cidr_ipv4=str(cidr))

    def _connect(self, source: str, target: str, port: int) -> None:
        self._permit(source, port, f"{port}-to-{target}", referenced_security_group_id=self.groups[target])
        self._admit(target, port, f"{port}-from-{source}", referenced_security_group_id=self.groups[source])

    def _admit(self, role: str, port: int, what: str, **peer: pulumi.Input[str]) -> None:
        self._rule(aws.vpc.SecurityGroupIngressRule, role, port, what, peer)

    def _permit(self, role: str, port: int, what: str, **peer: pulumi.Input[str]) -> None:
        self._rule(aws.vpc.SecurityGroupEgressRule, role, port, what, peer)

    def _rule(
        self,
        kind: Callable[..., pulumi.Resource],
        role: str,
        port: int,
        what: str,
        peer: Mapping[str, pulumi.Input[str]],
    ) -> None:
        label = f"{self._name}-{role}-{what}"
        rule = kind(
            label,
            security_group_id=self.groups[role],
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=f"{role}: {what}",
            tags={"Name": label},
            opts=pulumi.ResourceOptions(parent=self),
            **peer,
        )
        self.rules.append(rule)


def _slug(cidr: IPv4Network) -> str:
    return str(cidr).replace("/", "-")
