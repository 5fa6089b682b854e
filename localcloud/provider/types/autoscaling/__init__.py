"""EC2 Auto Scaling."""

from localcloud.provider.types.autoscaling.group import Group
from localcloud.provider.types.autoscaling.policy import Policy

RESOURCES = (Group, Policy)
