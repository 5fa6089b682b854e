"""What the API promises and the controllers make real: the seam between moto's records and real machines.

`World` (world.py) reads moto's backends into these records and writes back what happened.
Controllers know no moto; moto's gaps know no machine. Records are snapshots: read them anew at every turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Literal, Protocol

InstanceState = Literal["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]
TargetHealth = Literal["initial", "healthy", "unhealthy", "unused", "draining", "unavailable"]
DatabaseStatus = Literal["creating", "available", "modifying", "backing-up", "deleting", "failed", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An EC2 instance as the API has it. `reboots` counts RebootInstances calls, so that none is missed."""

    id: str
    state: InstanceState
    image_id: str
    instance_type: str
    memory_mib: int
    vcpus: int
    private_ip: IPv4Address
    private_dns: str
    mac: str
    zone: str
    region: str
    account: str
    subnet_id: str
    subnet_cidr: IPv4Network
    vpc_id: str
    vpc_cidr: IPv4Network
    security_group_ids: tuple[str, ...]
    user_data: bytes
    role_arn: str | None
    instance_profile_arn: str | None
    key_name: str | None
    public_key: str | None
    http_tokens: Literal["required", "optional"]
    http_endpoint: Literal["enabled", "disabled"]
    hop_limit: int
    instance_metadata_tags: bool
    tags: Mapping[str, str] = field(default_factory=dict)
    launched: datetime
    reboots: int = 0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One security group rule. `port_from`/`port_to` are None for all ports; protocol `-1` is everything."""

    direction: Literal["ingress", "egress"]
    protocol: str
    port_from: int | None
    port_to: int | None
    cidr: IPv4Network | None = None
    group_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class SecurityGroup:
    id: str
    vpc_id: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """`address` is None when the instance is gone or has no address yet. `draining_until` is set by deregistration."""

    id: str
    port: int
    address: IPv4Address | None
    zone: str | None
    draining_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    path: str
    port: int | Literal["traffic-port"]
    interval_seconds: int
    timeout_seconds: int
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    """`in_use` is whether some listener or rule forwards to it: AWS checks no health before that."""

    arn: str
    name: str
    protocol: str
    deregistration_delay_seconds: int
    slow_start_seconds: int
    health_check: HealthCheck
    targets: tuple[Target, ...]
    in_use: bool


@dataclass(frozen=True, kw_only=True)
class Action:
    kind: Literal["forward", "fixed-response", "redirect"]
    weights: Mapping[str, int] = field(default_factory=dict)
    status: str = ""
    content_type: str = ""
    body: str = ""
    redirect: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ListenerRule:
    """Rules in priority order, the default last. Empty conditions match everything; all given ones must match."""

    arn: str
    priority: int | None
    path_patterns: tuple[str, ...] = ()
    host_headers: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    source_cidrs: tuple[IPv4Network, ...] = ()
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    action: Action


@dataclass(frozen=True, kw_only=True)
class Listener:
    arn: str
    port: int
    protocol: Literal["HTTP", "HTTPS"]
    certificate_arns: tuple[str, ...]
    ssl_policy: str | None
    rules: tuple[ListenerRule, ...]


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """`addresses` are its network interfaces', one per subnet: what targets see as the client of the connection."""

    arn: str
    name: str
    addresses: tuple[IPv4Address, ...]
    security_group_ids: tuple[str, ...]
    idle_timeout_seconds: int
    drop_invalid_header_fields: bool
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, kw_only=True)
class Database:
    """An RDS instance. `address` is its private one; `host` the endpoint's DNS name, which DNS must answer with it."""

    id: str
    status: DatabaseStatus
    engine: str
    engine_version: str
    host: str
    address: IPv4Address
    subnet_cidr: IPv4Network
    port: int
    database: str | None
    master_user: str
    master_secret_arn: str | None
    security_group_ids: tuple[str, ...]
    memory_mib: int


class World(Protocol):
    """Moto's state as records. Every method is safe from any thread and takes one short lock."""

    region: str
    account: str

    def instances(self) -> list[Instance]: ...

    def set_instance_state(self, instance_id: str, state: InstanceState, reason: str = "") -> None:
        """What really happened to a machine; also what DescribeInstanceStatus then says."""

    def set_console(self, instance_id: str, path: str) -> None:
        """GetConsoleOutput answers the last 64 KiB of this file."""

    def security_groups(self) -> list[SecurityGroup]: ...

    def load_balancers(self) -> list[LoadBalancer]: ...

    def target_groups(self) -> list[TargetGroup]: ...

    def set_target_health(self, group_arn: str, target: Target, health: TargetHealth, reason: str = "") -> None: ...

    def count_requests(
        self, balancer_arn: str, group_arn: str, requests: int, errors: int, health: tuple[int, int]
    ) -> None:
        """Requests that a balancer has sent to a target group since the last call, those of them that ended in a 5xx of
        the target's, and how many targets are healthy and not."""

    def count_errors(self, balancer_arn: str, errors: int) -> None:
        """5xx that a balancer answered by itself."""

    def databases(self) -> list[Database]: ...

    def set_database_status(self, database_id: str, status: DatabaseStatus, reason: str = "") -> None: ...

    def secret(self, arn: str) -> str | None:
        """The current value of a secret (AWSCURRENT), None when there is none."""

    def certificate(self, arn: str) -> tuple[str, str, str] | None:
        """An imported ACM certificate as PEM: certificate, private key, chain."""

    def role_credentials(self, role_arn: str, instance_id: str) -> Mapping[str, str]:
        """Temporary credentials as IMDS gives them (AccessKeyId, SecretAccessKey, Token, Expiration, …)."""


class Controller(Protocol):
    """Makes one part of the world real, level-triggered: each turn compares what the API wants with what exists."""

    name: str

    def reconcile(self) -> None:
        """One turn: quick, idempotent, never waiting on a machine (long work goes on in threads of its own)."""

    def stop(self) -> None:
        """Ends and removes everything it made, and raises `ExceptionGroup` of what it could not remove."""
