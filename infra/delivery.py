"""The bounds of a rollout, as settings. Nothing here makes a resource: operators and the tracking node read them.

They are an output of the stack, and among the tracking node's facts; `ops/rollout/settings.py` is their reader.
"""

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from infra.reading import Problem, Section

NAME = r"[A-Za-z0-9_.-]{1,250}"
PYPI = "https://pypi.org/simple"
INDEX = r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:443)?(/[A-Za-z0-9._~/%+-]*)?"
LOGIN = re.compile(r"//[^/@]*@")


class Goal(StrEnum):
    """Which values of a metric are better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """`error_rate` and `metric_margin` are absolute; a candidate is compared with what is served beside it."""

    alias: str
    follow_alias: bool
    models: tuple[str, ...]
    bake_seconds: int
    watch_seconds: int
    minimum_requests: int
    error_rate: float
    latency_ratio: float
    latency_milliseconds: int
    answer_milliseconds: int
    batch_percent: int
    keep_deployments: int
    require_example: bool
    require_signature: bool
    metric: str | None
    metric_goal: Goal
    metric_margin: float
    build_releases: bool
    index: str
    """Where the tracking node gets packages from: an address that every reader of the stack may see."""
    improvement: float
    """By how much a training's model must be better than the one that is served, where its pipeline says nothing."""
    webhook: bool
    webhook_private: bool

    @classmethod
    def read(cls, s: Section) -> "DeliverySettings":
        settings = cls(
            alias=s.text("alias", NAME, "champion", default="champion"),
            follow_alias=s.flag("followAlias", True),
            models=s.texts("models", r"[^@/]+", "diabetes, iris", required=False),
            bake_seconds=s.number("bakeSeconds", 0, 3600, 60),
            watch_seconds=s.number("watchSeconds", 0, 3600, 300),
            minimum_requests=s.number("minimumRequests", 0, 10000, 50),
            error_rate=s.decimal("errorRate", 0, 1, 0.01),
            latency_ratio=s.decimal("latencyRatio", 1, 100, 2.0),
            latency_milliseconds=s.number("latencyMilliseconds", 1, 30000, 50),
            answer_milliseconds=s.number("answerMilliseconds", 1, 30000, 1000),
            batch_percent=s.number("batchPercent", 1, 100, 25),
            keep_deployments=s.number("keepDeployments", 2, 50, 3),
            require_example=s.flag("requireExample", True),
            require_signature=s.flag("requireSignature", True),
            metric=s.optional("metric", r"[A-Za-z0-9_./ -]{1,250}", "rmse"),
            metric_goal=s.choice("metricGoal", Goal, Goal.LOWER),
            metric_margin=s.decimal("metricMargin", 0, 1000000, 0.0),
            build_releases=s.flag("buildReleases", False),
            index=_index(s),
            improvement=s.decimal("improvement", 0, 1000000, 0.0),
            webhook=s.flag("webhook", False),
            webhook_private=s.flag("webhookPrivate", False),
        )
        s.finish()
        return settings

    def output(self) -> dict[str, Any]:
        """As JSON has them."""
        return {**asdict(self), "models": list(self.models), "metric_goal": str(self.metric_goal)}


def _index(s: Section) -> str:
    given = str(s.data.get("index", ""))
    if LOGIN.search(given):
        s.take("index")
        reason = "it holds a login, which the stack's state and every node would show"
        way_out = "Name an index that the tracking node may read without one."
        s.problems.append(Problem(s.path("index"), LOGIN.sub("//…@", given), reason, way_out))
        return PYPI
    return s.text("index", INDEX, f"{PYPI}, by https at port 443", default=PYPI)
