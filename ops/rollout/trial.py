"""A candidate on trial in the fleet: which one, how much traffic it gets, who said so. One object in the bucket.

It lies where nodes may read it, because a node asks it whether its own trial is still on. It is overwritten with none,
as the lock is, and it is over as soon as the pointer names something else than when it began.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from contract import ACTIVATE_EXIT, S3, TRIAL
from ops.errors import UserError
from ops.rollout.history import Kind, Outcome, identify
from ops.rollout.lock import Lock, Owner
from ops.rollout.objects import Objects
from ops.rollout.reach import Fleet, unsettled
from ops.store import Store

NONE = {"deployment": None}
KINDS = ("same", "different", "failed", "missing", "unchecked")
END = "`slipway promote --finish` gives it everything, `slipway promote --abort` ends it"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """`percent` of the predictions go to it, with 0 copies of them all; `answers` is how those compared in the bake."""

    deployment: str
    previous: str
    percent: int
    by: str
    reason: str
    since: str
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def traffic(self) -> str:
        return f"{self.percent}% of the predictions" if self.percent else "a copy of every prediction"

    def __str__(self) -> str:
        return f"deployment {self.deployment} gets {self.traffic} since {self.since}, by {self.by}"


def percentage(canary: str | None, *, shadow: bool) -> int | None:
    """What is asked for: a share in percent, 0 for a shadow, None for neither. Raises `UserError`."""
    if canary and shadow:
        raise UserError("a candidate gets a share or copies, not both", "--canary or --shadow")
    if canary is None:
        return 0 if shadow else None
    number = canary.strip().removesuffix("%").strip()
    if number.isdecimal() and int(number) in TRIAL.percents:
        return int(number)
    steps = ", ".join(f"{step}%" for step in TRIAL.percents)
    raise UserError(f"{canary!r} is no step", f"a share is one of {steps}")


def words(deployment: str, percent: int | None) -> list[str]:
    """How a node is told; none when nothing is on trial."""
    if percent is None:
        return []
    return ["share", deployment, str(percent)] if percent else ["shadow", deployment]


def read(at: Store) -> Trial | None:
    """What is on trial now."""
    found = _read(at)
    return found if found and found.previous == at.pointer() else None


def _read(at: Store) -> Trial | None:
    found = Objects(at).read(S3.trial)
    return Trial(**found.content) if found and found.content.get("deployment") else None


def required(at: Store) -> Trial:
    found = read(at)
    if found is None:
        raise UserError("no candidate is on trial", "`slipway promote NAME@ALIAS --canary 5%` begins with one")
    return found


def refuse_another(at: Store, deployment: str | None) -> None:
    """One that is on trial is finished or ended before anything else. Raises `UserError`."""
    found = read(at)
    if found and found.deployment != deployment:
        raise UserError(f"a trial is on: {found}", END)


def clear(at: Store) -> Trial | None:
    """Nothing is on trial any more; returns what was. Asks for no pointer: it matters most where none can be had."""
    found = _read(at)
    if found:
        Objects(at).put(S3.trial, NONE)
    return found


def keep(at: Store, rollout: str, percent: int, answers: Iterable[Mapping[str, Any] | None]) -> Trial:
    """The commit of a trial: from here on it stays. Raises `LostError`."""
    owner = Lock(at).renew(rollout)
    trial = Trial(
        deployment=owner.deployment,
        previous=owner.previous,
        percent=percent,
        by=owner.by,
        reason=owner.reason,
        since=owner.since,
        answers={} if percent else added(answers),
    )
    Objects(at).put(S3.trial, asdict(trial))
    return trial


def added(answers: Iterable[Mapping[str, Any] | None]) -> dict[str, int]:
    """The counts of all nodes together."""
    counted = [each for each in answers if each]
    return {kind: sum(int(each.get(kind, 0)) for each in counted) for kind in KINDS}


def in_words(answers: Mapping[str, int]) -> str:
    """`812 same, 3 different`; empty when nothing was compared."""
    return ", ".join(f"{answers[kind]} {kind}" for kind in KINDS if answers.get(kind))


def check(fleet: Fleet, deployment: str, previous: str, served: Sequence[str]) -> None:
    """Raises `UserError` when this deployment cannot be tried: there is nothing to try it beside, or on."""
    if not served:
        raise UserError("nothing is served yet that a candidate could be compared with", "promote it without a share")
    if deployment == previous:
        raise UserError(f"deployment {deployment} is what every node serves", "there is nothing to try")
    old = sorted(name for name, said in fleet.statuses().items() if said is not None and "trial" not in said)
    if old:
        raise UserError(
            f"{', '.join(old)}: files of an older Slipway, which knows no trials",
            "`ansible-playbook playbooks/site.yml` brings them up to date",
        )


def abort(at: Store, fleet: Fleet, by: str, reason: str) -> tuple[Trial | None, list[str]]:
    """All nodes at once serve what the pointer names and nothing else. Returns what was on trial, and the nodes that
    could not be told, which ask by themselves within minutes. Raises `LockedError`."""
    started, found = Objects(at).now(), read(at)
    pointer = at.pointer()
    deployment = found.deployment if found else pointer
    owner = Owner(
        rollout=identify(started, deployment),
        deployment=deployment,
        previous=pointer,
        kind=Kind.ABORT,
        by=by,
        reason=reason,
        since=started.isoformat(timespec="seconds"),
    )
    from ops.rollout import ending  # which ends trials itself

    lock = Lock(at)
    if lost := lock.take(owner):
        ending.write_interrupted(at, lost.owner, "its lock expired")
    try:
        clear(at)
        told = fleet.patiently("unshare", turn=lambda: lock.renew(owner.rollout))
        left = unsettled({name: each for name, each in told.items() if each.returncode != ACTIVATE_EXIT.usage})
        if found or any(each.ok for each in told.values()):
            why = f"not reached, they ask by themselves: {'; '.join(left)}" if left else ""
            ending.conclude(at, owner, Outcome.DONE, why, list(told))
    finally:
        lock.release(owner.rollout)
    return found, left
