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
from localcloud.model import Listener, ListenerRule, LoadBalancer, Target, TargetGroup

FOLDER = "/run/slipway-balancer"  # where HAProxy sees the files of its configuration
CONNECT_SECONDS = 10
DRAIN_SECONDS = 30
MINIMUM_TLS = {"TLS13-1-3": "TLSv1.3", "TLS13-1-2": "TLSv1.2", "TLS-1-2": "TLSv1.2", "FS-1-2": "TLSv1.2"}
BODILESS = ("204", "304")
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


def healthy(group: TargetGroup) -> str:
    """The backend that holds a group's targets with their health checks."""
    return f"healthy-{group.name}"


def everyone(group: TargetGroup) -> str:
    """The backend that holds them without: used while none is healthy."""
    return f"all-{group.name}"


def server_name(target: Target) -> str:
    return f"{target.id}:{target.port}"


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


def sources_file(listener: Listener) -> str:
    return f"sources-{listener.port}"


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
        sections.append(_frontend(balancer, listener, groups, descriptors[listener.port]))
        beside |= {_certificate_file(arn): certificates[arn] for arn in listener.certificate_arns}
        beside |= {name: rule.action.body for name, rule in _bodies(listener).items()}
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


def _frontend(
    balancer: LoadBalancer, listener: Listener, groups: Mapping[str, TargetGroup], descriptor: int
) -> list[str]:
    numbered = list(enumerate(listener.rules))
    files = {id(rule): name for name, rule in _bodies(listener).items()}
    lines = [
        f"frontend listener-{listener.port}",
        f"bind fd@{descriptor}{_tls(listener)}",
        f"acl allowed src -f {FOLDER}/{sources_file(listener)}",
        "tcp-request connection silent-drop unless allowed",
        *_headers(balancer, listener),
        *rules.choose(listener.rules),
    ]
    for number, rule in numbered:
        name = files.get(id(rule))
        lines += rules.answer(number, rule.action, f"{FOLDER}/{name}" if name else None)
        lines += rules.shares(number, rule.action)
    for number, rule in numbered:
        weights = rule.action.weights.items()
        backends = [(healthy(groups[arn]), everyone(groups[arn]), weight) for arn, weight in weights if arn in groups]
        lines += rules.forward(number, rule.action, backends)
    return [*lines, f"default_backend {rules.NONE}"]


def _headers(balancer: LoadBalancer, listener: Listener) -> list[str]:
    """What an ALB adds to a request, and drops from it."""
    protocol = listener.protocol.lower()
    dropped = [r"http-request del-header '^(?![A-Za-z0-9-]+$)' -m reg"] if balancer.drop_invalid_header_fields else []
    return [
        *dropped,
        "http-request set-var(txn.host) req.hdr(host),field(1,:),lower",
        f"http-request set-var(txn.port) str({listener.port})",
        f"http-request set-var(txn.protocol) str({protocol})",
        "http-request set-header X-Forwarded-For '%[req.fhdr(X-Forwarded-For)], %[src]' "
        "if { req.fhdr(X-Forwarded-For) -m found }",
        "http-request set-header X-Forwarded-For %[src] unless { req.fhdr(X-Forwarded-For) -m found }",
        f"http-request set-header X-Forwarded-Proto {protocol}",
        f"http-request set-header X-Forwarded-Port {listener.port}",
        "http-request set-header X-Amzn-Trace-Id Root=1-%[date,hex,bytes(8,8),lower]-%[uuid,regsub(-,,g),bytes(0,24)] "
        "unless { req.hdr(X-Amzn-Trace-Id) -m found }",
    ]


def _tls(listener: Listener) -> str:
    if listener.protocol != "HTTPS":
        return ""
    bundles = " ".join(f"crt {FOLDER}/{_certificate_file(arn)}" for arn in listener.certificate_arns)
    policy = listener.ssl_policy or ""
    minimum = next((version for name, version in MINIMUM_TLS.items() if name in policy), "TLSv1.0")
    return f" ssl {bundles} alpn h2,http/1.1 ssl-min-ver {minimum}"


def _certificate_file(arn: str) -> str:
    return f"certificate-{arn.rpartition('/')[2]}.pem"


def _bodies(listener: Listener) -> dict[str, ListenerRule]:
    """The rules with a fixed body, by the name of the file that holds it: a body may hold anything, a line may not."""
    return {
        f"body-{listener.port}-{number}": rule
        for number, rule in enumerate(listener.rules)
        if rule.action.kind == "fixed-response" and rule.action.body and rule.action.status not in BODILESS
    }


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
