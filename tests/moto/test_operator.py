"""The operator's verbs against S3, SSM and EC2: candidates, kept models, lock, pauses, history, and a whole status."""

import json
import os
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import contract
from contract import S3
from ops import (
    candidate,
    canonical,
    compiling,
    deployment,
    environments,
    evidence,
    growing,
    hostkeys,
    promotion,
    release,
    store,
)
from ops.cli import main
from ops.deployment import Version
from ops.errors import NotNowError, RefusedError, UserError
from ops.rollout import settings
from ops.rollout.history import History, Kind, Outcome, Record
from ops.rollout.lock import Lock
from ops.rollout.settings import parsed
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import IMAGE, LocalApi
from tests.moto.test_rollout_objects import MINE
from tests.unit.ops.test_candidate import Bounds
from tests.unit.ops.test_status import said
from tests.unit.test_rollout_settings import OUTPUT


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SLIPWAY_STACK", "moto")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    bucket = api.name("operator")
    api.s3.create_bucket(Bucket=bucket)
    found = Store("us-east-1", bucket, f"/{bucket}/deployment")
    api.client("ssm").put_parameter(Name=found.deployment_parameter, Value="none", Type="String")
    monkeypatch.setattr(store, "current", lambda: found)
    monkeypatch.setattr(store, "outputs", dict)
    return found


def tar(**files: str) -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))
    return content.getvalue()


def put_archive(at: Store, prefix: str, suffix: str, content: bytes) -> str:
    digest = canonical.sha256(content)
    at.put(f"{prefix}{digest}{suffix}", content)
    return digest


def model(at: Store, name: str = "iris", version: str = "1", **more: Any) -> dict[str, Any]:
    digest = put_archive(at, S3.models, ".tar", tar(MLmodel=f"{name} {version}"))
    answers = {"expected": {"input": {}, "output": {}}, "signature": {"inputs": []}}
    return {"name": name, "version": version, "digest": digest, "default": True, **answers, **more}


def manifest(at: Store, *models: dict[str, Any], code: str = "server") -> dict[str, Any]:
    digest = put_archive(at, S3.releases, ".tar.zst", tar(code=code))
    return {"schema": 1, "release": digest, "models": list(models)}


def deployed(at: Store, *models: dict[str, Any], code: str = "server") -> str:
    made = deployment.publish(at, manifest(at, *models, code=code))
    at.point(made)
    return made


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


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Deployments are made without MLflow and without a release's Python: what was asked anew is listed."""
    asked: list[str] = []

    def entry(at: Store, version: Version, *_: Any, measured: dict[str, Any], mode: str) -> dict[str, Any]:
        asked.append(f"new {version.label}" + (f" {mode}" if mode != "auto" else ""))
        measured[version.label] = {"row_ms": 1.0}
        return {key: value for key, value in model(at, version.name, version.version).items() if key != "default"}

    def expectation(label: str, _: Path, files: Path, known: Path | None = None) -> tuple[Any, dict[str, float]]:
        asked.append(f"again {label} {(files / 'MLmodel').read_text()}")
        answer = {"input": {}, "output": {"by": "the new release"}}
        return ({"expected": answer, "golden": answer} if known else answer), {"row_ms": 2.0}

    monkeypatch.setattr(deployment, "make_entry", entry)
    monkeypatch.setattr(deployment, "expectation", expectation)
    monkeypatch.setattr(compiling, "decide", lambda *_: {"native": {"reason": "nobody asked"}})
    monkeypatch.setattr(release, "unpacked", lambda *_: tmp_path)
    monkeypatch.setattr(environments, "fit", lambda *_: (None, []))
    return asked


def plan(at: Store, *versions: Version, code: str | None = None) -> promotion.Plan:
    current = at.manifest(at.pointer())
    return promotion.Plan(versions, current, code or current["release"])


def test_a_promotion_keeps_the_other_models_as_they_are(at: Store, maker: list[str]) -> None:
    wine = model(at, "wine", "7", default=False)
    deployed(at, model(at), wine)
    made = promotion.make(at, plan(at, Version("iris", "2", None, "")))
    models = at.manifest(made)["models"]
    assert [(each["name"], each["version"], each["default"]) for each in models] == [
        ("iris", "2", True),
        ("wine", "7", False),
    ]
    assert models[1] == wine
    assert maker == ["new iris/2"]
    assert candidate.measurements(at, made) == {"iris/2": {"row_ms": 1.0}}


def test_a_model_that_is_new_comes_last_and_is_the_default_only_when_alone(at: Store, maker: list[str]) -> None:
    deployed(at)
    first = promotion.make(at, plan(at, Version("iris", "1", None, "")))
    at.point(first)
    models = at.manifest(promotion.make(at, plan(at, Version("wine", "1", None, ""))))["models"]
    assert [(each["name"], each["default"]) for each in models] == [("iris", True), ("wine", False)]


def test_with_another_release_each_kept_model_is_asked_anew_from_the_bucket(at: Store, maker: list[str]) -> None:
    golden = {"input": {}, "targets": [1], "output": {"by": "the old release"}}
    deployed(at, model(at, golden=golden))
    other = put_archive(at, S3.releases, ".tar.zst", tar(code="other"))
    made = at.manifest(promotion.make(at, plan(at, code=other)))
    assert made["release"] == other
    assert made["models"][0]["golden"]["output"] == {"by": "the new release"}
    assert maker == ["again iris/1 iris 1"]


def test_what_an_alias_says_is_served_alone_in_its_order(at: Store, maker: list[str]) -> None:
    deployed(at, model(at, "old", "1"), model(at, "iris", "1", default=False))
    wanted = replace(plan(at, Version("wine", "7", None, ""), Version("iris", "1", None, "")), alone=True)
    models = at.manifest(promotion.make(at, wanted))["models"]
    assert [(each["name"], each["default"]) for each in models] == [("wine", True), ("iris", False)]
    assert maker == ["new wine/7"], "what is served already is not asked anew"


def test_how_a_version_is_served_is_decided_again_only_where_that_is_asked_for(at: Store, maker: list[str]) -> None:
    deployed(at, model(at, native={"reason": compiling.NEVER}), model(at, "wine", "7", default=False, compiled={}))
    same, other = Version("iris", "1", None, ""), Version("wine", "7", None, "")
    expected: list[tuple[compiling.Mode | None, list[str]]] = [
        (None, []),
        ("never", ["new wine/7 never"]),
        ("auto", ["new iris/1"]),
    ]
    for mode, asked in expected:
        maker.clear()
        promotion.make(at, replace(plan(at, same, other), mode=mode))
        assert maker == asked, mode


def test_the_alias_that_a_version_is_known_by_is_in_the_manifest_also_of_one_that_is_served(
    at: Store, maker: list[str]
) -> None:
    deployed(at, model(at), model(at, "wine", "7", default=False, alias="champion"))
    named = [Version("iris", "1", None, "", "champion"), Version("wine", "7", None, "")]
    models = at.manifest(promotion.make(at, replace(plan(at, *named), alone=True)))["models"]
    assert [each["alias"] for each in models] == ["champion", "champion"]
    assert maker == []


def test_a_version_stays_the_one_that_is_named_wherever_its_alias_is_by_now(monkeypatch: pytest.MonkeyPatch) -> None:
    class Registry:
        def get_model_version(self, name: str, version: str) -> SimpleNamespace:
            return SimpleNamespace(name=name, version=version, run_id="", source="s3://there", tags={})

        def get_model_version_by_alias(self, name: str, alias: str) -> SimpleNamespace:
            return self.get_model_version(name, "5")

    monkeypatch.setattr("mlflow.MlflowClient", Registry)
    for named, version, alias in (
        ("iris/4@champion", "4", "champion"),
        ("iris@champion", "5", "champion"),
        ("iris/4", "4", None),
    ):
        found = deployment.resolve(named)
        assert (found.label, found.alias) == (f"iris/{version}", alias)
    with pytest.raises(UserError, match="'iris' names no model version"):
        deployment.resolve("iris")


@pytest.mark.parametrize(
    ("why", "raised"),
    [
        (NotNowError("the index https://packages.example cannot be read: no route to host"), NotNowError),
        (UserError("a package has no wheel for the nodes"), RefusedError),
    ],
)
def test_a_release_that_cannot_be_built_is_refused_or_tried_again_by_what_is_in_the_way(
    at: Store, maker: list[str], monkeypatch: pytest.MonkeyPatch, why: UserError, raised: type[UserError]
) -> None:
    deployed(at, model(at))
    asked: list[str] = []

    def lacking(*_: Any, **__: Any) -> dict[str, Any]:
        raise evidence.MismatchError("iris", "iris/2 wants trees==2, the release has no trees")

    def build(at: Store, wishes: Any, digest: str, progress: Any) -> Any:
        asked.append(digest)
        raise why

    monkeypatch.setattr(deployment, "make_entry", lacking)
    monkeypatch.setattr(deployment, "download", lambda version, place: place)
    monkeypatch.setattr(growing, "build", build)
    wanted = plan(at, Version("iris", "2", None, ""))
    with pytest.raises(raised) as caught:
        promotion.make(at, wanted, build=True)
    assert type(caught.value) is raised
    assert caught.value.message.startswith("iris/2 wants trees==2, the release has no trees; no release can be built")
    assert caught.value.message.endswith(why.message)
    assert asked == [wanted.release], "it is made from the release that the fleet has"
    assert at.pointer() == deployed(at, model(at)), "nothing has changed"


def test_a_new_version_without_an_example_is_refused_unless_the_setting_allows_it(
    at: Store, maker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = model(at, "wine", "7", expected=None)
    deployed(at, kept)

    def entry(at: Store, version: Version, *_: Any, **__: Any) -> dict[str, Any]:
        return {key: value for key, value in model(at, version="2").items() if key != "expected"}

    monkeypatch.setattr(deployment, "make_entry", entry)
    wanted = plan(at, Version("iris", "2", None, ""))
    with pytest.raises(RefusedError, match="model iris/2 has no input example") as refused:
        promotion.make(at, wanted)
    assert refused.value.model == "iris"
    made = promotion.make(at, replace(wanted, require_example=False))
    assert [each["name"] for each in at.manifest(made)["models"]] == ["wine", "iris"]
    allowing = Bounds(require_example=False)
    assert candidate.check(at, made, None, allowing) == []
    assert "iris/2: whether it answers rightly (it has no input example)" in candidate.unchecked(at.manifest(made))


def test_a_deployment_by_hand_has_exactly_the_models_that_are_named(
    at: Store, maker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(at, model(at), model(at, "old", "1", default=False))
    known = {"wine/7": Version("wine", "7", None, ""), "iris@champion": Version("iris", "1", None, "", "champion")}
    monkeypatch.setattr(deployment, "resolve", known.get)
    monkeypatch.setattr(settings, "current", lambda: parsed(OUTPUT))
    made = json.loads(invoke("deployment", "make", "wine/7", "iris@champion"))["id"]
    assert json.loads(invoke("deployment", "make", "wine/7", "iris@champion"))["id"] == made
    models = at.manifest(made)["models"]
    assert [(each["name"], each["default"]) for each in models] == [("wine", True), ("iris", False)]
    assert at.pointer() != made


def test_a_mismatch_is_refused_unless_a_release_may_be_built(
    at: Store, maker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployed(at, model(at))
    other = put_archive(at, S3.releases, ".tar.zst", tar(code="built"))

    def entry(at: Store, version: Version, *_: Any, measured: dict[str, Any], mode: str) -> dict[str, Any]:
        if not built:
            raise evidence.MismatchError("iris", "iris/2 wants numpy==1, the release has numpy 2")
        return {key: value for key, value in model(at, version="2").items() if key != "default"}

    built: list[promotion.Plan] = []
    monkeypatch.setattr(deployment, "make_entry", entry)

    def release_for(at: Store, wanted: promotion.Plan, _: Any) -> str:
        built.append(wanted)
        return other

    monkeypatch.setattr(promotion, "release_for", release_for)
    wanted = plan(at, Version("iris", "2", None, ""))
    with pytest.raises(RefusedError, match="wants numpy==1"):
        promotion.make(at, wanted)
    assert at.pointer() == old
    assert at.manifest(promotion.make(at, wanted, build=True))["release"] == other


def test_where_no_release_can_be_built_the_model_is_refused_for_both_reasons(
    at: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deployed(at)

    def mismatch(*_: Any, **__: Any) -> None:
        raise evidence.MismatchError("iris", "iris/2 wants numpy==1, the release has numpy 2")

    def nowhere(*_: Any) -> None:
        raise UserError("uv is not on PATH")

    monkeypatch.setattr(release, "unpacked", lambda *_: tmp_path)
    monkeypatch.setattr(deployment, "make_entry", mismatch)
    monkeypatch.setattr(promotion, "release_for", nowhere)
    with pytest.raises(RefusedError, match=r"wants numpy==1.*no release can be built that has it: uv is not") as caught:
        promotion.make(at, plan(at, Version("iris", "2", None, "")), build=True)
    assert caught.value.model == "iris"


def invoke(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout


def test_a_pause_says_who_since_when_and_why_until_it_is_resumed(at: Store) -> None:
    assert invoke("pause", "--reason", "the campaign") == "paused\n"
    again = invoke("pause", "--reason", "another")
    assert again.startswith("paused already by ")
    assert again.endswith(": the campaign\n")
    assert invoke("resume").endswith(": the campaign\n")
    assert invoke("resume") == "it was not paused\n"


def test_the_lock_is_shown_and_broken(at: Store) -> None:
    assert invoke("lock", "show") == "nobody holds it\n"
    Lock(at).take(MINE)
    assert MINE.by in invoke("lock", "show", status=1)
    assert json.loads(invoke("lock", "show", "--json", status=1))["held"]["rollout"] == MINE.rollout
    assert MINE.deployment in invoke("lock", "break")
    assert invoke("lock", "break") == "nobody held it\n"


def record(deployment_id: str, previous: str, **more: Any) -> Record:
    given = Record(
        rollout=f"20260102T030405Z-{deployment_id}",
        deployment=deployment_id,
        previous=previous,
        by="ada@desk",
        reason="promote iris/2",
        started="2026-01-02T03:04:05+00:00",
        seconds=61.0,
        outcome=Outcome.DONE,
    )
    return replace(given, **more)


def test_the_history_is_a_table_or_json(at: Store) -> None:
    assert invoke("history") == ""
    History(at).write(record("a" * 12, "b" * 12))
    refused = record("c" * 12, "a" * 12, rollout="20260103T030405Z-cccccccccccc", outcome=Outcome.REFUSED)
    History(at).write(replace(refused, why="it breaks\nits callers", kind=Kind.DEPLOY))
    _, newest, oldest = invoke("history").splitlines()
    assert "cccccccccccc" in newest
    assert newest.endswith("refused  it breaks its callers")
    assert "aaaaaaaaaaaa" in oldest
    assert "61 s" in oldest
    (only,) = json.loads(invoke("history", "-n", "1", "--json"))
    assert (only["outcome"], only["why"]) == ("refused", "it breaks\nits callers")


def test_a_difference_is_between_ids_or_places(at: Store) -> None:
    old = deployed(at, model(at, metrics={"rmse": 2.0}))
    new = deployed(at, model(at, version="2", metrics={"rmse": 1.0}))
    History(at).write(record(new, old))
    shown = invoke("diff", "previous", "current", status=1)
    assert [line.split() for line in shown.splitlines() if line.startswith("metric")] == [
        ["metric", "iris", "rmse", "2", "1"]
    ]
    assert invoke("diff", new, "current") == "no difference\n"
    assert {change["what"] for change in json.loads(invoke("diff", old, new, "--json", status=1))} == {
        "model",
        "metric",
    }


@pytest.fixture
def fleet(api: LocalApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two serving nodes, and in place of ssh a program that prints what each is to answer: by id, the file of that."""
    tags = {contract.TAGS.stack: "moto", contract.TAGS.role: "serving"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = api.client("ec2").run_instances(
        ImageId=IMAGE,
        InstanceType="t3.micro",
        MinCount=2,
        MaxCount=2,
        TagSpecifications=[{"ResourceType": "instance", "Tags": listed}],
    )
    api.turn()
    ids = [each["InstanceId"] for each in made["Instances"]]
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor word; do case $word in admin@*) cat "{tmp_path}/${{word#admin@}}";; esac; done\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(hostkeys, "pinned", lambda *_: True)
    return {identity: tmp_path / identity for identity in ids}


def test_a_status_agrees_when_every_node_and_worker_does(at: Store, api: LocalApi, fleet: dict[str, Path]) -> None:
    entry = model(at, version="2")
    made = deployed(at, entry)
    right = said(made)
    right["server"]["version"]["models"][0]["digest"] = entry["digest"]
    for file in fleet.values():
        file.write_text(json.dumps(right))
    try:
        found = json.loads(invoke("status", "--json"))
        assert (found["agrees"], found["problems"], found["deployment"]) == (True, [], made)
        assert [node["id"] for node in found["nodes"]] == sorted(fleet)
        assert found["nodes"][0]["workers"][0]["models"][0]["form"] == "compiled"
        assert found["registry_error"] == "MLFLOW_TRACKING_URI names no server"
        broken, file = next(iter(fleet.items()))
        file.unlink()
        assert f"serving-{broken}: " in invoke("status", status=1)
    finally:
        api.client("ec2").terminate_instances(InstanceIds=list(fleet))
