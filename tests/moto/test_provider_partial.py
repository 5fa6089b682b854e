"""What exists and is not as it should be stays in the state, and is told with its reason."""

from collections.abc import Callable

import pytest

from tests.moto.cloud import client
from tests.moto.engine import Stack

GROUP = """
import pulumi_aws as aws
template = aws.ec2.LaunchTemplate("template", image_id="ami-05119a4debb1a1212", instance_type="t3.small")
group = aws.autoscaling.Group("group", availability_zones=["us-east-1a"], min_size=1, max_size=1,
    min_elb_capacity=1, wait_for_capacity_timeout="3s",
    launch_template={"id": template.id, "version": "$Latest"})
"""


@pytest.mark.long
def test_a_group_that_never_gets_healthy_is_kept_and_can_be_destroyed(stack: Callable[..., Stack], cloud: str) -> None:
    waiting = stack(GROUP, **{"aws:region": "us-east-1"})
    failed = waiting.up(check=False)
    assert failed.returncode != 0
    assert "timed out after 3 s waiting for capacity" in failed.stdout
    assert "0 of 1 healthy behind the balancer" in failed.stdout, "the reason is part of it"
    kept = waiting.resource("group")
    assert kept["initErrors"]
    assert kept["outputs"]["minSize"] == 1
    waiting.destroy()
    assert client("autoscaling", cloud).describe_auto_scaling_groups()["AutoScalingGroups"] == []
