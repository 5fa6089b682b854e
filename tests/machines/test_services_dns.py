"""dnsmasq as the VPC's resolver and DHCP server, asked by hand over the bridge."""

import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import pytest

from localcloud.dns import DnsController
from localcloud.firewall import FirewallController
from localcloud.image import Image
from tests.machines.services import Lab, lab
from tests.waiting import eventually
from tests.worlds import DATABASE, FakeWorld, an_instance

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

MAC = "0e:00:0a:00:01:05"
NXDOMAIN, REFUSED = 3, 5


@dataclass
class Stage:
    lab: Lab
    world: FakeWorld
    controller: DnsController
    netns: str

    def resolve(self, name: str, kind: int = 1) -> str | int:
        """The last record's address or name as a machine gets it, or the error code."""

        def ask() -> str | int:
            labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
            query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(2)
                client.sendto(query, ("169.254.169.253", 53))
                answer = client.recv(4096)
            if code := answer[3] & 15:
                return code
            if not struct.unpack("!H", answer[6:8])[0]:
                return "no record"
            data = answer[len(query) + 12 :]
            return str(IPv4Address(data[:4])) if kind == 1 else _name(data)

        return self.lab.network.inside(ask, self.netns)

    def until_resolved(self, name: str, address: str) -> float:
        def resolved() -> bool:
            try:
                return self.resolve(name) == address
            except OSError:
                return False

        return eventually(resolved, f"{name} to be {address}", self.controller.reconcile)


def _name(data: bytes) -> str:
    parts = []
    while data[0] and data[0] < 192:
        parts.append(data[1 : data[0] + 1].decode())
        data = data[data[0] + 1 :]
    return ".".join(parts)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with lab() as found:
        world = FakeWorld()
        world.machines = [an_instance(mac=MAC)]
        world.database_records = [DATABASE]
        FirewallController(world, found.network).reconcile()
        controller = DnsController(world, found.network, Image(), found.state)
        controller.reconcile()
        netns = found.attach("machine", "10.0.1.5/24")
        subprocess.run(["ip", "-n", netns, "link", "set", "eth0", "address", MAC], check=True)
        stage = Stage(found, world, controller, netns)
        try:
            stage.until_resolved("ip-10-0-1-5.ec2.internal", "10.0.1.5")
            yield stage
        finally:
            controller.stop()
            print(found.state.log("dns").read_text())


def test_a_machine_has_its_private_name_both_ways(stage: Stage) -> None:
    assert stage.resolve("ip-10-0-1-5.ec2.internal") == "10.0.1.5"
    assert stage.resolve("5.1.0.10.in-addr.arpa", kind=12) == "ip-10-0-1-5.ec2.internal"


def test_the_database_endpoint_is_its_private_address(stage: Stage) -> None:
    assert stage.resolve(DATABASE.host) == "10.0.3.4"


def test_no_name_of_the_real_aws_is_ever_asked_outside(stage: Stage) -> None:
    assert stage.resolve("s3.us-east-1.amazonaws.com") == NXDOMAIN
    assert stage.resolve("ip-10-9-9-9.ec2.internal") == NXDOMAIN


def test_a_new_machine_is_known_without_a_restart(stage: Stage) -> None:
    running = stage.controller._process
    new = an_instance(
        id="i-0new", private_ip=IPv4Address("10.0.1.6"), private_dns="ip-10-0-1-6.ec2.internal", mac="0e::6"
    )
    stage.world.machines = [an_instance(mac=MAC), new]
    assert stage.until_resolved("ip-10-0-1-6.ec2.internal", "10.0.1.6") < 1
    assert stage.controller._process is running


def test_a_new_subnet_is_served_too(stage: Stage) -> None:
    other = an_instance(
        id="i-0far",
        private_ip=IPv4Address("10.0.2.5"),
        private_dns="ip-10-0-2-5.ec2.internal",
        subnet_cidr=IPv4Network("10.0.2.0/24"),
        mac="0e:00:0a:00:02:05",
    )
    stage.world.machines = [an_instance(mac=MAC), other]
    stage.until_resolved("ip-10-0-2-5.ec2.internal", "10.0.2.5")


def test_dhcp_gives_the_address_router_and_resolver_of_the_record(stage: Stage) -> None:
    offer = stage.lab.network.inside(_discover, stage.netns)
    assert IPv4Address(offer[16:20]) == IPv4Address("10.0.1.5")
    options = _options(offer)
    assert IPv4Address(options[3]) == IPv4Address("10.0.1.1")
    assert IPv4Address(options[1]) == IPv4Address("255.255.255.0")
    assert IPv4Address(options[6]) == IPv4Address("169.254.169.253")
    assert options[12] == b"ip-10-0-1-5"
    assert options[15] == b"ec2.internal"


def _discover() -> bytes:
    """A DHCPDISCOVER with a client id, as systemd-networkd sends it, and the offer."""
    mac = bytes.fromhex(MAC.replace(":", ""))
    head = struct.pack("!4BIHH16x16s192x", 1, 1, 6, 0, 0x1234, 0, 0x8000, mac)
    client_id = b"\xff" + os.urandom(18)
    options = b"\x63\x82\x53\x63" + b"\x35\x01\x01" + bytes([61, len(client_id)]) + client_id
    options += bytes([55, 5, 1, 3, 6, 12, 15]) + b"\xff"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        client.bind(("0.0.0.0", 68))
        client.settimeout(5)
        client.sendto(head + options, ("255.255.255.255", 67))
        return client.recv(4096)


def _options(packet: bytes) -> dict[int, bytes]:
    found, at = {}, 240
    while packet[at] != 255:
        found[packet[at]] = packet[at + 2 : at + 2 + packet[at + 1]]
        at += 2 + packet[at + 1]
    return found
