"""Candidates in S3: what is missing, changed, unknown or already found right."""

from pathlib import Path

import pytest

from contract import S3
from ops import candidate, canonical, deployment
from ops.errors import UserError
from ops.store import Store
from tests.moto.local_api import LocalApi
from tests.moto.operator_rig import deployed, manifest, model, tar
from tests.unit.ops.test_candidate import Bounds


def test_a_candidate_whose_files_are_there_and_right_is_not_refused(at: Store) -> None:
    made = deployed(at, model(at))
    assert candidate.check(at, made, None, Bounds()) == []
    assert candidate.check(at, made, made, Bounds()) == []


def test_a_release_that_is_not_in_the_bucket_is_named(at: Store) -> None:
    made = deployment.publish(at, {**manifest(at, model(at)), "release": "0" * 64})
    (only,) = candidate.check(at, made, None, Bounds())
    assert f"the stack's bucket has no releases/{'0' * 64}.tar.zst" in str(only)


def test_a_model_that_was_changed_in_the_bucket_is_refused_also_after_it_was_found_right(
    at: Store, api: LocalApi
) -> None:
    entry = model(at)
    made = deployed(at, entry)
    assert candidate.check(at, made, None, Bounds()) == []
    api.s3.put_object(Bucket=at.bucket, Key=f"{S3.models}{entry['digest']}.tar", Body=tar(MLmodel="another"))
    (only,) = candidate.check(at, made, None, Bounds())
    assert (only.model, "is not what it is called" in only.reason) == ("iris/1", True)


def test_what_was_found_right_is_not_fetched_again(at: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = deployed(at, model(at))
    candidate.check(at, made, None, Bounds())
    fetched: list[str] = []

    def get(at: Store, key: str, place: Path) -> None:
        fetched.append(key)
        place.write_bytes(at._s3().get_object(Bucket=at.bucket, Key=key)["Body"].read())

    monkeypatch.setattr(Store, "get", get)
    assert candidate.check(at, made, None, Bounds()) == []
    assert fetched == []


def test_a_manifest_that_was_changed_by_hand_is_refused(at: Store, api: LocalApi) -> None:
    made = deployed(at, model(at))
    changed = canonical.json_bytes(manifest(at, model(at, version="2")))
    api.s3.put_object(Bucket=at.bucket, Key=f"{S3.deployments}{made}.json", Body=changed)
    with pytest.raises(UserError, match=f"the manifest of deployment {made} was changed"):
        candidate.check(at, made, None, Bounds())


def test_a_deployment_of_another_stack_is_not_known(at: Store) -> None:
    with pytest.raises(UserError, match="this stack has no deployment aaaaaaaaaaaa"):
        candidate.check(at, "aaaaaaaaaaaa", None, Bounds())


def test_how_long_it_took_lies_beside_the_manifest_and_counts(at: Store) -> None:
    made = deployment.publish(at, manifest(at, model(at)), {"iris/1": {"row_ms": 250.0}})
    assert made == deployment.publish(at, manifest(at, model(at)), {"iris/1": {"row_ms": 1.0}}), (
        "the id is the content's"
    )
    (only,) = candidate.check(at, made, None, Bounds(answer_milliseconds=100))
    assert "one row takes it 250 ms" in only.reason


def test_a_candidate_is_compared_with_what_is_served(at: Store) -> None:
    served = deployed(at, model(at, signature={"inputs": [{"name": "age", "type": "double"}]}))
    made = deployment.publish(at, manifest(at, model(at, version="2")))
    (only,) = candidate.check(at, made, served, Bounds())
    assert "input age is gone" in only.reason
