"""What a chat is told of a rollout: by its record in the history, and by the manifests before and after it."""

from collections.abc import Mapping
from typing import Any

from ops.errors import UserError
from ops.notify import Message
from ops.rollout.history import Outcome, Record
from ops.store import Store

Manifest = Mapping[str, Any]
GONE: Manifest = {"release": "", "models": []}
SAID = {
    Outcome.DONE: "is done",
    Outcome.REFUSED: "was refused",
    Outcome.INTERRUPTED: "was interrupted",
    Outcome.REVERTED: "went back",
    Outcome.RETURNED: "went back",
}


def message(at: Store, record: Record, url: str = "") -> Message:
    before, after = _manifest(at, record.previous), _manifest(at, record.deployment)
    releases = [manifest["release"][:12] or "unknown" for manifest in (before, after)]
    facts = {
        "models": "\n".join(changes(before, after)) or "the same",
        "metrics": "\n".join(metrics(before, after)),
        "release": " → ".join(releases) if before["release"] != after["release"] else "",
        "why": record.why,
        "before": record.previous,
        "by": f"{record.by}, {record.reason}" if record.reason else record.by,
        "took": f"{record.seconds:.0f} s on {len(record.nodes)} nodes" if record.nodes else f"{record.seconds:.0f} s",
    }
    return Message(f"{record.kind} of deployment {record.deployment} {SAID[record.outcome]}", facts, url)


def changes(before: Manifest, after: Manifest) -> list[str]:
    """Each model that comes, goes or changes: `diabetes 3 → 4 (champion)`."""
    old, new = _versions(before), _versions(after)
    aliases = {each["name"]: f" ({each['alias']})" for each in after["models"] if each.get("alias")}
    return [
        f"{name} {old.get(name, 'new')} → {new.get(name, 'retired')}{aliases.get(name, '')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def metrics(before: Manifest, after: Manifest) -> list[str]:
    """Of each version that is new, beside those of the one before it."""
    old = {each["name"]: each for each in before["models"]}
    return [
        f"{each['name']}: {compared(each['metrics'], old.get(each['name'], {}).get('metrics', {}))}"
        for each in after["models"]
        if each.get("metrics") and _versions(before).get(each["name"]) != str(each["version"])
    ]


def compared(new: Mapping[str, float], old: Mapping[str, float]) -> str:
    """`rmse 54.2 → 53.8, r2 0.51`."""
    return ", ".join(
        f"{name} {old[name]:.6g} → {value:.6g}" if name in old else f"{name} {value:.6g}" for name, value in new.items()
    )


def _versions(manifest: Manifest) -> dict[str, str]:
    return {each["name"]: str(each["version"]) for each in manifest["models"]}


def _manifest(at: Store, deployment: str) -> Manifest:
    """One that is pruned by now says nothing."""
    try:
        return at.manifest(deployment)
    except UserError:
        return GONE
