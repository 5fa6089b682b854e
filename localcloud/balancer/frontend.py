"""One listener as HAProxy's `frontend`: what an ALB does to a request before it knows where that goes."""

from collections.abc import Mapping

from localcloud.balancer import rules
from localcloud.balancer.names import FOLDER, everyone, healthy, sources_file
from localcloud.model import Listener, ListenerRule, LoadBalancer, TargetGroup

MINIMUM_TLS = {"TLS13-1-3": "TLSv1.3", "TLS13-1-2": "TLSv1.2", "TLS-1-2": "TLSv1.2", "FS-1-2": "TLSv1.2"}
BODILESS = ("204", "304")


def frontend(
    balancer: LoadBalancer, listener: Listener, groups: Mapping[str, TargetGroup], descriptor: int
) -> list[str]:
    numbered = list(enumerate(listener.rules))
    files = {id(rule): name for name, rule in bodies(listener).items()}
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
    bundles = " ".join(f"crt {FOLDER}/{certificate_file(arn)}" for arn in listener.certificate_arns)
    policy = listener.ssl_policy or ""
    minimum = next((version for name, version in MINIMUM_TLS.items() if name in policy), "TLSv1.0")
    return f" ssl {bundles} alpn h2,http/1.1 ssl-min-ver {minimum}"


def certificate_file(arn: str) -> str:
    return f"certificate-{arn.rpartition('/')[2]}.pem"


def bodies(listener: Listener) -> dict[str, ListenerRule]:
    """The rules with a fixed body, by the name of the file that holds it: a body may hold anything, a line may not."""
    return {
        f"body-{listener.port}-{number}": rule
        for number, rule in enumerate(listener.rules)
        if rule.action.kind == "fixed-response" and rule.action.body and rule.action.status not in BODILESS
    }
