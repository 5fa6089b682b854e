"""The rollout's lock, history and pointer pair against S3's conditions and its clock."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from moto.s3.models import s3_backends

from contract import S3
from ops.errors import UserError
from ops.rollout.history import History, Kind, Outcome, Record, identify
from ops.rollout.lock import EXPIRY_SECONDS, Lock, LockedError, LostError, Owner
from ops.rollout.objects import Objects
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi

MINE = Owner(
    rollout="20260102T030405Z-aaaaaaaaaaaa",
    deployment="aaaaaaaaaaaa",
    previous="000000000000",
    kind="deploy",
    by="ada@desk",
    reason="diabetes@champion",
    since="2026-01-02T03:04:05Z",
)
THEIRS = replace(MINE, rollout="20260102T030406Z-bbbbbbbbbbbb", deployment="bbbbbbbbbbbb", by="bob@lab")


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint}.items():
        monkeypatch.setenv(name, value)
    bucket = api.name("rollouts")
    api.s3.create_bucket(Bucket=bucket)
    return Store("us-east-1", bucket, f"/{bucket}/deployment")


def grow_old(at: Store, seconds: float) -> None:
    """As if nobody had renewed it for that long, by S3's clock."""
    for account in s3_backends.values():
        for backend in account.values():
            if at.bucket in backend.buckets:
                key = backend.get_object(at.bucket, S3.lock)
                key.last_modified -= timedelta(seconds=seconds)
                return
    raise AssertionError(at.bucket)


def test_a_second_rollout_is_told_who_rolls_what_since_when(at: Store) -> None:
    Lock(at).take(MINE)
    with pytest.raises(LockedError) as refused:
        Lock(at).take(THEIRS)
    for said in (MINE.by, MINE.deployment, MINE.since, MINE.reason):
        assert said in str(refused.value)
    assert Lock(at).check(MINE.rollout) == MINE


def test_the_time_is_s3s_own_whether_the_lock_is_held_or_not(at: Store) -> None:
    before = Objects(at).now()
    Lock(at).take(MINE)
    assert timedelta() <= Objects(at).now() - before < timedelta(minutes=1)
    assert abs(before - datetime.now(UTC)) < timedelta(minutes=1)


def test_of_many_that_take_it_at_once_one_has_it(at: Store) -> None:
    owners = [replace(MINE, rollout=f"r{number}", by=f"operator {number}") for number in range(8)]
    winners, start = [], threading.Barrier(len(owners))

    def take(owner: Owner) -> None:
        start.wait()
        try:
            Lock(at).take(owner)
        except LockedError:
            return
        winners.append(owner)

    threads = [threading.Thread(target=take, args=[owner]) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    assert Lock(at).check(winners[0].rollout) == winners[0]


def test_what_is_released_can_be_taken_again(at: Store) -> None:
    Lock(at).take(MINE)
    Lock(at).release(MINE.rollout)
    assert Lock(at).read() is None
    assert Lock(at).take(THEIRS) is None
    Lock(at).release(MINE.rollout)
    assert Lock(at).check(THEIRS.rollout) == THEIRS


def test_a_lock_that_is_renewed_does_not_expire(at: Store) -> None:
    lock = Lock(at)
    lock.take(MINE)
    grow_old(at, EXPIRY_SECONDS - 5)
    lock.renew(MINE.rollout)
    grow_old(at, EXPIRY_SECONDS - 5)
    with pytest.raises(LockedError):
        lock.take(THEIRS)


def test_an_expired_lock_is_taken_over_and_its_owner_learns_of_it(at: Store) -> None:
    lock = Lock(at)
    lock.take(MINE)
    grow_old(at, EXPIRY_SECONDS + 5)
    with pytest.raises(LostError):
        lock.check(MINE.rollout)
    taken = lock.take(THEIRS)
    assert taken is not None
    assert taken.owner == MINE
    with pytest.raises(LostError, match=re_by(THEIRS)):
        lock.renew(MINE.rollout)


def re_by(owner: Owner) -> str:
    return owner.by.replace(".", r"\.")


def test_a_broken_lock_is_free_and_says_who_had_it(at: Store) -> None:
    lock = Lock(at)
    assert lock.break_() is None
    lock.take(MINE)
    broken = lock.break_()
    assert broken is not None
    assert broken.owner == MINE
    with pytest.raises(LostError):
        lock.check(MINE.rollout)
    lock.take(THEIRS)


def record(minute: int, deployment: str, previous: str, outcome: Outcome = Outcome.DONE, **more: object) -> Record:
    started = datetime(2026, 1, 2, 3, minute, tzinfo=UTC)
    about = {"by": "ada@desk", "reason": "", "started": started.isoformat(), "seconds": 1.5, **more}
    rollout = identify(started, deployment)
    return Record(rollout=rollout, deployment=deployment, previous=previous, outcome=outcome, **about)  # type: ignore[arg-type]


def test_a_record_is_written_once_and_read_as_it_was(at: Store) -> None:
    history, first = History(at), record(1, "a", "0", nodes=["serving-i-1"], why="all well")
    assert history.write(first)
    assert not history.write(replace(first, why="another story"))
    assert history.read(first.rollout) == first
    assert history.read("20200101T000000Z-a") is None


def test_the_newest_comes_first_and_the_lock_is_no_record(at: Store) -> None:
    Lock(at).take(MINE)
    records = [record(minute, f"{minute:x}", "0") for minute in range(4)]
    for each in records:
        History(at).write(each)
    assert list(History(at).newest_first()) == records[::-1]


def test_a_rollback_goes_to_what_was_served_before_and_then_further_back(at: Store) -> None:
    history = History(at)
    history.write(record(1, "a", "0"))
    history.write(record(2, "b", "a"))
    history.write(record(3, "c", "b", Outcome.RETURNED))
    assert history.before("b") == "a"
    history.write(record(4, "a", "b", kind=Kind.ROLLBACK))
    assert history.before("a") == "0"


def test_without_anything_before_there_is_nothing_to_go_back_to(at: Store) -> None:
    with pytest.raises(UserError, match="nothing to go back to"):
        History(at).before("a")
