"""Deployments on their way from one stack to another: the same bytes, by their digests.

The other stack may have another account, region or local cloud. So whatever is asked of it is asked by a process in
that stack's own environment, and only files pass between the two.
"""
