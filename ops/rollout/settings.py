"""The bounds of a rollout, as the stack has them: the settings group `slipway:delivery`, read through one function.

On the tracking node they are among its facts, elsewhere an output of the stack.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ops import store
from ops.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The fields are those of `infra.delivery.DeliverySettings`, where they have their ranges and defaults."""

    alias: str
    follow_alias: bool
    models: list[str] = field(default_factory=list)
    """Names of the models to serve; empty: every registered model that carries the alias."""
    bake_seconds: int
    watch_seconds: int
    minimum_requests: int
    error_rate: float
    """The share of requests that a candidate may fail beyond what the others do."""
    latency_ratio: float
    latency_milliseconds: int
    """A quantile below this is never too slow."""
    answer_milliseconds: int
    """What one row may take when a candidate is checked before any node."""
    batch_percent: int
    keep_deployments: int
    require_example: bool
    require_signature: bool
    metric: str | None
    metric_goal: str
    metric_margin: float
    build_releases: bool
    index: str
    """Where the tracking node gets packages from."""

    def unfollowed(self, model: str) -> str:
        """Why the watcher does not carry out this model's alias, if it does not."""
        if not self.follow_alias:
            return f"the stack follows no alias (delivery.followAlias); `slipway promote {model}@{self.alias}` does it"
        if self.models and model not in self.models:
            return f"the stack serves only {', '.join(self.models)} (delivery.models)"
        return ""


def current() -> Delivery:
    """Raises `UserError` for a stack that was brought up before it had them."""
    try:
        return parsed(store.outputs()["delivery"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"the stack has no usable output `delivery` ({error})", "bring it up to date: `pulumi up`"
        ) from error


def parsed(values: dict[str, Any]) -> Delivery:
    """Keys that this version does not know are a newer program's, and are left out."""
    known = {each.name for each in dataclasses.fields(Delivery)}
    return Delivery(**{key: value for key, value in values.items() if key in known})
