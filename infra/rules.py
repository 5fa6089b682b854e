"""What no single setting shows: the contradictions between them."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from infra import cidr
from infra.jobs import WorkerSettings
from infra.reading import Problem
from infra.sections import FleetSettings, OperatorAccess

if TYPE_CHECKING:
    from infra.settings import Settings

LOOPBACK = IPv4Network("127.0.0.0/8")
LINK_LOCAL = IPv4Network("169.254.0.0/16")
EVERYONE = IPv4Network("0.0.0.0/0")


def contradictions(s: "Settings") -> list[Problem]:
    rules = (_zones, _ranges, _sizes, _workers, _https, _mlflow, _ports, _operators, _releases)
    return [problem for rule in rules for problem in rule(s)]


def _zones(s: "Settings") -> Iterator[Problem]:
    zones = list(s.network.zones)
    if len(set(zones)) != len(zones):
        yield Problem("slipway:network.zones", zones, "a zone is named twice", "Name each zone once.")
    if not 2 <= len(zones) <= 3:
        reason = "the load balancer needs at least two zones and the address plan holds three"
        yield Problem("slipway:network.zones", zones, reason, "Name two or three zones.")
    if foreign := [zone for zone in zones if zone[:-1] != s.region]:
        reason = f"{foreign[0]} is not in aws:region {s.region}"
        yield Problem("slipway:network.zones", zones, reason, "Name zones of that region.")
    if unknown := sorted(set(s.network.subnets) - set(zones)):
        reason = f"{unknown[0]} is not one of network.zones"
        yield Problem("slipway:network.subnets", unknown, reason, "Add the zone, or remove its subnets.")


def _ranges(s: "Settings") -> Iterator[Problem]:
    vpc = s.network.cidr
    if not cidr.LARGEST <= vpc.prefixlen <= cidr.SMALLEST:
        way_out = f"Give a range from /{cidr.LARGEST} to /{cidr.SMALLEST}."
        yield Problem("slipway:network.cidr", str(vpc), "its size does not suit", way_out)
        return
    if not vpc.is_private or vpc.overlaps(LOOPBACK) or vpc.overlaps(LINK_LOCAL):
        yield Problem("slipway:network.cidr", str(vpc), "it is not a private range", "Use one of 10.0.0.0/8.")
    if len(s.network.zones) > 3:
        return
    subnets = cidr.named(s.subnets)
    for a, b in cidr.overlaps(subnets):
        both = f"{a} {dict(subnets)[a]}, {b} {dict(subnets)[b]}"
        yield Problem("slipway:network.subnets", both, "they overlap", "Give each subnet a range of its own.")
    for name, network in subnets:
        if not network.subnet_of(vpc) or not 16 <= network.prefixlen <= 27:
            reason = f"it is not a /16 to /27 within network.cidr {vpc}"
            yield Problem(f"slipway:network.subnets.{name}", str(network), reason, "Choose a range inside it.")


def _sizes(s: "Settings") -> Iterator[Problem]:
    yield from _in_order("slipway:fleet", s.fleet)
    if s.database.storage_limit_gib < s.database.storage_gib * 1.1:
        reason = f"it must exceed storageGib {s.database.storage_gib} by a tenth"
        yield Problem("slipway:database.storageLimitGib", s.database.storage_limit_gib, reason, "Raise it.")


def _workers(s: "Settings") -> Iterator[Problem]:
    fleet, setting = s.jobs.fleet, "slipway:jobs.fleet"
    if fleet.exists and not s.jobs.enabled:
        yield Problem(f"{setting}.desired", fleet.desired, "there are no jobs", "Set jobs.enabled, or remove this.")
    if fleet.backlog and not fleet.exists:
        reason = "there are no worker nodes whose number it could set"
        yield Problem(f"{setting}.backlogPerInstance", fleet.backlog, reason, "Set jobs.fleet.desired, or remove this.")
    if fleet.exists:
        yield from _in_order(setting, fleet)
    if fleet.exists and fleet.backlog and fleet.minimum == fleet.maximum:
        reason = f"minimum and maximum are both {fleet.minimum}, so that the policy has nothing to decide"
        yield Problem(f"{setting}.backlogPerInstance", fleet.backlog, reason, "Raise the maximum, or remove this.")


def _in_order(group: str, of: FleetSettings | WorkerSettings) -> Iterator[Problem]:
    if not of.minimum <= of.desired <= of.maximum:
        reason = f"minimum {of.minimum} ≤ desired {of.desired} ≤ maximum {of.maximum} does not hold"
        yield Problem(f"{group}.desired", of.desired, reason, "Change one of the three.")


def _https(s: "Settings") -> Iterator[Problem]:
    domain = s.domain
    if domain.name and not domain.https:
        way_out = "Set domain.zoneId (a Route 53 zone, and the certificate is made) or domain.certificateArn."
        yield Problem("slipway:domain.name", domain.name, "there is no certificate for it", way_out)
    if domain.zone_id and not domain.name:
        yield Problem("slipway:domain.zoneId", domain.zone_id, "there is no name to put there", "Set domain.name.")
    for setting, arn in (("domain", domain.certificate_arn), ("mlflow", s.mlflow.certificate_arn)):
        if arn and arn.split(":")[3] != s.region:
            reason = f"the load balancer takes certificates of its own region, {s.region}, only"
            yield Problem(f"slipway:{setting}.certificateArn", arn, reason, "Import or request it there.")
    if EVERYONE in s.allowed_cidrs and not domain.https:
        way_out = "Name your own ranges, or give a domain or certificate for HTTPS."
        yield Problem("slipway:allowedCidrs", str(EVERYONE), "it opens plain HTTP to the world", way_out)


def _mlflow(s: "Settings") -> Iterator[Problem]:
    mlflow = s.mlflow
    if mlflow.host_name and mlflow.listener_port:
        reason = "MLflow has a host name and a listener port"
        yield Problem("slipway:mlflow.listenerPort", mlflow.listener_port, reason, "Keep one of the two.")
    if mlflow.host_name and not s.domain.https:
        reason = "MLflow's passwords would travel unencrypted"
        yield Problem("slipway:mlflow.hostName", mlflow.host_name, reason, "Set up HTTPS under domain first.")
    if mlflow.host_name and mlflow.host_name == s.domain.name:
        yield Problem("slipway:mlflow.hostName", mlflow.host_name, "it is domain.name too", "Give MLflow its own.")
    if mlflow.certificate_arn and not mlflow.host_name:
        reason = "it is of no use without mlflow.hostName"
        yield Problem("slipway:mlflow.certificateArn", mlflow.certificate_arn, reason, "Set that, or remove this.")
    if mlflow.listener_port and (wide := [n for n in s.allowed_cidrs if not n.subnet_of(LOOPBACK)]):
        reason = f"plain HTTP would carry MLflow's passwords from {wide[0]}"
        way_out = "Use mlflow.hostName with HTTPS; a port is for loopback ranges only."
        yield Problem("slipway:mlflow.listenerPort", mlflow.listener_port, reason, way_out)


def _ports(s: "Settings") -> Iterator[Problem]:
    taken = {s.balancer.http_port} | ({443} if s.domain.https else set())
    if s.domain.https and s.balancer.http_port == 443:
        yield Problem("slipway:balancer.httpPort", 443, "it is the port of HTTPS", "Use 80.")
    if s.mlflow.listener_port in taken:
        reason = "a listener for predictions has that port"
        yield Problem("slipway:mlflow.listenerPort", s.mlflow.listener_port, reason, "Use another, for example 5000.")


def _releases(s: "Settings") -> Iterator[Problem]:
    for setting, kinds in s.optional_releases.items():
        for kind in kinds:
            if kind not in s.bootstrap.optional:
                reason = f"there is no {kind} release to upload"
                yield Problem(
                    f"slipway:{setting}.enabled", value=True, reason=reason, way_out="Run `make release` first."
                )


def _operators(s: "Settings") -> Iterator[Problem]:
    if s.operator_access is not OperatorAccess.DIRECT and s.operator_cidrs:
        reason = f"operatorAccess {s.operator_access} admits no range"
        shown = [str(n) for n in s.operator_cidrs]
        yield Problem("slipway:operatorCidrs", shown, reason, "Remove it, or use operatorAccess direct.")
    for network in s.operator_cidrs:
        if not network.subnet_of(s.network.cidr):
            reason = f"SSH is admitted from inside network.cidr {s.network.cidr} only"
            yield Problem("slipway:operatorCidrs", str(network), reason, "Narrow it, or use instance-connect.")
