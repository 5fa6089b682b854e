"""Private addresses that are real: inside the subnet, not AWS's own five, used once, and free again afterwards.

Moto gives some network interfaces a random address of the subnet (the network's and a neighbour's included) and frees
an instance's only when Python collects it. Here every address comes from one place, the next free one in turn, so that
one just given back is not given out again at once.
Fixed when interfaces made in a /28 never clash and never get its first four addresses or its last.
"""

from ipaddress import IPv4Address
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.subnets import Subnet

from localcloud.gaps.patch import AnyFunction, replace

RESERVED_FIRST = 4


def used(subnet: Any) -> set[str]:
    interfaces = (eni for eni in subnet.ec2_backend.enis.values() if eni.subnet.id == subnet.id)
    addresses = {item["PrivateIpAddress"] for eni in interfaces for item in eni.private_ip_addresses}
    return addresses | set(subnet._subnet_ips)


def take(subnet: Any, owner: Any) -> str:
    """The next free address of the subnet, which `owner` holds until `give_back`."""
    first, count = int(subnet.cidr.network_address) + RESERVED_FIRST, subnet.cidr.num_addresses - RESERVED_FIRST - 1
    taken = used(subnet)
    start = getattr(subnet, "next_address", 0)
    for step in range(count):
        address = str(IPv4Address(first + (start + step) % count))
        if address not in taken:
            subnet.next_address = (start + step + 1) % count
            subnet._subnet_ips[address] = owner
            return address
    raise EC2ClientError(
        "InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in subnet '{subnet.id}'."
    )


def give_back(subnet: Any, address: str) -> None:
    subnet._subnet_ips.pop(address, None)


def _get_available(_original: AnyFunction, self: Any, instance: Any) -> str:
    return take(self, instance)


def _request(_original: AnyFunction, self: Any, ip: str, instance: Any) -> None:
    offset = int(IPv4Address(ip)) - int(self.cidr.network_address)
    if not RESERVED_FIRST <= offset < self.cidr.num_addresses - 1:
        raise EC2ClientError("InvalidParameterValue", f"Address {ip} does not fall within the subnet's address range")
    if ip in used(self):
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    self._subnet_ips[ip] = instance


def _delete(_original: AnyFunction, self: Any, ip: str) -> None:
    give_back(self, ip)


def _create_interface(
    original: AnyFunction, self: Any, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any
) -> Any:
    if isinstance(subnet, str):
        subnet = self.get_subnet(subnet)
    if not private_ip_address and not (args and args[0]) and not kwargs.get("private_ip_addresses"):
        private_ip_address = take(subnet, None)
    return original(self, subnet, private_ip_address, *args, **kwargs)


def _delete_interface(original: AnyFunction, self: Any, eni_id: str) -> None:
    eni = self.enis.get(eni_id)
    original(self, eni_id)
    for item in eni.private_ip_addresses:
        give_back(eni.subnet, item["PrivateIpAddress"])


def install() -> None:
    replace(Subnet, "get_available_subnet_ip", _get_available)
    replace(Subnet, "request_ip", _request)
    replace(Subnet, "del_subnet_ip", _delete)
    replace(NetworkInterfaceBackend, "create_network_interface", _create_interface)
    replace(NetworkInterfaceBackend, "delete_network_interface", _delete_interface)
