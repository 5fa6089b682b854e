"""What dnsmasq is told."""

from ipaddress import IPv4Network

from localcloud.dns.config import Shape, argv, dhcp_hosts, hosts, nameservers, private_domain
from tests.worlds import DATABASE, an_instance

SHAPE = Shape("us-east-1", (IPv4Network("10.0.1.0/24"),), ("192.0.2.53",))


def test_each_subnet_has_a_static_range_and_its_first_address_as_router() -> None:
    words = argv(SHAPE)
    assert "--dhcp-range=set:n0a000100,10.0.1.0,static,255.255.255.0,1h" in words
    assert "--dhcp-option=tag:n0a000100,option:router,10.0.1.1" in words


def test_no_name_of_the_real_aws_goes_upstream() -> None:
    assert {"--local=/amazonaws.com/", "--local=/ec2.internal/", "--local=/1.0.10.in-addr.arpa/"} <= set(argv(SHAPE))


def test_without_an_upstream_there_is_no_server_to_wait_for() -> None:
    words = argv(Shape("us-east-1", (), ()))
    assert "--no-resolv" in words
    assert not [word for word in words if word.startswith("--server")]


def test_machines_and_databases_are_named() -> None:
    assert hosts([an_instance()], [DATABASE]) == (
        "10.0.1.5 ip-10-0-1-5.ec2.internal\n10.0.3.4 tracking.abc.us-east-1.rds.amazonaws.com\n"
    )


def test_a_machine_gets_its_address_by_its_mac() -> None:
    assert dhcp_hosts([an_instance()]) == "0e:00:0a:00:01:05,10.0.1.5,ip-10-0-1-5,1h\n"


def test_resolvers_on_loopback_and_ipv6_are_out_of_reach() -> None:
    text = "# comment\nnameserver 127.0.0.53\nnameserver fe80::1\nnameserver 192.0.2.53\nsearch example.com\n"
    assert nameservers(text) == ("192.0.2.53",)


def test_the_private_domain_is_the_regions() -> None:
    assert private_domain("us-east-1") == "ec2.internal"
    assert private_domain("eu-west-1") == "eu-west-1.compute.internal"
