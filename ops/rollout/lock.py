"""One rollout at a time in a stack: an object in the bucket that says who rolls what, since when and why.

Every write is on the condition that the object is still what was read, so two takers never both succeed. A release
overwrites it with an owner of none instead of deleting it: a deletion has no condition to hold it back. Who dies stops
renewing it, and after `EXPIRY_SECONDS` by S3's own clock the next one takes it over.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from contract import S3
from ops.errors import UserError
from ops.rollout.objects import Document, Object, Objects
from ops.store import Store

EXPIRY_SECONDS = 60
RENEWAL_SECONDS = 15
FENCED = "+settling"
WORDS = {"rollback": "rolls back to", "trial": "tries", "abort": "ends the trial of"}
ATTEMPTS = 5
"""A holder's own keeper may renew between a read and a write of the holder's."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """`rollout` identifies it, `by` and `reason` are for people, `since` is ISO 8601 by S3's clock."""

    rollout: str
    deployment: str
    previous: str
    kind: str
    by: str
    reason: str
    since: str


@dataclass(frozen=True)
class Held:
    owner: Owner
    age_seconds: float
    """Since it was last renewed."""

    @property
    def expired(self) -> bool:
        return self.age_seconds > EXPIRY_SECONDS

    def __str__(self) -> str:
        owner = self.owner
        what = WORDS.get(owner.kind, "rolls out")
        renewed = f"last renewed {self.age_seconds:.0f} s ago"
        return f"{owner.by} {what} deployment {owner.deployment} since {owner.since} ({owner.reason}; {renewed})"


class LockedError(UserError):
    """Another rollout is under way."""

    def __init__(self, held: Held) -> None:
        super().__init__(
            f"a rollout is under way: {held}",
            "wait for it, or if its owner is gone for good: `slipway lock break`",
        )
        self.held = held


class LostError(UserError):
    """The lock is no longer this rollout's."""

    def __init__(self, rollout: str, held: Held | None) -> None:
        whose = f"it is {held.owner.by}'s now" if held else "it was broken or has been released"
        super().__init__(
            f"rollout {rollout} has lost its lock: {whose}", "nothing more is changed; see `slipway history`"
        )


class Lock:
    def __init__(self, at: Store) -> None:
        self._objects = Objects(at)

    def read(self) -> Held | None:
        """Who has it, also when that has expired; None when nobody has."""
        return _held(self._objects.read(S3.lock))

    def take(self, owner: Owner) -> Held | None:
        """Makes it `owner`'s. Returns whose expired lock was taken over, if one was. Raises `LockedError`."""
        found = self._objects.read(S3.lock)
        before = _held(found)
        if before and not before.expired:
            raise LockedError(before)
        if not self._objects.write(S3.lock, asdict(owner), found):
            if faster := self.read():
                raise LockedError(faster)
            return self.take(owner)
        return before

    def renew(self, rollout: str) -> Owner:
        """Makes it young again. Raises `LostError` when it is no longer this rollout's; its owner else."""
        return self._rewrite(rollout, asdict)

    def fence(self, rollout: str) -> Owner:
        """Takes it from a rollout on its own behalf: what still runs of it finds the lock lost. Raises `LostError`."""
        owner = self._rewrite(rollout, lambda owner: {**asdict(owner), "rollout": f"{rollout}{FENCED}"})
        return replace(owner, rollout=f"{rollout}{FENCED}")

    def check(self, rollout: str) -> Owner:
        """Raises `LostError` when it is no longer this rollout's, or has expired."""
        held = self.read()
        if held is None or held.owner.rollout != rollout or held.expired:
            raise LostError(rollout, held if held and held.owner.rollout != rollout else None)
        return held.owner

    def release(self, rollout: str) -> None:
        """Gives it up. Again, or when it was lost meanwhile, is fine."""
        try:
            self._rewrite(rollout, lambda _: {"rollout": None})
        except LostError:
            return

    def break_(self) -> Held | None:
        """Takes it from whoever has it, on purpose; returns who had. Its rollout stops at its next step."""
        for _ in range(ATTEMPTS):
            found = self._objects.read(S3.lock)
            held = _held(found)
            if held is None or self._objects.write(S3.lock, {"rollout": None}, found):
                return held
        raise UserError("the lock changes under our hands", "try again")

    def _rewrite(self, rollout: str, content: Callable[[Owner], Document]) -> Owner:
        for _ in range(ATTEMPTS):
            found = self._objects.read(S3.lock)
            held = _held(found)
            if held is None or held.owner.rollout != rollout:
                raise LostError(rollout, held)
            if self._objects.write(S3.lock, content(held.owner), found):
                return held.owner
        raise LostError(rollout, self.read())


def _held(found: Object | None) -> Held | None:
    if found is None or not found.content.get("rollout"):
        return None
    return Held(Owner(**found.content), found.age_seconds)
