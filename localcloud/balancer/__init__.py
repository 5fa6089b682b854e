"""The load balancers: one HAProxy for each, as strict as an Application Load Balancer."""

from localcloud.balancer.controller import BalancerController

__all__ = ["BalancerController"]
