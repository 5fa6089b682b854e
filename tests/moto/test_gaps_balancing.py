"""Load balancers and targets as strict, and as slow, as AWS's."""

from typing import Any

import pytest

from tests.moto.local_api import IMAGE, LocalApi, Network, refusal


@pytest.fixture
def network(api: LocalApi) -> Network:
    return api.network()


@pytest.fixture
def balancer(api: LocalApi, network: Network) -> dict[str, Any]:
    made = api.elbv2.create_load_balancer(Name=api.name("lb"), Subnets=network.subnets, SecurityGroups=[network.group])
    return dict(made["LoadBalancers"][0])


@pytest.fixture
def targets(api: LocalApi, network: Network) -> str:
    made = api.elbv2.create_target_group(Name=api.name("tg"), Protocol="HTTP", Port=8080, VpcId=network.vpc)
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "60"}
    api.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
    return arn


def listen(api: LocalApi, balancer: dict[str, Any], **more: Any) -> Any:
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    request = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Port": 80, "Protocol": "HTTP", "DefaultActions": fixed}
    return api.elbv2.create_listener(**(request | more))["Listeners"][0]["ListenerArn"]


def forward(arn: str) -> list[dict[str, str]]:
    return [{"Type": "forward", "TargetGroupArn": arn}]


def node(api: LocalApi, network: Network) -> str:
    request = {"ImageId": IMAGE, "InstanceType": "t3.small", "SubnetId": network.subnets[0]}
    return str(api.ec2.run_instances(MinCount=1, MaxCount=1, **request)["Instances"][0]["InstanceId"])


def state(api: LocalApi, arn: str, instance: str) -> tuple[str, str]:
    found = api.elbv2.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": instance}])
    health = found["TargetHealthDescriptions"][0]["TargetHealth"]
    return health["State"], health.get("Reason", "")


def test_a_balancer_is_localhost_and_has_an_address_in_each_subnet(
    api: LocalApi, network: Network, balancer: dict[str, Any]
) -> None:
    assert balancer["DNSName"] == "localhost"
    record = next(each for each in api.world.load_balancers() if each.arn == balancer["LoadBalancerArn"])
    found = api.ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])
    interfaces = found["NetworkInterfaces"]
    assert sorted(each["SubnetId"] for each in interfaces) == sorted(network.subnets)
    assert {str(address) for address in record.addresses} == {each["PrivateIpAddress"] for each in interfaces}
    assert record.idle_timeout_seconds == 60
    assert refusal(api.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    api.elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    api.ec2.delete_security_group(GroupId=network.group)


def test_a_balancer_in_one_zone_is_refused_and_leaves_nothing(api: LocalApi, network: Network) -> None:
    name = api.name("lb")
    call = {"Name": name, "Subnets": network.subnets[:1]}
    assert refusal(api.elbv2.create_load_balancer, **call) == "ValidationError"
    assert refusal(api.elbv2.describe_load_balancers, Names=[name]) == "LoadBalancerNotFound"
    api.ec2.delete_subnet(SubnetId=network.subnets[0])


def test_a_public_balancer_needs_an_internet_gateway(api: LocalApi, network: Network) -> None:
    api.ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    call = {"Name": api.name("lb"), "Subnets": network.subnets}
    assert refusal(api.elbv2.create_load_balancer, **call) == "InvalidSubnet"


@pytest.mark.parametrize("name", ["x" * 33, "-x", "x_y", "internal-x"])
def test_a_balancer_with_a_bad_name_is_refused(api: LocalApi, network: Network, name: str) -> None:
    assert refusal(api.elbv2.create_load_balancer, Name=name, Subnets=network.subnets) == "ValidationError"


def test_a_protected_balancer_is_not_deleted(api: LocalApi, balancer: dict[str, Any]) -> None:
    arn = balancer["LoadBalancerArn"]
    protect = {"Key": "deletion_protection.enabled", "Value": "true"}
    api.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protect])
    assert refusal(api.elbv2.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"


def test_https_needs_a_certificate_that_exists_and_a_known_policy(api: LocalApi, balancer: dict[str, Any]) -> None:
    https: dict[str, Any] = {"api": api, "balancer": balancer, "Port": 443, "Protocol": "HTTPS"}
    assert refusal(listen, **https) == "ValidationError"
    unknown = [{"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/none"}]
    assert refusal(listen, **https, Certificates=unknown) == "CertificateNotFound"
    real = [{"CertificateArn": api.acm.request_certificate(DomainName="example.com")["CertificateArn"]}]
    assert refusal(listen, **https, Certificates=real, SslPolicy="none") == "SSLPolicyNotFound"
    listen(**https, Certificates=real, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")


def test_a_port_can_be_listened_on_once(api: LocalApi, balancer: dict[str, Any]) -> None:
    listen(api, balancer)
    assert refusal(listen, api=api, balancer=balancer) == "DuplicateListener"


def test_only_running_instances_of_the_vpc_can_be_targets(api: LocalApi, network: Network, targets: str) -> None:
    def register(instance: str) -> str:
        return refusal(api.elbv2.register_targets, TargetGroupArn=targets, Targets=[{"Id": instance}])

    assert register("i-0123456789abcdef0") == "InvalidTarget"
    instance = node(api, network)
    assert register(instance) == "InvalidTarget", "it is pending"
    api.turn()
    api.elbv2.register_targets(TargetGroupArn=targets, Targets=[{"Id": instance}])
    elsewhere = node(api, api.network())
    api.turn()
    assert register(elsewhere) == "InvalidTarget"


def test_a_target_is_what_was_measured_of_it(
    api: LocalApi, network: Network, balancer: dict[str, Any], targets: str
) -> None:
    instance = node(api, network)
    api.turn()
    api.elbv2.register_targets(TargetGroupArn=targets, Targets=[{"Id": instance}])
    assert state(api, targets, instance) == ("unused", "Target.NotInUse"), "nothing forwards to its group"
    listener = listen(api, balancer)
    rule = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/invocations"]}}]
    api.elbv2.create_rule(ListenerArn=listener, Priority=1, Conditions=rule, Actions=forward(targets))
    assert state(api, targets, instance) == ("initial", "Elb.RegistrationInProgress")
    group = next(each for each in api.world.target_groups() if each.arn == targets)
    assert group.in_use
    api.world.set_target_health(targets, group.targets[0], "healthy")
    assert state(api, targets, instance) == ("healthy", "")
    api.world.set_target_health(targets, group.targets[0], "unhealthy", "Target.Timeout")
    assert state(api, targets, instance) == ("unhealthy", "Target.Timeout")


def test_a_deregistered_target_drains(api: LocalApi, network: Network, balancer: dict[str, Any], targets: str) -> None:
    instance = node(api, network)
    api.turn()
    api.elbv2.register_targets(TargetGroupArn=targets, Targets=[{"Id": instance}])
    listen(api, balancer, DefaultActions=forward(targets))
    api.elbv2.deregister_targets(TargetGroupArn=targets, Targets=[{"Id": instance}])
    assert state(api, targets, instance) == ("draining", "Target.DeregistrationInProgress")
    group = next(each for each in api.world.target_groups() if each.arn == targets)
    assert group.targets[0].draining_until is not None
    none = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
    api.elbv2.modify_target_group_attributes(TargetGroupArn=targets, Attributes=[none])
    api.elbv2.register_targets(TargetGroupArn=targets, Targets=[{"Id": instance}])
    api.elbv2.deregister_targets(TargetGroupArn=targets, Targets=[{"Id": instance}])
    assert state(api, targets, instance) == ("unused", "Target.NotRegistered")


def test_rules_are_read_in_order_with_their_conditions_and_the_default_last(
    api: LocalApi, balancer: dict[str, Any], targets: str
) -> None:
    listener = listen(api, balancer)
    for priority, path in ((20, "/b"), (3, "/a")):
        api.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[
                {"Field": "path-pattern", "PathPatternConfig": {"Values": [path, f"{path}/*"]}},
                {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}},
            ],
            Actions=forward(targets),
        )
    record = next(each for each in api.world.load_balancers() if each.arn == balancer["LoadBalancerArn"])
    rules = record.listeners[0].rules
    assert [rule.priority for rule in rules] == [3, 20, None]
    assert rules[0].path_patterns == ("/a", "/a/*")
    assert str(rules[0].source_cidrs[0]) == "192.0.2.0/24"
    assert rules[0].action.weights == {targets: 1}
    assert rules[2].action.status == "404"
    assert refusal(api.elbv2.delete_target_group, TargetGroupArn=targets) == "ResourceInUse"
