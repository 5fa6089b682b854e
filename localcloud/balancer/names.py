"""How things are called inside HAProxy, and where it sees its files."""

from localcloud.model import Listener, Target, TargetGroup

FOLDER = "/run/slipway-balancer"


def healthy(group: TargetGroup) -> str:
    """The backend that holds a group's targets with their health checks."""
    return f"healthy-{group.name}"


def everyone(group: TargetGroup) -> str:
    """The backend that holds them without: used while none is healthy."""
    return f"all-{group.name}"


def server_name(target: Target) -> str:
    return f"{target.id}:{target.port}"


def sources_file(listener: Listener) -> str:
    return f"sources-{listener.port}"
