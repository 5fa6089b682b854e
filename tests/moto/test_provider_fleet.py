"""What serves: routes out, a launch template, an Auto Scaling group and the balancer before it."""

from collections.abc import Callable

import pytest

from tests.moto.cloud import client
from tests.moto.engine import Stack

FLEET = """
import pulumi, pulumi_aws as aws
ec2 = aws.ec2
vpc = ec2.Vpc("vpc", cidr_block="10.8.0.0/16")
subnets = [ec2.Subnet("subnet-" + zone, vpc_id=vpc.id, cidr_block=cidr, availability_zone="us-east-1" + zone)
           for zone, cidr in (("a", "10.8.0.0/24"), ("b", "10.8.1.0/24"))]
gateway = ec2.InternetGateway("gateway", vpc_id=vpc.id)
eip = ec2.Eip("nat", domain="vpc")
nat = ec2.NatGateway("nat", allocation_id=eip.id, subnet_id=subnets[0].id)
table = ec2.RouteTable("table", vpc_id=vpc.id)
route = ec2.Route("out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
uses = ec2.RouteTableAssociation("uses", route_table_id=table.id, subnet_id=subnets[0].id)
s3 = ec2.VpcEndpoint("s3", vpc_id=vpc.id, service_name="com.amazonaws.us-east-1.s3", route_table_ids=[table.id])
group = ec2.SecurityGroup("group", vpc_id=vpc.id)
http = aws.vpc.SecurityGroupIngressRule("http", security_group_id=group.id, ip_protocol="tcp", from_port=80,
    to_port=80, cidr_ipv4="{source}", description="from outside")
out = aws.vpc.SecurityGroupEgressRule("out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0")
template = ec2.LaunchTemplate("template", image_id="ami-05119a4debb1a1212", instance_type="{machine}",
    update_default_version=True, vpc_security_group_ids=[group.id], user_data="I2Nsb3VkLWNvbmZpZwo=",
    metadata_options={{"http_tokens": "required", "http_put_response_hop_limit": 1,
                      "instance_metadata_tags": "enabled"}},
    block_device_mappings=[{{"device_name": "/dev/xvda", "ebs": {{"encrypted": "true", "volume_size": 8,
                             "volume_type": "gp3"}}}}],
    tag_specifications=[{{"resource_type": "instance", "tags": {{"role": "serving"}}}}])
balancer = aws.lb.LoadBalancer("balancer", subnets=[each.id for each in subnets], security_groups=[group.id],
    idle_timeout={idle}, drop_invalid_header_fields=True)
targets = aws.lb.TargetGroup("targets", port=8080, protocol="HTTP", vpc_id=vpc.id, deregistration_delay=30,
    health_check={{"path": "/readyz", "interval": 5, "timeout": 4, "healthy_threshold": 2, "matcher": "200"}})
listener = aws.lb.Listener("listener", load_balancer_arn=balancer.arn, port=8080, protocol="HTTP",
    default_actions=[{{"type": "fixed-response", "fixed_response": {{"content_type": "application/json",
                       "message_body": "{{}}", "status_code": "404"}}}}])
rule = aws.lb.ListenerRule("predict", listener_arn=listener.arn, priority=10,
    conditions=[{{"path_pattern": {{"values": ["/predict", "/predict/*", "/ping"]}}}}],
    actions=[{{"type": "forward", "target_group_arn": targets.arn}}])
fleet = aws.autoscaling.Group("fleet", vpc_zone_identifiers=[each.id for each in subnets], min_size=1, max_size=4,
    desired_capacity={desired}, target_group_arns=[targets.arn], health_check_type="ELB", min_elb_capacity={desired},
    wait_for_capacity_timeout="30s", launch_template={{"id": template.id, "version": template.latest_version}},
    instance_refresh={{"strategy": "Rolling", "preferences": {{"min_healthy_percentage": 100,
        "max_healthy_percentage": 200, "auto_rollback": True}}, "triggers": ["vpc_zone_identifier"]}},
    tags=[{{"key": "role", "value": "serving", "propagate_at_launch": True}}],
    opts=pulumi.ResourceOptions(depends_on=[rule, route]))
policy = aws.autoscaling.Policy("policy", autoscaling_group_name=fleet.name, policy_type="TargetTrackingScaling",
    target_tracking_configuration={{"target_value": {target}, "predefined_metric_specification": {{
        "predefined_metric_type": "ALBRequestCountPerTarget",
        "resource_label": pulumi.Output.concat(balancer.arn_suffix, "/", targets.arn_suffix)}}}})
"""


def program(
    source: str = "10.0.0.0/8", machine: str = "t3.small", desired: int = 2, idle: int = 60, target: float = 600
) -> str:
    return FLEET.format(source=source, machine=machine, desired=desired, idle=idle, target=target)


@pytest.mark.long
def test_a_fleet_lives_from_up_to_destroy(stack: Callable[..., Stack], cloud: str) -> None:
    fleet = stack(program(), **{"aws:region": "us-east-1"})
    fleet.up()
    fleet.up("--expect-no-changes")
    fleet.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    fleet.up("--expect-no-changes")

    scaling = client("autoscaling", cloud)
    name = fleet.resource("fleet")["outputs"]["name"]
    fleet.write(program(source="10.1.0.0/16", machine="t3.medium", desired=3, idle=61, target=1200.5))
    planned = {step["urn"].split("::")[-1]: step["op"] for step in fleet.preview()}
    assert planned == dict.fromkeys(("http", "template", "balancer", "fleet", "policy"), "update")
    fleet.up()
    assert fleet.resource("template")["outputs"]["latestVersion"] == 2
    group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    assert group["LaunchTemplate"]["Version"] == "2"
    assert group["DesiredCapacity"] == 3
    refreshes = scaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
    assert len(refreshes) == 1, "a new template version starts an instance refresh"
    fleet.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    fleet.up("--expect-no-changes")

    fleet.destroy()
    assert fleet.resources() == []
    assert scaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
