"""Application Load Balancers."""

from localcloud.provider.types.lb.balancer import LoadBalancer
from localcloud.provider.types.lb.group import TargetGroup
from localcloud.provider.types.lb.listener import Listener, ListenerCertificate
from localcloud.provider.types.lb.rule import ListenerRule

RESOURCES = (Listener, ListenerCertificate, ListenerRule, LoadBalancer, TargetGroup)
