"""What is in use cannot be deleted.

Moto deletes a security group that an interface or another group's rule uses, a subnet with interfaces in it, and
detaches an internet gateway under mapped public addresses. Its NAT gateways and endpoints leave interfaces behind.
Fixed when `delete_security_group` of a running instance's group answers DependencyViolation.
"""

from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend, nat_gateways, vpcs
from moto.ec2.models.nat_gateways import NatGateway

from localcloud.gaps.patch import AnyFunction, replace


def _delete_group(original: AnyFunction, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    group = self.get_security_group_from_id(group_id) if group_id else None
    if group is not None and group.name != "default":
        users = [eni.id for eni in self.enis.values() if any(each.id == group.id for each in eni._group_set)]
        users += [other.id for other in _groups(self) if other.id != group.id and _refers(other, group.id)]
        if users:
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return original(self, name, group_id)


def _groups(backend: Any) -> list[Any]:
    return [group for groups in backend.groups.values() for group in groups.values()]


def _refers(group: Any, group_id: str) -> bool:
    rules = [*group.ingress_rules, *group.egress_rules]
    return any((rule.source_group or {}).get("GroupId") == group_id for rule in rules)


def _delete_subnet(original: AnyFunction, self: Any, subnet_id: str) -> Any:
    if any(eni.subnet.id == subnet_id for eni in self.enis.values()):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    deleted = original(self, subnet_id)
    for table in self.route_tables.values():
        table._associations = {key: subnet for key, subnet in table._associations.items() if subnet != subnet_id}
    return deleted


def _detach_gateway(original: AnyFunction, self: Any, internet_gateway_id: str, vpc_id: str) -> Any:
    mapped = [eni.id for eni in self.enis.values() if eni.vpc_id == vpc_id and _public(eni)]
    if mapped:
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) "
            "before detaching the gateway."
        )
    return original(self, internet_gateway_id, vpc_id)


def _public(eni: Any) -> bool:
    return bool(eni.public_ip) or str(eni.description).startswith("ELB app/")


def _delete_vpc(original: AnyFunction, self: Any, vpc_id: str) -> Any:
    gateways = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in self.internet_gateways.values())
    groups = any(group.vpc_id == vpc_id and group.name != "default" for group in _groups(self))
    endpoints = any(endpoint.vpc_id == vpc_id for endpoint in self.vpc_end_points.values())
    if gateways or groups or endpoints:
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self, vpc_id)


def _nat_init(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.private_ip = self._eni.private_ip_address
    self._eni.description = f"Interface for NAT Gateway {self.id}"
    self._eni.status = "in-use"


def _delete_nat(original: AnyFunction, self: Any, nat_gateway_id: str) -> Any:
    gateway = self.nat_gateways.get(nat_gateway_id)
    if gateway is None:
        raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
    if gateway._eni.id in self.enis:
        for address in [each for each in self.addresses if each.eni is gateway._eni]:
            self.disassociate_address(association_id=address.association_id)
        self.delete_network_interface(gateway._eni.id)
    return original(self, nat_gateway_id)


def _create_endpoint(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> Any:
    endpoint = original(self, *args, **kwargs)
    groups = [self.get_security_group_from_id(group) for group in endpoint.security_group_ids]
    for eni in (self.enis[eni_id] for eni_id in endpoint.network_interface_ids):
        eni.description, eni.status = f"VPC Endpoint Interface {endpoint.id}", "in-use"
        eni._group_set = [group for group in groups if group] or eni._group_set
    return endpoint


def _delete_endpoints(original: AnyFunction, self: Any, vpce_ids: list[str] | None = None) -> None:
    for endpoint in [self.vpc_end_points[each] for each in vpce_ids or [] if each in self.vpc_end_points]:
        for eni_id in [each for each in endpoint.network_interface_ids if each in self.enis]:
            self.delete_network_interface(eni_id)
        original(self, [endpoint.id])
        del self.vpc_end_points[endpoint.id]


def _no_address(_original: AnyFunction, *_args: Any, **_kwargs: Any) -> None:
    """Left to `create_network_interface`, which takes the next free one of the subnet."""


def install() -> None:
    replace(nat_gateways, "random_private_ip", _no_address)
    replace(vpcs, "random_private_ip", _no_address)
    replace(EC2Backend, "delete_security_group", _delete_group)
    replace(EC2Backend, "delete_subnet", _delete_subnet)
    replace(EC2Backend, "detach_internet_gateway", _detach_gateway)
    replace(EC2Backend, "delete_vpc", _delete_vpc)
    replace(NatGateway, "__init__", _nat_init)
    replace(EC2Backend, "delete_nat_gateway", _delete_nat)
    replace(EC2Backend, "create_vpc_endpoint", _create_endpoint)
    replace(EC2Backend, "delete_vpc_endpoints", _delete_endpoints)
