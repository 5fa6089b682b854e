"""What leaves the bucket and what stays, and that neither moves while a rollout is under way."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from moto.s3.models import s3_backends

from contract import S3
from ops import canonical, maintenance, prune, store
from ops.cli import main
from ops.rollout import keeper
from ops.rollout.history import History, Kind, Outcome, Record
from ops.rollout.lock import Lock, LockedError
from ops.rollout.objects import Objects
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi

OLD_DAYS = 100


class Past:
    """A bucket with a history: each deployment brought a model and, at times, a release."""

    def __init__(self, at: Store) -> None:
        self.at = at
        self.now = Objects(at).now()

    def deployment(self, release: str, *models: str) -> str:
        digests = [_digest(name) for name in models]
        entries = [{"name": name, "digest": digest} for name, digest in zip(models, digests, strict=True)]
        content = canonical.json_bytes({"schema": 1, "release": _digest(release), "models": entries})
        name = hashlib.sha256(content).hexdigest()[:12]
        self.at.put(f"{S3.deployments}{name}.json", content)
        self.at.put(f"{S3.deployments}{name}.measured.json", b"{}")
        self.at.put(f"{S3.releases}{_digest(release)}.tar.zst", b"release")
        for digest in digests:
            self.at.put(f"{S3.models}{digest}.tar", b"model")
        return name

    def brought(self, deployment: str, previous: str, days_ago: int, outcome: Outcome = Outcome.DONE) -> None:
        started = self.now - timedelta(days=days_ago)
        History(self.at).write(
            Record(
                rollout=f"{started:%Y%m%dT%H%M%SZ}-{deployment}",
                deployment=deployment,
                previous=previous,
                by="somebody",
                reason="because",
                started=started.isoformat(),
                seconds=1.0,
                outcome=outcome,
                kind=Kind.DEPLOY,
            )
        )

    def age(self) -> None:
        """Everything was written long ago."""
        for accounts in s3_backends.values():
            for backend in accounts.values():
                if self.at.bucket in backend.buckets:
                    for keys in backend.buckets[self.at.bucket].keys.values():
                        keys.last_modified -= timedelta(days=OLD_DAYS)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint}.items():
        monkeypatch.setenv(name, value)
    bucket, parameter = api.name("bucket"), f"/{api.name('deployment')}"
    api.s3.create_bucket(Bucket=bucket)
    api.ssm.put_parameter(Name=parameter, Type="String", Value="none")
    made = Store("us-east-1", bucket, parameter)
    monkeypatch.setattr(store, "current", lambda: made)
    monkeypatch.setattr(keeper, "start", lambda *_: None)
    return made


@pytest.fixture
def past(at: Store) -> dict[str, str]:
    """first (no model) ← a ← b ← c ← d, which is served; e was refused. All is old."""
    made = Past(at)
    names = {"first": made.deployment("r0")}
    for name, release in {"a": "r1", "b": "r1", "c": "r2", "d": "r2", "e": "r3"}.items():
        names[name] = made.deployment(release, f"model-{name}", "shared")
    before = "first"
    for number, name in enumerate("abcd"):
        made.brought(names[name], names[before], OLD_DAYS - number)
        before = name
    made.brought(names["e"], names["d"], OLD_DAYS - 10, Outcome.REFUSED)
    at.put(f"{S3.releases}{_digest('control')}.tar.zst", b"control")
    at.point(names["d"])
    made.age()
    return names


def keys(at: Store, *prefixes: str) -> set[str]:
    return {key for prefix in prefixes for key in Objects(at).keys(prefix)}


def test_what_no_rollback_can_want_goes_with_what_only_it_names(at: Store, past: dict[str, str]) -> None:
    found = prune.plan(at, keep=2, days=30)
    assert found.kept.keys() == {past[name] for name in ("first", "c", "d")}
    assert found.kept[past["d"]] == "is served"
    assert found.kept[past["c"]] == "was served before"
    before = keys(at, "")
    prune.remove(at, found.removed)
    gone = before - keys(at, "")
    manifests = {f"{S3.deployments}{past[name]}{end}" for name in "abe" for end in (".json", ".measured.json")}
    models = {f"{S3.models}{_digest(f'model-{name}')}.tar" for name in "abe"}
    assert gone == manifests | models | {f"{S3.releases}{_digest(name)}.tar.zst" for name in ("r1", "r3")}


def test_a_second_time_there_is_nothing_to_remove(at: Store, past: dict[str, str]) -> None:
    prune.remove(at, prune.plan(at, keep=2, days=30).removed)
    assert prune.plan(at, keep=2, days=30).removed == []


def test_what_recent_history_names_stays_though_it_is_old(at: Store, past: dict[str, str]) -> None:
    Past(at).brought(past["e"], past["a"], 3, Outcome.REVERTED)
    found = prune.plan(at, keep=2, days=30)
    assert {past["a"], past["e"]} <= found.kept.keys()
    assert past["b"] not in found.kept


def test_a_deployment_that_was_just_made_stays(at: Store, past: dict[str, str]) -> None:
    new = Past(at).deployment("r3", "model-new")
    found = prune.plan(at, keep=2, days=30)
    assert new in found.kept
    assert f"{S3.releases}{_digest('r3')}.tar.zst" not in {each.key for each in found.removed}, "it needs that release"


def test_nothing_is_removed_without_yes(at: Store, past: dict[str, str]) -> None:
    before = keys(at, "")
    listed = CliRunner().invoke(main, ["prune", "--keep", "2"], catch_exceptions=False)
    assert listed.exit_code == 0
    assert "--yes removes them" in listed.output
    assert past["a"] in listed.output
    assert keys(at, "") == before
    assert CliRunner().invoke(main, ["prune", "--keep", "2", "--yes"], catch_exceptions=False).exit_code == 0
    assert f"{S3.deployments}{past['a']}.json" not in keys(at, S3.deployments)
    assert Lock(at).read() is None


def test_nothing_is_removed_while_a_rollout_is_under_way(at: Store, past: dict[str, str]) -> None:
    before = keys(at, "")
    owner = maintenance.begin(at, 1)
    for words in (["prune", "--keep", "2"], ["prune", "--keep", "2", "--yes"]):
        refused = CliRunner().invoke(main, words)
        assert refused.exit_code != 0
        assert "a rollout is under way" in refused.output
    assert keys(at, S3.deployments, S3.models, S3.releases) <= before
    assert len(prune.plan(at, keep=2, days=30).removed) > 0, "there would have been something"
    maintenance.end(at, owner.rollout)


def test_maintenance_holds_the_lock_and_is_written_down_without_being_a_way_back(
    at: Store, past: dict[str, str]
) -> None:
    owner = maintenance.begin(at, 1)
    with pytest.raises(LockedError, match="maintenance of the nodes"):
        maintenance.begin(at, 1)
    maintenance.end(at, owner.rollout)
    record: Any = History(at).read(owner.rollout)
    assert (record.outcome, record.deployment, record.previous) == (Outcome.DONE, past["d"], past["d"])
    assert History(at).before(past["d"]) == past["c"], "a rollback goes where it went before"
