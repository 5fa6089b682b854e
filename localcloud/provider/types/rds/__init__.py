"""RDS: subnet groups, parameter groups and database instances."""

from localcloud.provider.types.rds.groups import ParameterGroup, SubnetGroup
from localcloud.provider.types.rds.instance import Instance

RESOURCES = (Instance, ParameterGroup, SubnetGroup)
