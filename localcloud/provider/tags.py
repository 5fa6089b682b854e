"""Tags between Pulumi's map and AWS's list of pairs."""

from collections.abc import Iterable, Mapping
from typing import Any


def pairs(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def from_pairs(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def specification(kind: str, tags: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """EC2's TagSpecifications for something that is about to be made."""
    return [{"ResourceType": kind, "Tags": pairs(tags)}] if tags else []


def changes(old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> tuple[list[str], dict[str, str]]:
    """Keys to remove, and tags to set."""
    before, after = old or {}, new or {}
    return [key for key in before if key not in after], {k: v for k, v in after.items() if before.get(k) != v}


def retag_ec2(client: Any, id: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> None:
    removed, added = changes(old, new)
    if removed:
        client.delete_tags(Resources=[id], Tags=[{"Key": key} for key in removed])
    if added:
        client.create_tags(Resources=[id], Tags=pairs(added))
