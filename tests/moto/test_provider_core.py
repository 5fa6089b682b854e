"""The provider under the real engine: a life from nothing to nothing, with everything that happens in between."""

from collections.abc import Callable

import pytest

from tests.moto.cloud import client
from tests.moto.engine import Stack

NETWORK = """
import pulumi, pulumi_aws as aws
provider = aws.Provider("aws", region="us-east-1", default_tags={{"tags": {{"project": "slipway"}}}})
opts = pulumi.ResourceOptions(provider=provider)
vpc = aws.ec2.Vpc("vpc", cidr_block="10.7.0.0/16", enable_dns_hostnames=True, tags={{"Name": "one"}}, opts=opts)
subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="{subnet}", availability_zone="us-east-1a", opts=opts)
gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id, opts=opts)
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, ingress=[
    {{"protocol": "tcp", "from_port": {port}, "to_port": {port}, "cidr_blocks": ["10.7.0.0/16"]}}], opts=opts)
pulumi.export("vpc", vpc.id)
"""


def program(subnet: str = "10.7.1.0/24", port: int = 8080) -> str:
    return NETWORK.format(subnet=subnet, port=port)


@pytest.mark.long
def test_a_stack_lives_from_up_to_destroy(stack: Callable[..., Stack], cloud: str) -> None:
    network = stack(program())
    network.up()
    vpc = network.resource("vpc")
    assert vpc["outputs"]["tagsAll"] == {"project": "slipway", "Name": "one"}
    assert vpc["outputs"]["tags"] == {"Name": "one"}, "tags are the program's own"
    assert network.resource("group")["outputs"]["name"].startswith("group-")

    network.up("--expect-no-changes")
    network.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    ec2 = client("ec2", cloud)
    ec2.delete_tags(Resources=[vpc["id"]], Tags=[{"Key": "Name"}])
    assert "Name" in network.refresh(), "a refresh shows the tag that somebody removed"
    assert [step["op"] for step in network.preview()] == ["update"]

    network.write(program(port=9090))
    network.up()
    group = ec2.describe_security_groups(GroupIds=[network.resource("group")["id"]])["SecurityGroups"][0]
    assert [rule["FromPort"] for rule in group["IpPermissions"]] == [9090]

    before = network.resource("subnet")["id"]
    network.write(program(subnet="10.7.2.0/24", port=9090))
    assert [step["op"] for step in network.preview()] == ["replace"]
    network.up()
    assert network.resource("subnet")["id"] != before

    network.destroy()
    assert vpc["id"] not in [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]]
    assert network.resources() == []


@pytest.mark.long
def test_what_was_deleted_behind_its_back_is_made_again(stack: Callable[..., Stack], cloud: str) -> None:
    network = stack(program())
    network.up()
    subnet = network.resource("subnet")["id"]
    client("ec2", cloud).delete_subnet(SubnetId=subnet)
    network.refresh()
    network.up()
    assert network.resource("subnet")["id"] != subnet
    network.destroy()


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('aws.ec2.Vpc("v", cidr_block="10.0.0.0/8")', "cidrBlock"),
        ('aws.sqs.Queue("q")', "aws:sqs/queue:Queue"),
        ('aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", ipv6_netmask_length=56)', "ipv6NetmaskLength"),
    ],
)
def test_what_aws_or_the_provider_cannot_do_is_refused_by_name(
    stack: Callable[..., Stack], line: str, told: str
) -> None:
    broken = stack(f"import pulumi_aws as aws\n{line}\n", **{"aws:region": "us-east-1"})
    failed = broken.up(check=False)
    assert failed.returncode != 0
    assert told in failed.stdout + failed.stderr
