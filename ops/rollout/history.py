"""What became of every rollout: one immutable object each, named by when it began and what it was to bring.

An interrupted rollout is written down too, by its keeper or by whoever takes over its lock: the history has no holes.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from contract import S3
from ops.errors import UserError
from ops.rollout.objects import Objects
from ops.store import Store

SCHEMA = 1
NAME = re.compile(rf"{re.escape(S3.rollouts)}(?P<rollout>\d{{8}}T\d{{6}}Z-[0-9a-z]+)\.json")
TIME = "%Y%m%dT%H%M%SZ"


class Outcome(StrEnum):
    """`REFUSED` before any node was touched, `REVERTED` before the commit, `RETURNED` after it."""

    DONE = "done"
    REFUSED = "refused"
    REVERTED = "reverted"
    RETURNED = "returned"
    INTERRUPTED = "interrupted"


class Kind(StrEnum):
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    TRIAL = "trial"
    """A candidate was given some traffic. It brings no deployment."""
    ABORT = "abort"
    """A trial was ended."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """`nodes` are the names of those that were there; `started` is ISO 8601; `why` is empty when all was well."""

    rollout: str
    deployment: str
    previous: str
    by: str
    reason: str
    started: str
    seconds: float
    outcome: Outcome
    kind: Kind = Kind.DEPLOY
    why: str = ""
    nodes: list[str] = field(default_factory=list)


class History:
    def __init__(self, at: Store) -> None:
        self._objects = Objects(at)

    def write(self, record: Record) -> bool:
        """Once for each rollout: returns whether this call wrote it."""
        return self._objects.write(_key(record.rollout), {"schema": SCHEMA, **asdict(record)}, None)

    def read(self, rollout: str) -> Record | None:
        found = self._objects.read(_key(rollout))
        if found is None:
            return None
        content = dict(found.content)
        if (schema := content.pop("schema", None)) != SCHEMA:
            raise UserError(f"rollout {rollout} is written in schema {schema}", "read it with a newer Slipway")
        return Record(**{**content, "outcome": Outcome(content["outcome"]), "kind": Kind(content["kind"])})

    def newest_first(self) -> Iterator[Record]:
        """Each record is fetched when it is asked for."""
        names = [match["rollout"] for key in self._objects.keys(S3.rollouts) if (match := NAME.fullmatch(key))]
        for rollout in reversed(names):
            if record := self.read(rollout):
                yield record

    def before(self, deployment: str) -> str:
        """What the fleet served before `deployment` came: where a rollback without a name goes.

        By the newest rollout that brought it; not by rollbacks, or a second one would go forward again. An
        interrupted one counts when it had committed, which its deployment being the current one shows.
        """
        for record in self.newest_first():
            brought = record.outcome in (Outcome.DONE, Outcome.INTERRUPTED) and record.kind is Kind.DEPLOY
            if brought and record.deployment == deployment and record.previous != deployment:
                return record.previous
        raise UserError(
            f"there is nothing to go back to: no rollout brought deployment {deployment}",
            "name a deployment (-e deployment=ID); `slipway history` lists them",
        )


def identify(started: datetime, deployment: str) -> str:
    """The id of a rollout: sortable, and unique as long as rollouts hold the lock."""
    return f"{started.strftime(TIME)}-{deployment}"


def _key(rollout: str) -> str:
    return f"{S3.rollouts}{rollout}.json"
