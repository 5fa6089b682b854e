"""What dnsmasq is told: its command line and the two files that it reads again at SIGHUP. Pure functions.

Subnets are on the command line, for dnsmasq reads ranges only there; machines and databases come and go in the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from localcloud.model import Database, Instance

RESOLVER = "169.254.169.253"
HOSTS_FILE = "hosts"
DHCP_FILE = "dhcp-hosts"
FOLDER = "/run/slipway-dns"  # where dnsmasq sees the folder of its files
LEASE = "1h"
TTL_SECONDS = 5


@dataclass(frozen=True)
class Shape:
    """What needs a new dnsmasq when it changes."""

    region: str
    subnets: tuple[IPv4Network, ...]
    upstream: tuple[str, ...]


def router(subnet: IPv4Network) -> IPv4Interface:
    """The first address of a subnet, which in a VPC is its router."""
    return IPv4Interface((subnet[1], subnet.prefixlen))


def argv(shape: Shape) -> list[str]:
    """dnsmasq in the foreground. `amazonaws.com` is answered here or not at all: nothing leaks to the real AWS."""
    options = [
        "keep-in-foreground",
        "log-facility=-",
        "conf-file=/dev/null",
        "pid-file",
        # As root it stays what it is: a change of user or group would clear its wish to die with the daemon.
        "user=root",
        "group=root",
        "bind-dynamic",
        "interface=br0",
        f"listen-address={RESOLVER}",
        "no-hosts",
        "no-resolv",
        "cache-size=1000",
        f"local-ttl={TTL_SECONDS}",
        f"addn-hosts={FOLDER}/{HOSTS_FILE}",
        f"local=/{private_domain(shape.region)}/",
        "local=/amazonaws.com/",
        *(f"local=/{_reverse(subnet)}/" for subnet in shape.subnets),
        *(f"server={address}" for address in shape.upstream),
        "dhcp-authoritative",
        "dhcp-ignore-clid",
        "leasefile-ro",
        "no-ping",
        f"dhcp-hostsfile={FOLDER}/{DHCP_FILE}",
        f"dhcp-option=option:dns-server,{RESOLVER}",
        f"dhcp-option=option:domain-name,{private_domain(shape.region)}",
        *(option for subnet in shape.subnets for option in _range(subnet)),
    ]
    return ["dnsmasq", *(f"--{option}" for option in options)]


def private_domain(region: str) -> str:
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def _range(subnet: IPv4Network) -> list[str]:
    tag = f"n{int(subnet.network_address):08x}"
    return [
        f"dhcp-range=set:{tag},{subnet.network_address},static,{subnet.netmask},{LEASE}",
        f"dhcp-option=tag:{tag},option:router,{router(subnet).ip}",
    ]


def _reverse(subnet: IPv4Network) -> str:
    """The whole octets of a subnet as a reverse zone: an unknown address gets NXDOMAIN, not a trip upstream."""
    octets = str(subnet.network_address).split(".")[: max(1, subnet.prefixlen // 8)]
    return ".".join([*reversed(octets), "in-addr.arpa"])


def hosts(instances: Sequence[Instance], databases: Sequence[Database]) -> str:
    """Names and addresses, in the manner of /etc/hosts, sorted so that equal worlds give equal files."""
    lines = {f"{each.private_ip} {each.private_dns}" for each in instances}
    lines |= {f"{each.address} {each.host}" for each in databases}
    return "".join(f"{line}\n" for line in sorted(lines))


def dhcp_hosts(instances: Sequence[Instance]) -> str:
    """Which MAC address gets which address and host name."""
    lines = {f"{each.mac},{each.private_ip},{each.private_dns.partition('.')[0]},{LEASE}" for each in instances}
    return "".join(f"{line}\n" for line in sorted(lines))


def nameservers(resolv_conf: str) -> tuple[str, ...]:
    """The IPv4 resolvers of a resolv.conf that can be reached from another namespace: none on loopback."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = IPv4Address(words[1])
        except ValueError:
            continue
        if not address.is_loopback:
            found.append(str(address))
    return tuple(found)
