"""The groups of settings, each with its ranges and defaults. A default is what is safe, not what is handy."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network

from contract import HTTP
from infra.cidr import Tier
from infra.reading import Section

DIGEST = (r"[0-9a-f]{64}", "64 hexadecimal digits")
"""Of a release, and how a setting that is none is told so."""


class Egress(StrEnum):
    SINGLE_NAT = "single-nat"
    NAT_PER_ZONE = "nat-per-zone"
    NONE = "none"


class OperatorAccess(StrEnum):
    INSTANCE_CONNECT = "instance-connect"
    DIRECT = "direct"
    NONE = "none"


class CpuCredits(StrEnum):
    STANDARD = "standard"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """`subnets` overrides the planned ranges, zone by zone and tier by tier."""

    cidr: IPv4Network
    zones: tuple[str, ...]
    egress: Egress
    subnets: dict[str, dict[Tier, IPv4Network]]

    @classmethod
    def read(cls, s: Section) -> "NetworkSettings":
        given = s.section("subnets")
        subnets: dict[str, dict[Tier, IPv4Network]] = {}
        for zone in given.data:
            tiers = given.section(zone)
            subnets[zone] = {tier: tiers.network(tier) for tier in Tier if tier in tiers.data}
            tiers.seen.update(Tier)
            tiers.finish()
        settings = cls(
            cidr=s.network("cidr", default="10.20.0.0/16"),
            zones=s.texts("zones", r"[a-z]{2}(-[a-z]+)+-\d[a-z]", "us-east-1a, us-east-1b"),
            egress=s.choice("egress", Egress, Egress.SINGLE_NAT),
            subnets=subnets,
        )
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """`grace_seconds` is the budget of a boot; `warmup_seconds` what a refresh waits on top of a healthy target."""

    instance_type: str
    disk_gib: int
    cpu_credits: CpuCredits
    grace_seconds: int
    warmup_seconds: int
    drain_seconds: int
    timeout_seconds: int

    @property
    def burstable(self) -> bool:
        """Whether the type earns and spends CPU credits: the T families."""
        return re.match(r"t\d", self.instance_type) is not None

    @classmethod
    def read(cls, s: Section) -> "NodeSettings":
        return cls(
            instance_type=s.text("instanceType", r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "t3.medium"),
            disk_gib=s.number("diskGib", 8, 1024, 20),
            cpu_credits=s.choice("cpuCredits", CpuCredits, CpuCredits.STANDARD),
            grace_seconds=s.number("graceSeconds", 60, 3600, 600),
            warmup_seconds=s.number("warmupSeconds", 0, 3600, 60),
            drain_seconds=s.number("drainSeconds", 0, 3600, HTTP.nginx_read_seconds),
            timeout_seconds=s.number("timeoutSeconds", 60, 7200, 1800),
        )

    @classmethod
    def read_unbalanced(cls, s: Section, instance_type: str, *, warmup_seconds: int) -> "NodeSettings":
        """Of a node like others, but for what only the balancer's nodes have: it has no requests to wait for."""
        return cls(
            instance_type=s.text("instanceType", r"[a-z][a-z0-9-]*\.[a-z0-9-]+", instance_type, default=instance_type),
            disk_gib=s.number("diskGib", 8, 1024, 20),
            cpu_credits=s.choice("cpuCredits", CpuCredits, CpuCredits.STANDARD),
            grace_seconds=s.number("graceSeconds", 60, 3600, 600),
            warmup_seconds=s.number("warmupSeconds", 0, 3600, warmup_seconds),
            drain_seconds=0,
            timeout_seconds=s.number("timeoutSeconds", 60, 7200, 1800),
        )


@dataclass(frozen=True, kw_only=True)
class PredictionLogSettings:
    """`share` of the predictions whose inputs and outputs are kept in the bucket; 0: off. The bound is each node's."""

    share: float
    daily_mib: int

    @property
    def is_on(self) -> bool:
        return self.share > 0

    @classmethod
    def read(cls, s: Section) -> "PredictionLogSettings":
        settings = cls(share=s.share("share", 0.0), daily_mib=s.number("dailyMib", 1, 102400, 256))
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """With `autoscaling` the desired size is only where the group starts: a policy owns it from then on.

    `requests_per_minute` is what the policy aims at for each node; without `scale_in` it only ever adds nodes.
    """

    node: NodeSettings
    desired: int
    minimum: int
    maximum: int
    autoscaling: bool
    prediction_log: PredictionLogSettings
    requests_per_minute: int
    scale_in: bool

    @classmethod
    def read(cls, s: Section) -> "FleetSettings":
        desired = s.number("desired", 1, 200, 2)
        settings = cls(
            node=NodeSettings.read(s),
            desired=desired,
            minimum=s.number("minimum", 1, 200, min(desired, 1)),
            maximum=s.number("maximum", 1, 400, 2 * desired),
            autoscaling=s.flag("autoscaling", False),
            prediction_log=PredictionLogSettings.read(s.section("predictionLog")),
            requests_per_minute=s.number("requestsPerMinute", 1, 10_000_000, 6000),
            scale_in=s.flag("scaleIn", True),
        )
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """`control_release` is the digest of the control release; None is the one that the program uploaded first."""

    node: NodeSettings
    control_release: str | None

    @classmethod
    def read(cls, s: Section) -> "TrackingSettings":
        settings = cls(
            node=NodeSettings.read(s),
            control_release=s.optional("controlRelease", *DIGEST),
        )
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """`engine_version` is a major one: a minor one would drift with the first automatic upgrade."""

    instance_class: str
    engine_version: str
    storage_gib: int
    storage_limit_gib: int
    multi_az: bool
    backup_days: int
    protected: bool
    final_snapshot: bool

    @classmethod
    def read(cls, s: Section) -> "DatabaseSettings":
        settings = cls(
            instance_class=s.text("instanceClass", r"db\.[a-z0-9]+\.[a-z0-9]+", "db.t4g.micro"),
            engine_version=s.text("engineVersion", r"1[3-8]", '"15", a major version', default="15"),
            storage_gib=s.number("storageGib", 20, 65536, 20),
            storage_limit_gib=s.number("storageLimitGib", 22, 65536, 100),
            multi_az=s.flag("multiAz", False),
            backup_days=s.number("backupDays", 0, 35, 7),
            protected=s.flag("protected", True),
            final_snapshot=s.flag("finalSnapshot", True),
        )
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """`force_destroy` lets a destroy empty the bucket; without it Pulumi protects the bucket."""

    force_destroy: bool
    noncurrent_days: int
    log_days: int
    prediction_days: int

    @classmethod
    def read(cls, s: Section) -> "StorageSettings":
        settings = cls(
            force_destroy=s.flag("forceDestroy", False),
            noncurrent_days=s.number("noncurrentDays", 1, 365, 30),
            log_days=s.number("logDays", 1, 3650, 30),
            prediction_days=s.number("predictionDays", 1, 3650, 30),
        )
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class AlarmSettings:
    """`email` is told of each alarm, once it has confirmed; None: they are only shown."""

    enabled: bool
    email: str | None

    @classmethod
    def read(cls, s: Section) -> "AlarmSettings":
        settings = cls(
            enabled=s.flag("enabled", True),
            email=s.optional("email", r"[^@\s]+@[^@\s]+\.[^@\s]+", "ops@example.com"),
        )
        s.finish()
        return settings
