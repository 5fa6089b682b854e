"""Names and tags: the prefix of every resource, and what AWS allows a name to be.

Target groups and load balancers have 32 characters, suffix included, which is what bounds a stack's name.
"""

import re

from contract import TAGS

PROJECT = "slipway"
STACK_MAX = 12
STACK = re.compile(rf"(?=.{{1,{STACK_MAX}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")

SUFFIX = 8
"""Autonaming appends "-" and seven hexadecimal digits."""


def valid_stack(stack: str) -> bool:
    """Whether every name made from this stack's name is within AWS's limits and alphabets."""
    return STACK.fullmatch(stack) is not None


def prefix(stack: str) -> str:
    return f"{PROJECT}-{stack}"


def tags(stack: str, role: str | None = None) -> dict[str, str]:
    """The tags by which the inventory and the sweeps find what belongs to a stack."""
    return {TAGS.project: PROJECT, TAGS.stack: stack} | ({TAGS.role: role} if role else {})
