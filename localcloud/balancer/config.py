"""A whole HAProxy configuration from a load balancer's record: a pure function, and the files it names.

Targets are not in it (only those `warm` at a hand-over): they are added and removed through the runtime API, so that
the text changes only with listeners, rules, certificates and health checks.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import MappingProxyType

from localcloud.balancer import rules
from localcloud.balancer.frontend import bodies, certificate_file, frontend
from localcloud.balancer.names import FOLDER, everyone, healthy, server_name
from localcloud.model import LoadBalancer, Target, TargetGroup

CONNECT_SECONDS = 10
DRAIN_SECONDS = 60
SPREAD_SECONDS = 10  # a kept connection is told so with an answer, and seldom closed while a request is on its way
PAGE = "<html>\n<head><title>{0}</title></head>\n<body>\n<center><h1>{0}</h1></center>\n</body>\n</html>\n"


@dataclass(frozen=True)
class Files:
    """The configuration and what lies beside it, by name."""

    config: str
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        text = "\0".join([self.config, *(f"{name}\0{self.beside[name]}" for name in sorted(self.beside))])
        return hashlib.sha256(text.encode()).hexdigest()


def server_options(group: TargetGroup, source: IPv4Address, *, checked: bool) -> str:
    """What follows a server's address. Dynamic servers inherit no defaults, so all is said here."""
    check = group.health_check
    words = [f"source {source}", "pool-purge-delay 60s"]
    if group.protocol == "HTTPS":
        words.append("ssl verify none")
    if checked:
        words.append(f"check inter {check.interval_seconds}s")
        words.append(f"rise {check.healthy_threshold} fall {check.unhealthy_threshold}")
        words.append("" if check.port == "traffic-port" else f"port {check.port}")
    return " ".join(filter(None, words))


def source_of(balancer: LoadBalancer, target: Target) -> IPv4Address:
    """The balancer's address that a target's connections come from: always the same one for one target."""
    assert target.address is not None
    return balancer.addresses[int(target.address) % len(balancer.addresses)]


def render(
    balancer: LoadBalancer,
    groups: Mapping[str, TargetGroup],
    descriptors: Mapping[int, int],
    certificates: Mapping[str, str],
    *,
    admin: int = 0,
    warm: Mapping[str, Sequence[Target]] = MappingProxyType({}),
) -> Files:
    """`groups` by ARN, `descriptors` the listening sockets by listener port, `certificates` PEM bundles by ARN,
    `admin` the descriptor of the admin socket. `warm` are the targets, by group, that take requests at once.
    """
    used = used_groups(balancer, groups)
    beside = {"502.http": _bad_gateway()}
    sections = [_global(admin), _defaults(balancer)]
    for listener in balancer.listeners:
        sections.append(frontend(balancer, listener, groups, descriptors[listener.port]))
        beside |= {certificate_file(arn): certificates[arn] for arn in listener.certificate_arns}
        beside |= {name: rule.action.body for name, rule in bodies(listener).items()}
    for group in used:
        sections += _backends(balancer, group, warm.get(group.arn, ()))
    sections.append(_unavailable())
    return Files("\n\n".join("\n  ".join(section) for section in sections) + "\n", beside)


def used_groups(balancer: LoadBalancer, groups: Mapping[str, TargetGroup]) -> list[TargetGroup]:
    """The target groups that the balancer's rules forward to, each once, by name."""
    arns = {arn for listener in balancer.listeners for rule in listener.rules for arn in rule.action.weights}
    return sorted((groups[arn] for arn in arns if arn in groups), key=lambda group: group.name)


def _global(admin: int) -> list[str]:
    return [
        "global",
        "log stdout format raw local0 notice",
        f"stats socket fd@{admin} level admin",
        "maxconn 8000",
        f"hard-stop-after {DRAIN_SECONDS}s",
        f"close-spread-time {SPREAD_SECONDS}s",
        "ssl-default-bind-options no-tls-tickets",
    ]


def _defaults(balancer: LoadBalancer) -> list[str]:
    idle = f"{balancer.idle_timeout_seconds}s"
    return [
        "defaults",
        "mode http",
        "log global",
        "option httplog",
        "option dontlog-normal",
        "retries 0",
        "no option redispatch",
        "http-reuse always",
        f"timeout connect {CONNECT_SECONDS}s",
        f"timeout client {idle}",
        f"timeout server {idle}",
        f"timeout tunnel {idle}",
        f"timeout http-request {idle}",
        f"timeout http-keep-alive {idle}",
        # HAProxy says 503 when it cannot connect; an ALB says 502, and 503 only when there is no target at all.
        f"errorfile 503 {FOLDER}/502.http",
    ]


def _backends(balancer: LoadBalancer, group: TargetGroup, warm: Sequence[Target]) -> list[list[str]]:
    check = group.health_check

    def servers(checked: bool) -> list[str]:
        return [
            f"server {server_name(each)} {each.address}:{each.port} "
            + server_options(group, source_of(balancer, each), checked=checked)
            for each in warm
        ]

    checks = [
        "option httpchk",
        f"http-check send meth GET uri {rules.quote(check.path)} ver HTTP/1.1 hdr Host {group.name} "
        "hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
        f"http-check expect status {check.matcher}",
        f"timeout check {check.timeout_seconds}s",
    ]
    return [
        [f"backend {healthy(group)}", "balance roundrobin", *checks, *servers(True)],
        [f"backend {everyone(group)}", "balance roundrobin", *servers(False)],
    ]


def _unavailable() -> list[str]:
    page = rules.quote(PAGE.format("503 Service Temporarily Unavailable").replace("\n", ""))
    return [f"backend {rules.NONE}", f"http-request return status 503 content-type text/html string {page}"]


def _bad_gateway() -> str:
    body = PAGE.format("502 Bad Gateway")
    head = f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: keep-alive\r\n\r\n{body}"
