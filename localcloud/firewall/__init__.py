"""Security groups, enforced with nftables inside the machines' namespace."""

from localcloud.firewall.controller import FirewallController

__all__ = ["FirewallController"]
