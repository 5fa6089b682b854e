"""What AWS refuses in a value, said before anything is made."""

import json
import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from localcloud.provider.schema import Rule


def one_of(*choices: str) -> Rule:
    def rule(value: Any) -> str | None:
        return None if value in choices else f"{value!r} is none of {', '.join(choices)}"

    return rule


def between(low: int, high: int) -> Rule:
    def rule(value: Any) -> str | None:
        return None if low <= value <= high else f"{value} is not between {low} and {high}"

    return rule


def length(low: int, high: int) -> Rule:
    def rule(value: Any) -> str | None:
        size = len(value)
        return None if low <= size <= high else f"{value!r} has {size} characters, AWS allows {low} to {high}"

    return rule


def matches(pattern: str, meaning: str) -> Rule:
    """`meaning` completes "must …": `matches("[a-z]+", "consist of lower-case letters")`."""
    compiled = re.compile(pattern)

    def rule(value: Any) -> str | None:
        return None if compiled.fullmatch(value) else f"{value!r} must {meaning}"

    return rule


def cidr(low: int = 0, high: int = 32) -> Rule:
    """An IPv4 network without host bits, whose prefix length AWS allows here."""

    def rule(value: Any) -> str | None:
        try:
            network = ip_network(value)
        except ValueError as error:
            return f"{value!r} is not a network: {error}"
        if isinstance(network, IPv6Network):
            return f"{value!r} is not an IPv4 network"
        assert isinstance(network, IPv4Network)
        allowed = low <= network.prefixlen <= high
        return None if allowed else f"{value!r} is not between /{low} and /{high}"

    return rule


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(duration: str) -> float:
    """A duration as Go writes it: `10m`, `1h30m`, `0`. ValueError when it is none."""
    if duration == "0":
        return 0.0
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is not a duration such as 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def duration(value: Any) -> str | None:
    try:
        seconds(value)
    except ValueError as error:
        return str(error)
    return None


def arn(service: str = "") -> Rule:
    def rule(value: Any) -> str | None:
        parts = str(value).split(":", 5)
        good = len(parts) == 6 and parts[0] == "arn" and (not service or parts[2] == service)
        return None if good else f"{value!r} is not the ARN of something in {service or 'AWS'}"

    return rule


def identifier(*prefixes: str) -> Rule:
    """An id such as `subnet-0123456789abcdef0`."""

    def rule(value: Any) -> str | None:
        good = any(re.fullmatch(rf"{prefix}-[0-9a-f]+", str(value)) for prefix in prefixes)
        return None if good else f"{value!r} is not an id that begins with {' or '.join(f'{p}-' for p in prefixes)}"

    return rule


def json_document(value: Any) -> str | None:
    try:
        json.loads(value)
    except ValueError as error:
        return f"is not JSON: {error}"
    return None


def same_json(one: str, other: str) -> bool:
    """Whether two policies say the same: order of keys and of members does not count, `["x"]` equals `"x"`."""
    try:
        return bool(_canonical(json.loads(one)) == _canonical(json.loads(other)))
    except ValueError:
        return one == other


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value


def conflicts(args: dict[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    """Problems when more than one of these inputs is given."""
    given = [name for name in names if args.get(name) is not None]
    return [(given[1], f"conflicts with {given[0]}")] if len(given) > 1 else []
