"""The balancer: what it forwards, under which names, and with which certificates."""

from collections.abc import Mapping
from typing import Any

from contract import HTTP
from tests.program.engine import Made, Recording, changed, run

RULE = "aws:lb/listenerRule:ListenerRule"
LISTENER = "aws:lb/listener:Listener"

Config = dict[str, Any]


def test_the_balancer_drops_invalid_headers_and_outlasts_no_node(stack: Recording) -> None:
    inputs = stack.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert inputs["dropInvalidHeaderFields"] is True
    assert HTTP.nginx_keepalive_seconds > inputs["idleTimeout"] > HTTP.nginx_read_seconds


def test_only_the_protocols_paths_are_forwarded(stack: Recording) -> None:
    serving = stack.one("aws:lb/targetGroup:TargetGroup", "-api").inputs
    assert serving["healthCheck"]["path"] == "/readyz"
    patterns = [p for rule in stack.of(RULE) if not rule.name.endswith("-mlflow") for p in _values(rule, "pathPattern")]
    assert set(patterns) >= {"/invocations", "/predict", "/ping", "/version", "/v2/*"}
    assert set(patterns) >= {"/", "/docs", "/openapi.json"}, "what a user reads in a browser"
    for private in ("/metrics", "/livez", "/readyz", "/*"):
        assert private not in patterns
    for listener in stack.of(LISTENER):
        (default,) = listener.inputs["defaultActions"]
        assert default["type"] != "forward", "what no rule names must not reach a node"


def test_a_rule_has_at_most_five_values(stack: Recording) -> None:
    for rule in stack.of(RULE):
        values = [v for condition in rule.inputs["conditions"] for kind in condition.values() for v in kind["values"]]
        assert len(values) <= 5, "AWS refuses the rule"


def test_https_is_explicit_and_http_only_redirects(prod_stack: Recording) -> None:
    https = prod_stack.one(LISTENER, "-https").inputs
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert https["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06", "the default policy still allows TLS 1.0"
    (redirect,) = prod_stack.one(LISTENER, "-http").inputs["defaultActions"]
    assert redirect["redirect"]["protocol"] == "HTTPS"
    assert len(prod_stack.of(LISTENER)) == 2


def test_every_host_name_is_proved_and_points_at_the_balancer(prod_stack: Recording) -> None:
    certificate = prod_stack.one("aws:acm/certificate:Certificate").inputs
    assert certificate["domainName"] == "models.example.com"
    assert certificate["subjectAlternativeNames"] == ["mlflow.example.com"]
    names = {record.inputs["name"] for record in prod_stack.of("aws:route53/record:Record")}
    hosts = {"models.example.com", "mlflow.example.com"}
    assert names == hosts | {f"_proof.{host}" for host in hosts}


def test_a_given_certificate_is_used_and_none_is_made(prod: Config) -> None:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/given"
    domain = {"name": "models.example.com", "certificateArn": arn}
    stack = run(changed(prod, {"domain": domain, "mlflow.certificateArn": f"{arn}-2"}), "prod")
    assert stack.one(LISTENER, "-https").inputs["certificateArn"] == arn
    assert stack.one("aws:lb/listenerCertificate:ListenerCertificate").inputs["certificateArn"] == f"{arn}-2"
    assert not stack.of("aws:acm/certificate:Certificate")
    assert not stack.of("aws:route53/record:Record")


def test_mlflow_is_reached_by_its_host_name_under_https(prod_stack: Recording) -> None:
    rule = prod_stack.one(RULE, "-mlflow")
    assert _values(rule, "hostHeader") == ["mlflow.example.com"]
    assert rule.inputs["listenerArn"].endswith("slipway-prod-https")
    assert rule.inputs["priority"] < min(r.inputs["priority"] for r in prod_stack.of(RULE) if r is not rule)
    assert prod_stack.exports["mlflow_url"] == "https://mlflow.example.com"


def test_mlflow_that_is_not_exposed_is_healthy_and_answers_nobody(prod: Config) -> None:
    stack = run(changed(prod, {"mlflow": None}), "prod")
    rule = stack.one(RULE, "-mlflow")
    assert _values(rule, "sourceIp") == ["192.0.2.0/24"], "no client has an address reserved for documentation"
    assert stack.exports["mlflow_url"] is None


def _values(rule: Made, kind: str) -> list[str]:
    conditions: list[Mapping[str, Any]] = rule.inputs["conditions"]
    return [value for condition in conditions for value in condition.get(kind, {}).get("values", [])]
