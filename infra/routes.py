"""Which requests the balancer forwards, as data: the protocols' paths, the pages for people, and nothing else, so that
`/metrics`, `/livez` and `/readyz` stay inside.
"""

import json
from dataclasses import dataclass
from typing import Any

from infra.exposure import MlflowSettings

HTTPS_PORT = 443

# An ALB takes at most five values in the conditions of one rule.
PREDICTIONS = ("/invocations", "/predict", "/predict/*", "/ping", "/version")
MODELS = ("/v2", "/v2/*", "/models/*", "/health")
PAGES = ("/", "/docs", "/openapi.json")
JOBS = ("/jobs/*",)

NOBODY = "192.0.2.0/24"
"""Reserved for documentation (RFC 5737): no client comes from there."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`group` is the target group's role; `listener` which listener holds the rule."""

    key: str
    listener: str
    priority: int
    group: str
    conditions: tuple[dict[str, Any], ...]


def rules(mlflow: MlflowSettings, *, jobs: bool) -> list[Rule]:
    own = Rule(key="jobs", listener="main", priority=50, group="serving", conditions=(_paths(JOBS),))
    return [
        _tracking(mlflow.host_name, mlflow.listener_port),
        Rule(key="predictions", listener="main", priority=20, group="serving", conditions=(_paths(PREDICTIONS),)),
        Rule(key="models", listener="main", priority=30, group="serving", conditions=(_paths(MODELS),)),
        Rule(key="pages", listener="main", priority=40, group="serving", conditions=(_paths(PAGES),)),
        *([own] if jobs else []),
    ]


def not_found() -> dict[str, Any]:
    """The default of every listener."""
    body = json.dumps({"error": "there is nothing at this address"})
    return {
        "type": "fixed-response",
        "fixed_response": {"status_code": "404", "content_type": "application/json", "message_body": body},
    }


def redirect() -> dict[str, Any]:
    return {"type": "redirect", "redirect": {"protocol": "HTTPS", "port": str(HTTPS_PORT), "status_code": "HTTP_301"}}


def health_check(path: str) -> dict[str, Any]:
    """Strict enough that a dead node costs ten seconds, and lenient enough that one slow answer costs nothing."""
    return {
        "enabled": True,
        "path": path,
        "protocol": "HTTP",
        "port": "traffic-port",
        "matcher": "200",
        "interval": 5,
        "timeout": 4,
        "healthy_threshold": 2,
        "unhealthy_threshold": 2,
    }


def _tracking(host: str | None, port: int | None) -> Rule:
    """MLflow by its host name, at its own port, or for nobody: a target group in no rule has no health at all."""
    if port:
        return Rule(key="mlflow", listener="mlflow", priority=10, group="tracking", conditions=(_paths(("/*",)),))
    condition = {"host_header": {"values": [host]}} if host else {"source_ip": {"values": [NOBODY]}}
    return Rule(key="mlflow", listener="main", priority=10, group="tracking", conditions=(condition,))


def _paths(patterns: tuple[str, ...]) -> dict[str, Any]:
    return {"path_pattern": {"values": list(patterns)}}
