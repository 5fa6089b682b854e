"""DHCP and DNS of the local VPC: one dnsmasq, in the machines' namespace."""

from localcloud.dns.controller import DnsController

__all__ = ["DnsController"]
