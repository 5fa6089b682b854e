"""Load balancers with their listeners and rules, and target groups."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from localcloud.gaps import load_balancers, target_health
from localcloud.model import Action, HealthCheck, Listener, ListenerRule, LoadBalancer, Target, TargetGroup


def load_balancer(backend: Any, found: Any) -> LoadBalancer:
    attributes = found.attrs
    return LoadBalancer(
        arn=found.arn,
        name=found.name,
        addresses=tuple(IPv4Address(eni.private_ip_address) for eni in load_balancers.interfaces(backend, found)),
        security_group_ids=tuple(found.security_groups or ()),
        idle_timeout_seconds=int(attributes["idle_timeout.timeout_seconds"]),
        drop_invalid_header_fields=attributes["routing.http.drop_invalid_header_fields.enabled"] == "true",
        listeners=tuple(_listener(listener) for listener in found.listeners.values()),
    )


def _listener(found: Any) -> Listener:
    rules = sorted(found._non_default_rules.values(), key=lambda rule: int(rule.priority))
    return Listener(
        arn=found.arn,
        port=int(found.port),
        protocol="HTTPS" if found.protocol == "HTTPS" else "HTTP",
        certificate_arns=tuple(found.certificates),
        ssl_policy=found.ssl_policy,
        rules=tuple(_rule(rule) for rule in [*rules, *found._default_rule.values()]),
    )


def _rule(found: Any) -> ListenerRule:
    values = {condition["Field"]: condition for condition in found.conditions if "Field" in condition}

    def of(field: str, config: str) -> tuple[str, ...]:
        condition = values.get(field, {})
        return tuple((condition.get(config) or {}).get("Values") or condition.get("Values") or ())

    headers = [c["HttpHeaderConfig"] for c in found.conditions if c.get("Field") == "http-header"]
    return ListenerRule(
        arn=found.arn,
        priority=None if found.priority == "default" else int(found.priority),
        path_patterns=of("path-pattern", "PathPatternConfig"),
        host_headers=of("host-header", "HostHeaderConfig"),
        methods=of("http-request-method", "HttpRequestMethodConfig"),
        source_cidrs=tuple(IPv4Network(cidr) for cidr in of("source-ip", "SourceIpConfig")),
        headers={header["HttpHeaderName"]: tuple(header["Values"]) for header in headers},
        action=_action(found.actions),
    )


def _action(actions: list[Any]) -> Action:
    """The last action decides; what may stand before it is authentication, which is not served here."""
    data = actions[-1].data
    if data["Type"] == "fixed-response":
        config = data["FixedResponseConfig"]
        return Action(
            kind="fixed-response",
            status=str(config["StatusCode"]),
            content_type=config.get("ContentType") or "text/plain",
            body=config.get("MessageBody") or "",
        )
    if data["Type"] == "redirect":
        return Action(kind="redirect", redirect={key: str(value) for key, value in data["RedirectConfig"].items()})
    groups = (data.get("ForwardConfig") or {}).get("TargetGroups") or [{"TargetGroupArn": data["TargetGroupArn"]}]
    return Action(kind="forward", weights={group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups})


def target_group(found: Any) -> TargetGroup:
    keys = [target_health.key_of(found, target) for target in found.targets.values()]
    leaving = target_health.draining(found)
    targets = [_target(found, key, None) for key in keys] + [_target(found, key, leaving[key]) for key in leaving]
    return TargetGroup(
        arn=found.arn,
        name=found.name,
        protocol=found.protocol or "HTTP",
        deregistration_delay_seconds=int(found.attributes["deregistration_delay.timeout_seconds"]),
        slow_start_seconds=int(found.attributes["slow_start.duration_seconds"]),
        health_check=_health_check(found),
        targets=tuple(targets),
        in_use=target_health.in_use(found),
    )


def _health_check(found: Any) -> HealthCheck:
    port = found.health_check_port
    return HealthCheck(
        path=found.health_check_path or "/",
        port="traffic-port" if port in (None, "traffic-port") else int(port),
        interval_seconds=int(found.health_check_interval_seconds),
        timeout_seconds=int(found.health_check_timeout_seconds),
        healthy_threshold=int(found.healthy_threshold_count),
        unhealthy_threshold=int(found.unhealthy_threshold_count),
        matcher=str(found.matcher.get("HttpCode") or "200"),
    )


def _target(group: Any, key: tuple[str, int], draining_until: Any) -> Target:
    instance = group.ec2_backend.get_instance_by_id(key[0]) if key[0].startswith("i-") else None
    if instance is None:
        address = None if key[0].startswith("i-") else IPv4Address(key[0])
        return Target(id=key[0], port=key[1], address=address, zone=None, draining_until=draining_until)
    return Target(
        id=key[0],
        port=key[1],
        address=IPv4Address(instance.private_ip) if instance.private_ip else None,
        zone=instance.placement.zone,
        draining_until=draining_until,
    )
