"""Application Load Balancers as strict as AWS's, with one private address per subnet, reachable as `localhost`.

Moto makes one in a single zone, forgets its network interfaces, deletes it despite deletion protection, and accepts an
HTTPS listener without a certificate, an unknown certificate, TLS policy or security group.
Fixed when moto refuses `create_load_balancer` with one subnet and DescribeNetworkInterfaces lists an `ELB app/…`.
"""

import re
from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer
from moto.elbv2.ssl_policies import SSL_POLICIES

from localcloud.gaps.patch import AnyFunction, replace

DNS_NAME = "localhost"
NAME = re.compile(r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")

DEFAULTS = {
    "access_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http2.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}


def interfaces(backend: Any, balancer: Any) -> list[Any]:
    """The balancer's network interfaces, in the order of its subnets."""
    enis = backend.ec2_backend.enis
    return [enis[eni] for eni in balancer.interface_ids.values() if eni in enis]


def _create(original: AnyFunction, self: Any, name: str, security_groups: list[str], *args: Any, **kwargs: Any) -> Any:
    if not NAME.fullmatch(name or ""):
        raise ELBClientError(
            "ValidationError", f"Load balancer name '{name}' is not valid: at most 32 characters of a-z, 0-9 and -"
        )
    if any(balancer.name == name for balancer in self.load_balancers.values()):
        raise ELBClientError("DuplicateLoadBalancerName", f"A load balancer with the name '{name}' already exists")
    _check_groups(self, security_groups)
    kwargs["scheme"] = kwargs.get("scheme") or "internet-facing"
    balancer = original(self, name, security_groups, *args, **kwargs)
    balancer.interface_ids = {}
    balancer.dns_name = DNS_NAME
    balancer.attrs |= DEFAULTS
    if balancer.type == "application":
        try:
            _check_zones(balancer.subnets)
            _check_gateway(self, balancer)
        except ELBClientError:
            del self.load_balancers[balancer.arn]
            raise
    _place(self, balancer)
    return balancer


def _check_zones(subnets: list[Any]) -> None:
    zones = [subnet.availability_zone for subnet in subnets]
    if len(set(zones)) != len(zones):
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len(zones) < 2:
        raise ELBClientError(
            "ValidationError", "At least two subnets in two different Availability Zones must be specified"
        )


def _check_gateway(backend: Any, balancer: Any) -> None:
    gateways = backend.ec2_backend.internet_gateways.values()
    if balancer.scheme == "internet-facing" and not any(g.vpc and g.vpc.id == balancer.vpc_id for g in gateways):
        raise ELBClientError("InvalidSubnet", f"VPC {balancer.vpc_id} has no internet gateway")


def _check_groups(backend: Any, groups: list[str] | None) -> None:
    for group in groups or []:
        if backend.ec2_backend.get_security_group_from_id(group) is None:
            raise ELBClientError("InvalidSecurityGroup", f"Security group '{group}' is not valid")


def _place(backend: Any, balancer: Any) -> None:
    """One interface per subnet; those of subnets it has left are given back."""
    ec2 = backend.ec2_backend
    wanted = {subnet.id: subnet for subnet in balancer.subnets}
    for subnet_id in [subnet_id for subnet_id in balancer.interface_ids if subnet_id not in wanted]:
        ec2.delete_network_interface(balancer.interface_ids.pop(subnet_id))
    for subnet_id, subnet in wanted.items():
        if subnet_id in balancer.interface_ids:
            continue
        suffix = balancer.arn.partition("loadbalancer/")[2]
        eni = ec2.create_network_interface(
            subnet, None, group_ids=list(balancer.security_groups or []), description=f"ELB {suffix}"
        )
        eni.status, eni.requester_managed, eni.requester_id = "in-use", True, "amazon-elb"
        balancer.interface_ids[subnet_id] = eni.id


def _set_subnets(original: AnyFunction, self: Any, arn: str, *args: Any) -> Any:
    zones = original(self, arn, *args)
    _place(self, self.load_balancers[arn])
    return zones


def _set_groups(original: AnyFunction, self: Any, arn: str, groups: list[str]) -> None:
    _check_groups(self, groups)
    original(self, arn, groups)
    for eni in interfaces(self, self.load_balancers[arn]):
        eni._group_set = [self.ec2_backend.get_security_group_from_id(group) for group in groups]


def _delete(original: AnyFunction, self: Any, arn: str) -> None:
    balancer = self.load_balancers.get(arn)
    if balancer is None:
        return
    if balancer.attrs.get("deletion_protection.enabled") == "true":
        raise ELBClientError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    for eni in interfaces(self, balancer):
        self.ec2_backend.delete_network_interface(eni.id)
    original(self, arn)
    for group in self.target_groups.values():
        group.load_balancer_arns = [other for other in group.load_balancer_arns if other != arn]


def _create_listener(original: AnyFunction, self: Any, **request: Any) -> Any:
    balancer = self.load_balancers.get(request["load_balancer_arn"])
    if balancer and any(str(listener.port) == str(request["port"]) for listener in balancer.listeners.values()):
        raise ELBClientError("DuplicateListener", "A listener already exists on this port for this load balancer")
    if request["protocol"] == "HTTPS":
        _check_tls(self, request["ssl_policy"], request["certificate"])
    elif request["certificate"]:
        raise ELBClientError("InvalidConfigurationRequest", "Certificates cannot be specified for HTTP listeners")
    else:
        request["ssl_policy"] = None
    return original(self, **request)


def _check_tls(backend: Any, ssl_policy: str | None, certificate: Any) -> None:
    if not certificate:
        raise ELBClientError("ValidationError", "A certificate must be specified for HTTPS listeners")
    if not backend._certificate_exists(certificate):
        raise ELBClientError("CertificateNotFound", f"Certificate '{certificate}' not found")
    if ssl_policy and ssl_policy not in SSL_POLICIES:
        raise ELBClientError("SSLPolicyNotFound", f"SSL policy '{ssl_policy}' not found")


def _modify_listener(
    original: AnyFunction, self: Any, arn: str, port: Any = None, protocol: Any = None, *args: Any
) -> Any:
    """What is not given stays: moto takes missing default actions for none."""
    listener = self.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
    ssl_policy, certificates, actions = (*args, None, None, None)[:3]
    if protocol == "HTTPS" and not certificates and not listener.certificates:
        raise ELBClientError("ValidationError", "A certificate must be specified for HTTPS listeners")
    listener = original(self, arn, port, protocol, ssl_policy, certificates or [], actions or [])
    self._validate_actions(listener.default_actions)
    return listener


def install() -> None:
    FakeLoadBalancer.VALID_ATTRS.update(
        {"connection_logs.s3.enabled", "health_check_logs.s3.bucket", "health_check_logs.s3.prefix"}
    )
    replace(ELBv2Backend, "create_load_balancer", _create)
    replace(ELBv2Backend, "set_subnets", _set_subnets)
    replace(ELBv2Backend, "set_security_groups", _set_groups)
    replace(ELBv2Backend, "delete_load_balancer", _delete)
    replace(ELBv2Backend, "create_listener", _create_listener)
    replace(ELBv2Backend, "modify_listener", _modify_listener)
