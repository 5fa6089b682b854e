"""Rollouts that never were: their records, as the watcher finds them in the bucket, and its end in mid-rollout."""

from ops.rollout.history import Outcome, Record


class Killed(BaseException):
    """The watcher ends here, as by SIGKILL."""


def record(number: int, deployment: str, outcome: Outcome, *, previous: str, by: str) -> Record:
    return Record(
        rollout=f"2026010{number}T000000Z-{deployment}",
        deployment=deployment,
        previous=previous,
        by=by,
        reason="",
        started="",
        seconds=1.0,
        outcome=outcome,
        why="" if outcome is Outcome.DONE else "the canary failed its requests",
    )
