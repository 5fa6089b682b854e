"""Plans of deployments in S3: which models are kept, asked anew, named or refused."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contract import S3
from ops import candidate, compiling, deployment, environments, evidence, growing, promotion, release
from ops.deployment import Version
from ops.errors import NotNowError, RefusedError, UserError
from ops.rollout import settings
from ops.rollout.settings import parsed
from ops.store import Store
from tests.moto.operator_rig import deployed, invoke, model, put_archive, tar
from tests.unit.ops.test_candidate import Bounds
from tests.unit.test_rollout_settings import OUTPUT


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
