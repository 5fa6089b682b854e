"""Which deployment a rollout is to bring: one that is named, or one that is made first from what is named instead.

With nothing named, the alias decides: every model that carries it, in the version that it names.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from contract import S3
from ops.errors import UserError
from ops.rollout.settings import Delivery
from ops.store import Store

ID = re.compile(r"[0-9a-f]{12}")
RELEASE = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """At most one of the three; `models` are NAME@ALIAS or NAME/VERSION, and the rest of what is served stays."""

    deployment: str | None = None
    models: Sequence[str] = field(default_factory=tuple)
    release: str | None = None

    def __post_init__(self) -> None:
        if self.deployment is not None and (self.models or self.release):
            raise UserError("a deployment has its models and its release", "name the deployment, or what is to change")
        if self.deployment is not None and not ID.fullmatch(self.deployment):
            raise UserError(f"deployment: {self.deployment!r} is no deployment id", "it has 12 hexadecimal digits")
        if self.release is not None and not RELEASE.fullmatch(self.release):
            raise UserError(f"release: {self.release!r} is no digest of a release", "it has 64 hexadecimal digits")

    @property
    def reason(self) -> str:
        return " ".join([*self.models, *([f"release {self.release[:12]}"] if self.release else [])])


def make(at: Store, wish: Wish, bounds: Delivery, progress: Progress) -> tuple[str, str]:
    """The id of the deployment, made unless it was, and why it is wanted. Raises `UserError`."""
    from ops import promotion

    if wish.deployment:
        return at.existing(wish.deployment), f"deployment {wish.deployment}"
    if wish.models or wish.release:
        if wish.release and not at.has(f"{S3.releases}{wish.release}.tar.zst"):
            raise UserError(
                f"this stack has no release {wish.release[:12]}…", "`slipway release` builds and uploads one"
            )
        plan = promotion.plan(
            at,
            wish.models,
            wish.release,
            breaking=False,
            require_example=bounds.require_example,
            progress=progress,
        )
        return promotion.make(at, plan, progress, build=bounds.build_releases), wish.reason
    versions = by_alias(bounds)
    followed = [f"{version}@{bounds.alias}" for version in versions]
    plan = promotion.plan(
        at, followed, None, breaking=False, alone=True, require_example=bounds.require_example, progress=progress
    )
    made = promotion.make(at, plan, progress, build=bounds.build_releases)
    return made, f"what @{bounds.alias} says: {', '.join(versions)}"


def by_alias(bounds: Delivery) -> list[str]:
    """NAME/VERSION of every model that carries the alias, the default first. Raises `UserError` when none does."""
    from ops.watcher.registry import Registry

    url = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not url:
        raise UserError("nothing is named, and no MLflow to ask what the alias says", "set MLFLOW_TRACKING_URI")
    login = [os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD")]
    found = Registry(url, *login).carrying(bounds.alias, bounds.models)
    if not found:
        raise UserError(f"no model carries the alias {bounds.alias}", "set it in MLflow, or name a model")
    order = {name: place for place, name in enumerate(bounds.models)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return [f"{name}/{found[name]}" for name in names]


def models(at: Store, deployment: str) -> list[str]:
    """NAME/VERSION of each model of a deployment."""
    return [f"{model['name']}/{model['version']}" for model in _manifest(at, deployment)["models"]]


def description(at: Store, deployment: str) -> str:
    """What a deployment serves, in a line: `diabetes/3 from release 0123456789ab`."""
    return f"{', '.join(models(at, deployment)) or 'no model'} from release {_manifest(at, deployment)['release'][:12]}"


@cache
def _manifest(at: Store, deployment: str) -> dict[str, Any]:
    """It never changes."""
    return at.manifest(deployment)
