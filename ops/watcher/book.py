"""The watcher's memory, as one object in the bucket: what came of each alias, and what was under way.

It is written before anything is begun and after it has ended, so that a watcher that was killed knows what it did.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from contract import S3
from ops.errors import UserError
from ops.rollout.objects import Objects
from ops.store import Store
from ops.watcher.wish import Done, Status

SCHEMA = 1


@dataclass(frozen=True)
class Attempt:
    """A rollout that was begun: its deployment, the versions it was to change, and the newest rollout before it."""

    deployment: str
    release: str
    changed: Mapping[str, str]
    after: str


@dataclass(frozen=True)
class Page:
    """`tagged` are the labels (`name/version`) of the served versions that carry our tags."""

    ledger: Mapping[str, Done] = field(default_factory=dict)
    attempt: Attempt | None = None
    tagged: tuple[str, ...] = ()


class Book:
    def __init__(self, at: Store) -> None:
        self._objects = Objects(at)
        self._written: Page | None = None

    def read(self) -> Page:
        """Raises `UserError` when S3 cannot be asked, or when a newer watcher wrote it."""
        found = self._objects.read(S3.followed)
        self._written = parse(found.content) if found else Page()
        return self._written

    def write(self, page: Page) -> None:
        """Nothing when it would change nothing. There is one watcher, so nobody else writes."""
        if page != self._written:
            self._objects.put(S3.followed, rendered(page))
            self._written = page


def rendered(page: Page) -> dict[str, Any]:
    return {"schema": SCHEMA, **asdict(page)}


def parse(content: Mapping[str, Any]) -> Page:
    if content.get("schema") != SCHEMA:
        raise UserError(f"{S3.followed} is written in schema {content.get('schema')}", "run a newer control release")
    ledger = {name: Done(**{**done, "status": Status(done["status"])}) for name, done in content["ledger"].items()}
    attempt = Attempt(**content["attempt"]) if content["attempt"] else None
    return Page(ledger, attempt, tuple(content["tagged"]))
