"""The settings of asynchronous predictions. Off, nothing of them exists: no broker, no secret, no rule, no grant."""

from dataclasses import dataclass
from typing import Any

from contract import HTTP
from infra.reading import Section
from infra.sections import DIGEST, NodeSettings

INLINE_BYTES = 64 * 1024
"""What is larger goes to the bucket, and not into a row."""
TOGETHER = 8
"""Jobs at a time on a node that has nothing else to do: what comes together is scored together."""
HOURS_A_DAY = 24


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Nodes that only work on jobs; `desired` 0: there are none, and serving nodes do.

    With `backlog` a policy owns their number from then on, and aims at so many waiting jobs for each; 0: there is none.
    """

    node: NodeSettings
    desired: int
    minimum: int
    maximum: int
    backlog: int

    @classmethod
    def read(cls, s: Section) -> "WorkerSettings":
        desired = s.number("desired", 0, 200, 0)
        settings = cls(
            node=NodeSettings.read_unbalanced(s, "t3.medium", warmup_seconds=60),
            desired=desired,
            minimum=s.number("minimum", 1, 200, 1),
            maximum=s.number("maximum", 1, 400, max(2 * desired, 2)),
            backlog=s.number("backlogPerInstance", 0, 1_000_000, 0),
        )
        s.finish()
        return settings

    @property
    def exists(self) -> bool:
        return self.desired > 0

    @property
    def autoscaling(self) -> bool:
        return self.backlog > 0


@dataclass(frozen=True, kw_only=True)
class JobsSettings:
    """`release` is the digest of the jobs release; None is the one that the program uploaded first.

    `concurrency` is of each node's worker, which decides by itself when it is 0; `queue_limit` of the whole stack.
    """

    enabled: bool
    broker: NodeSettings
    fleet: WorkerSettings
    release: str | None
    retention_hours: int
    attempts: int
    queue_limit: int
    concurrency: int

    @classmethod
    def read(cls, s: Section) -> "JobsSettings":
        settings = cls(
            enabled=s.flag("enabled", False),
            broker=_broker(s.section("broker")),
            fleet=WorkerSettings.read(s.section("fleet")),
            release=s.optional("release", *DIGEST),
            retention_hours=s.number("retentionHours", 1, 720, 24),
            attempts=s.number("attempts", 1, 20, 5),
            queue_limit=s.number("queueLimit", 1, 10_000_000, 100_000),
            concurrency=s.number("concurrency", 1, 256, 0),
        )
        s.finish()
        return settings

    @property
    def on_workers(self) -> bool:
        """Whether jobs are worked on by nodes of their own, and serving nodes only accept them."""
        return self.enabled and self.fleet.exists

    @property
    def concurrency_of_workers(self) -> int:
        return self.concurrency or TOGETHER

    @property
    def bucket_days(self) -> int | None:
        """The retention for S3, which counts in days, never shorter than the hours; None without jobs."""
        return -(-self.retention_hours // HOURS_A_DAY) if self.enabled else None

    def limits(self) -> dict[str, Any]:
        """As nodes are told them; `jobs/config.py` is their reader."""
        return {
            "retention_hours": self.retention_hours,
            "attempts": self.attempts,
            "queue": self.queue_limit,
            "inline_bytes": INLINE_BYTES,
            "body_bytes": HTTP.body_bytes,
        }


def _broker(s: Section) -> NodeSettings:
    settings = NodeSettings.read_unbalanced(s, "t3.small", warmup_seconds=180)
    s.finish()
    return settings
