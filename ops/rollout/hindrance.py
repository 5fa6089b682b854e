"""What keeps anybody from rolling out now, in words: for the watcher, and for whoever waits for it on another node."""

from contract import S3
from ops.rollout.lock import Lock
from ops.rollout.objects import Objects
from ops.store import Store


def paused(at: Store) -> str:
    """Empty when following is not paused."""
    found = Objects(at).read(S3.paused)
    if found is None:
        return ""
    who = " ".join(f"{key} {found.content[key]}" for key in ("by", "since", "reason") if found.content.get(key))
    return f"following is paused {who}".strip()


def rolling(at: Store) -> str:
    """Empty when no rollout is under way."""
    held = Lock(at).read()
    return "a rollout is under way" if held is not None and not held.expired else ""
