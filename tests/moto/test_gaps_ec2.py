"""EC2 as AWS has it: templates in full, addresses, states, refusals."""

import base64
import ipaddress
from typing import Any

import pytest

from tests.moto.local_api import IMAGE, LocalApi, Network, refusal


@pytest.fixture
def network(api: LocalApi) -> Network:
    return api.network()


def run(api: LocalApi, network: Network, **more: Any) -> dict[str, Any]:
    request = {"ImageId": IMAGE, "InstanceType": "t3.small", "SubnetId": network.subnets[0]}
    return dict(api.ec2.run_instances(MinCount=1, MaxCount=1, **(request | more))["Instances"][0])


def describe(api: LocalApi, instance_id: str) -> dict[str, Any]:
    return dict(api.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0])


def template(api: LocalApi, **data: Any) -> str:
    name = api.name("template")
    answer = api.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE} | data)
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def test_an_instance_from_a_template_has_all_that_the_template_says(api: LocalApi, network: Network) -> None:
    profile = api.name("profile")
    api.iam.create_instance_profile(InstanceProfileName=profile)
    made = template(
        api,
        InstanceType="t3.medium",
        IamInstanceProfile={"Name": profile},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"},
        SecurityGroupIds=[network.group],
        UserData=base64.b64encode(b"\x1f\x8bcompressed").decode(),
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 12, "VolumeType": "gp3", "Encrypted": True}}
        ],
        TagSpecifications=[
            {"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]}
            for kind in ("instance", "volume", "network-interface")
        ],
    )
    launched = api.ec2.run_instances(
        LaunchTemplate={"LaunchTemplateId": made}, SubnetId=network.subnets[1], MinCount=1, MaxCount=1
    )["Instances"][0]
    found = describe(api, launched["InstanceId"])
    assert found["InstanceType"] == "t3.medium"
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
    assert found["IamInstanceProfile"]["Arn"].endswith(f"instance-profile/{profile}")
    assert [group["GroupId"] for group in found["SecurityGroups"]] == [network.group]
    assert {"Key": "kind", "Value": "instance"} in found["Tags"]
    disks = api.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [launched["InstanceId"]]}])[
        "Volumes"
    ]
    assert [(disk["Size"], disk["Encrypted"], disk["VolumeType"]) for disk in disks] == [(12, True, "gp3")], "one disk"
    assert disks[0]["Tags"] == [{"Key": "kind", "Value": "volume"}]
    interface = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    tags = api.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]["TagSet"]
    assert tags == [{"Key": "kind", "Value": "network-interface"}]
    record = next(each for each in api.world.instances() if each.id == launched["InstanceId"])
    assert record.user_data == b"\x1f\x8bcompressed"
    assert record.http_tokens == "required"
    assert record.memory_mib == 4096


def test_groups_of_a_templates_network_interface_are_the_instances(api: LocalApi, network: Network) -> None:
    nic = {"DeviceIndex": 0, "Groups": [network.group], "AssociatePublicIpAddress": False}
    made = template(api, InstanceType="t3.small", NetworkInterfaces=[nic])
    launched = api.ec2.run_instances(
        LaunchTemplate={"LaunchTemplateId": made}, SubnetId=network.subnets[0], MinCount=1, MaxCount=1
    )["Instances"][0]
    assert [group["GroupId"] for group in launched["SecurityGroups"]] == [network.group]


def test_a_template_version_builds_on_its_source(api: LocalApi) -> None:
    made = template(api, InstanceType="t3.small", EbsOptimized=True)
    version = api.ec2.create_launch_template_version(
        LaunchTemplateId=made, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.large"}
    )["LaunchTemplateVersion"]
    assert version["VersionNumber"] == 2
    assert version["LaunchTemplateData"]["ImageId"] == IMAGE
    assert version["LaunchTemplateData"]["InstanceType"] == "t3.large"


def test_a_templates_own_tags_are_not_those_of_what_it_launches(api: LocalApi) -> None:
    name = api.name("template")
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "own", "Value": "yes"}]}]
    api.ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE}, TagSpecifications=tags
    )
    answer = api.ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"][0]
    assert "TagSpecifications" not in answer["LaunchTemplateData"]
    described = api.ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"][0]
    assert described["Tags"] == [{"Key": "own", "Value": "yes"}]


def test_addresses_lie_in_the_subnet_and_are_never_awss_own_nor_used_twice(api: LocalApi, network: Network) -> None:
    subnet = api.ec2.describe_subnets(SubnetIds=[network.subnets[0]])["Subnets"][0]
    cidr = ipaddress.ip_network(subnet["CidrBlock"])
    given = [run(api, network)["PrivateIpAddress"] for _ in range(11)]
    assert len(set(given)) == 11
    usable = {str(address) for address in list(cidr)[4:-1]}
    assert set(given) == usable, "a /28 holds eleven"
    assert refusal(run, api=api, network=network) == "InsufficientFreeAddressesInSubnet"


def test_an_address_is_free_again_once_its_instance_is_terminated(api: LocalApi, network: Network) -> None:
    before = api.ec2.describe_subnets(SubnetIds=[network.subnets[0]])["Subnets"][0]["AvailableIpAddressCount"]
    instance = run(api, network)["InstanceId"]
    api.ec2.terminate_instances(InstanceIds=[instance])
    api.turn()
    after = api.ec2.describe_subnets(SubnetIds=[network.subnets[0]])["Subnets"][0]["AvailableIpAddressCount"]
    assert after == before
    assert "PrivateIpAddress" not in describe(api, instance)


def test_an_instance_goes_through_every_state(api: LocalApi, network: Network) -> None:
    instance = run(api, network)["InstanceId"]
    seen = [describe(api, instance)["State"]["Name"]]
    for operation in (None, api.ec2.stop_instances, api.ec2.start_instances, api.ec2.terminate_instances):
        if operation:
            operation(InstanceIds=[instance])
            seen.append(describe(api, instance)["State"]["Name"])
        api.turn()
        seen.append(describe(api, instance)["State"]["Name"])
    assert seen == ["pending", "running", "stopping", "stopped", "pending", "running", "shutting-down", "terminated"]


def test_a_reboot_is_counted_and_a_stopped_instance_cannot_be_rebooted(api: LocalApi, network: Network) -> None:
    instance = run(api, network)["InstanceId"]
    api.turn()
    api.ec2.reboot_instances(InstanceIds=[instance])
    api.ec2.reboot_instances(InstanceIds=[instance])
    assert next(each.reboots for each in api.world.instances() if each.id == instance) == 2
    api.ec2.stop_instances(InstanceIds=[instance])
    assert refusal(api.ec2.start_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    api.turn()
    assert refusal(api.ec2.reboot_instances, InstanceIds=[instance]) == "IncorrectInstanceState"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.small"}, "InvalidParameterValue"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"UserData": "x" * 20000}, "InvalidParameterValue"),
        (
            {
                "MetadataOptions": {"InstanceMetadataTags": "enabled"},
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a/b", "Value": "c"}]}],
            },
            "InvalidParameterValue",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_what_ec2_cannot_launch_it_refuses(api: LocalApi, network: Network, wrong: dict[str, Any], code: str) -> None:
    assert refusal(run, api=api, network=network, **wrong) == code


def test_a_group_of_another_vpc_is_refused(api: LocalApi, network: Network) -> None:
    other = api.network()
    assert refusal(run, api=api, network=network, SecurityGroupIds=[other.group]) == "InvalidParameter"


def test_what_is_in_use_cannot_be_deleted(api: LocalApi, network: Network) -> None:
    instance = run(api, network, SecurityGroupIds=[network.group])["InstanceId"]
    assert refusal(api.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    assert refusal(api.ec2.delete_subnet, SubnetId=network.subnets[0]) == "DependencyViolation"
    assert refusal(api.ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation"
    api.ec2.terminate_instances(InstanceIds=[instance])
    assert refusal(api.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation", "not gone yet"
    api.turn()
    api.ec2.delete_security_group(GroupId=network.group)
    for subnet in network.subnets:
        api.ec2.delete_subnet(SubnetId=subnet)
    assert refusal(api.ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation", "its gateway is still attached"
    api.ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    api.ec2.delete_vpc(VpcId=network.vpc)


def test_a_group_that_another_ones_rule_names_cannot_be_deleted(api: LocalApi, network: Network) -> None:
    other = api.ec2.create_security_group(GroupName="other", Description="other", VpcId=network.vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": network.group}]}
    api.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    assert refusal(api.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    api.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[rule])
    api.ec2.delete_security_group(GroupId=network.group)


def test_a_nat_gateway_leaves_nothing_behind(api: LocalApi, network: Network) -> None:
    address = api.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = api.ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    refused = refusal(api.ec2.detach_internet_gateway, InternetGatewayId=network.gateway, VpcId=network.vpc)
    assert refused == "DependencyViolation"
    api.ec2.delete_nat_gateway(NatGatewayId=made)
    api.ec2.release_address(AllocationId=address)
    api.ec2.delete_subnet(SubnetId=network.subnets[0])
    api.ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)


def test_endpoints_give_back_their_interfaces(api: LocalApi, network: Network) -> None:
    made = api.ec2.create_vpc_endpoint(
        VpcId=network.vpc,
        ServiceName="com.amazonaws.us-east-1.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[network.subnets[0]],
        SecurityGroupIds=[network.group],
    )["VpcEndpoint"]
    assert refusal(api.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    api.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    api.ec2.delete_subnet(SubnetId=network.subnets[0])
    api.ec2.delete_security_group(GroupId=network.group)


def test_an_s3_gateway_endpoint_has_a_prefix_list_that_rules_can_name(api: LocalApi, network: Network) -> None:
    tables = api.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])["RouteTables"]
    service = "com.amazonaws.us-east-1.s3"
    api.ec2.create_vpc_endpoint(
        VpcId=network.vpc, ServiceName=service, RouteTableIds=[tables[0]["RouteTableId"]], VpcEndpointType="Gateway"
    )
    lists = api.ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [service]}])["PrefixLists"]
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "PrefixListIds": [{"PrefixListId": lists[0]["PrefixListId"]}],
    }
    api.ec2.authorize_security_group_egress(GroupId=network.group, IpPermissions=[rule])
    group = next(each for each in api.world.security_groups() if each.id == network.group)
    assert any(str(rule.cidr) == "169.254.169.250/32" and rule.port_to == 443 for rule in group.rules)


def test_console_output_is_the_last_64_kib_of_the_machines_own(api: LocalApi, network: Network, tmp_path: Any) -> None:
    instance = run(api, network)["InstanceId"]
    assert "Output" not in api.ec2.get_console_output(InstanceId=instance)
    log = tmp_path / "console.log"
    log.write_bytes(b"old" + b"x" * 65536 + b"\nlogin: ")
    api.world.set_console(instance, str(log))
    output = api.ec2.get_console_output(InstanceId=instance)["Output"]
    assert output.endswith("login: ")
    assert "old" not in output


def test_an_instance_connect_endpoint_can_be_made_found_and_deleted(api: LocalApi, network: Network) -> None:
    made = api.ec2.create_instance_connect_endpoint(SubnetId=network.subnets[0], SecurityGroupIds=[network.group])
    endpoint = made["InstanceConnectEndpoint"]["InstanceConnectEndpointId"]
    found = api.ec2.describe_instance_connect_endpoints(InstanceConnectEndpointIds=[endpoint])
    assert found["InstanceConnectEndpoints"][0]["State"] == "create-complete"
    assert refusal(api.ec2.delete_subnet, SubnetId=network.subnets[0]) == "DependencyViolation"
    api.ec2.delete_instance_connect_endpoint(InstanceConnectEndpointId=endpoint)
    api.ec2.delete_subnet(SubnetId=network.subnets[0])
    missing = refusal(api.ec2.describe_instance_connect_endpoints, InstanceConnectEndpointIds=[endpoint])
    assert missing == "InvalidInstanceConnectEndpointId.NotFound"
