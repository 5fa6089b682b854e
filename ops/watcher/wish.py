"""What the fleet is to serve, from what the alias says now and what has been done about it before. Pure.

An alias is a wish that is carried out once: when it comes to a version, moves, or goes. Whatever happened then stands
until it moves again. So a version that was refused is not tried for ever, and a person's rollback is not undone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

NOWHERE = ""
"""The version of a model whose alias is gone."""


class Status(StrEnum):
    """What a model version's tag `slipway.status` says."""

    DEPLOYED = "deployed"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"
    ROLLING = "rolling"
    RETIRED = "retired"


@dataclass(frozen=True)
class Served:
    """The current deployment: its id, its release, and the version of each model. `default` is among them, if any."""

    deployment: str
    release: str
    models: Mapping[str, str]
    default: str | None = None

    @classmethod
    def of(cls, deployment: str, manifest: Mapping[str, Any]) -> "Served":
        models = {entry["name"]: str(entry["version"]) for entry in manifest["models"]}
        default = next((entry["name"] for entry in manifest["models"] if entry.get("default")), None)
        return cls(deployment, manifest["release"], models, default)


@dataclass(frozen=True)
class Done:
    """What came of a model's alias when it was at `version`. With another release than `release` it may be tried again;
    without one it may not: that was a person's decision."""

    version: str
    status: Status
    deployment: str = ""
    reason: str = ""
    release: str | None = None


Ledger = Mapping[str, Done]
"""By the name of the model."""


def target(wanted: Mapping[str, str], served: Served, ledger: Ledger) -> dict[str, str]:
    """The versions to serve. A wish that was carried out, or cannot be, leaves the model as it is served now."""
    result = dict(served.models)
    for name in {*wanted, *ledger}:
        wish = wanted.get(name, NOWHERE)
        done = ledger.get(name)
        if done is not None and done.version == wish and not _worth_another_try(done, served):
            continue
        result.pop(name, None)
        if wish != NOWHERE:
            result[name] = wish
    return dict(sorted(result.items()))


def _worth_another_try(done: Done, served: Served) -> bool:
    failed = done.status in (Status.REFUSED, Status.ROLLED_BACK)
    return failed and done.release is not None and done.release != served.release


def observed(wanted: Mapping[str, str], served: Served, ledger: Ledger) -> dict[str, Done]:
    """The ledger after a look at what is served: what agrees is done, and what was undone by others is rolled back."""
    result = dict(ledger)
    for name, version in wanted.items():
        done = ledger.get(name)
        if served.models.get(name) == version:
            result[name] = Done(version, Status.DEPLOYED, served.deployment)
        elif done is not None and done.version == version and done.status is Status.DEPLOYED:
            reason = f"deployment {served.deployment} was made current instead of {done.deployment}"
            result[name] = Done(version, Status.ROLLED_BACK, done.deployment, reason)
    for name in ledger.keys() - wanted.keys():
        if name not in served.models:
            del result[name]
    return result


def carried_out(ledger: Ledger, changed: Mapping[str, str], served: Served) -> dict[str, Done]:
    """The ledger after a rollout of these wishes: what is served was wished for, though the alias may be gone now."""
    served_now = {name: version for name, version in changed.items() if served.models.get(name) == version}
    return dict(ledger) | {
        name: Done(version, Status.DEPLOYED, served.deployment) for name, version in served_now.items()
    }


@dataclass(frozen=True)
class Verdict:
    """Why wishes came to nothing. `deployment` is empty when none was made."""

    status: Status
    reason: str
    deployment: str = ""


def failed(ledger: Ledger, changed: Mapping[str, str], served: Served, verdict: Verdict) -> dict[str, Done]:
    """The ledger after these wishes (name → version, or `NOWHERE`) came to nothing."""
    return dict(ledger) | {
        name: Done(version, verdict.status, verdict.deployment, verdict.reason, served.release)
        for name, version in changed.items()
    }


def changes(goal: Mapping[str, str], served: Served) -> dict[str, str]:
    """What is to change: the new version of a model, `NOWHERE` for one that is retired."""
    names = goal.keys() | served.models.keys()
    return {name: goal.get(name, NOWHERE) for name in sorted(names) if goal.get(name) != served.models.get(name)}


def ordered(goal: Mapping[str, str], default: str | None) -> list[str]:
    """`name/version` of each model, the default first: the present one while it is served, else the first by name."""
    names = sorted(goal, key=lambda name: (name != default, name))
    return [f"{name}/{goal[name]}" for name in names]


def labels(models: Mapping[str, str]) -> list[str]:
    return [f"{name}/{version}" for name, version in models.items()]


def tags(wanted: Mapping[str, str], served: Served, ledger: Ledger) -> dict[tuple[str, str], dict[str, str]]:
    """The tags of every version that has something to say: served ones, and those whose alias led to nothing."""
    result = {
        (name, version): _tags(Done(version, Status.DEPLOYED, served.deployment))
        for name, version in served.models.items()
    }
    for name, version in wanted.items():
        done = ledger.get(name)
        if done is not None and done.version == version and (name, version) not in result:
            result[name, version] = _tags(done)
    return result


def rolling(changed: Mapping[str, str]) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (name, version): _tags(Done(version, Status.ROLLING)) for name, version in changed.items() if version != NOWHERE
    }


def retired(served: Served) -> dict[str, str]:
    """The tags of a version that has left the fleet, with nobody's alias on it."""
    return _tags(Done(NOWHERE, Status.RETIRED, served.deployment, f"deployment {served.deployment} serves without it"))


def _tags(done: Done) -> dict[str, str]:
    return {"slipway.status": done.status.value, "slipway.deployment": done.deployment, "slipway.reason": done.reason}
