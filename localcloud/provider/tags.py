"""Tags: the provider's and the program's merged, judged, and between Pulumi's map and AWS's list of pairs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from localcloud.provider.values import UNKNOWN, render_path


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


def retag(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    remove: Callable[[list[str]], object],
    add: Callable[[list[dict[str, str]]], object],
) -> None:
    """Brings a resource's tags from its old state to the new one by a service's two calls, as far as there is need."""
    removed, added = changes(old.get("tagsAll"), new.get("tagsAll"))
    if removed:
        remove(removed)
    if added:
        add(pairs(added))


def retag_ec2(client: Any, id: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> None:
    retag(
        {"tagsAll": old},
        {"tagsAll": new},
        lambda keys: client.delete_tags(Resources=[id], Tags=[{"Key": key} for key in keys]),
        lambda tags: client.create_tags(Resources=[id], Tags=tags),
    )


def merged(defaults: Mapping[str, str], tags: Any) -> Any:
    """The provider's default tags, over which the program's win."""
    if tags is UNKNOWN:
        return UNKNOWN
    return {**defaults, **{key: value for key, value in (tags or {}).items() if value is not None}}


def tag_problems(tags: Any) -> Iterator[tuple[str, str]]:
    """What AWS refuses in tags, as (property path, reason)."""
    if tags is UNKNOWN:
        return
    for key, value in tags.items():
        path = render_path(("tags", key))
        if key.lower().startswith("aws:"):
            yield path, "tag keys that begin with aws: are AWS's own"
        if not 1 <= len(key) <= 128:
            yield path, f"a tag's key has 1 to 128 characters, not {len(key)}"
        if value is not UNKNOWN and len(value) > 256:
            yield path, f"a tag's value has at most 256 characters, not {len(value)}"
    if len(tags) > 50:
        yield "tags", f"{len(tags)} tags are more than the 50 that AWS allows"
