"""Keeps the namespace's packet filter as the API's security groups have it; closed from the first turn on."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from localcloud.firewall.ruleset import BRIDGE, Interface, render
from localcloud.model import World
from localcloud.network import Network

# The bridge speaks for every machine, at once (a proxy waits most of a second by default), and what it hands on
# between its ports must not be filtered as if it were routed.
SYSCTLS = {
    f"ipv4/conf/{BRIDGE}/proxy_arp_pvlan": "1",
    f"ipv4/neigh/{BRIDGE}/proxy_delay": "0",
    "bridge/bridge-nf-call-iptables": "0",
}


class FirewallController:
    name = "firewall"

    def __init__(self, world: World, network: Network) -> None:
        self._world, self._network = world, network
        self._applied = ""

    def reconcile(self) -> None:
        """Applies the rules when they have changed, in one transaction."""
        subnets = {each.subnet_cidr for each in self._world.instances()}
        subnets |= {each.subnet_cidr for each in self._world.databases()}
        ruleset = render(self._interfaces(), self._world.security_groups(), [_router(each) for each in sorted(subnets)])
        if ruleset == self._applied:
            return
        if not self._applied:
            self._network.inside(_set_sysctls)
        self._network.nft(ruleset)
        self._applied = ruleset

    def stop(self) -> None:
        """Nothing: the rules end with the namespace, and until then they stay closed."""

    def _interfaces(self) -> list[Interface]:
        found = {
            each.private_ip: each.security_group_ids for each in self._world.instances() if each.state != "terminated"
        }
        found |= {each.address: each.security_group_ids for each in self._world.databases()}
        found |= {
            address: each.security_group_ids for each in self._world.load_balancers() for address in each.addresses
        }
        return [Interface(address, tuple(sorted(groups))) for address, groups in sorted(found.items())]


def _router(subnet: IPv4Network) -> IPv4Address:
    return subnet[1]


def _set_sysctls() -> None:
    for name, value in SYSCTLS.items():
        setting = Path("/proc/sys/net", name)
        if setting.exists():  # a kernel whose bridges do not call the IP filter has no such setting
            setting.write_text(value)
