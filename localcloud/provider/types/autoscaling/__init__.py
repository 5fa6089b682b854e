"""EC2 Auto Scaling."""

from localcloud.provider.types.autoscaling.group import Group

RESOURCES = (Group,)
