"""What two deployments differ in."""

from typing import Any

from ops.difference import Change, changes
from tests.unit.ops.test_signature import AGE, SEX, of


def model(version: str, **more: Any) -> dict[str, Any]:
    return {"name": "iris", "version": version, "digest": version * 64, "default": True, **more}


def manifest(*models: dict[str, Any], release: str = "a" * 64) -> dict[str, Any]:
    return {"schema": 1, "release": release, "models": list(models)}


def between(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    return changes(manifest(old), manifest(new), ({}, {}))


def test_a_deployment_does_not_differ_from_itself() -> None:
    assert between(model("1"), model("1")) == []


def test_a_version_its_metrics_parameters_and_requirements() -> None:
    old = model("1", metrics={"rmse": 1.5, "gone": 1.0}, parameters={"trees": "10"}, requirements=["numpy==2.4.5"])
    new = model("2", metrics={"rmse": 1.25}, parameters={"trees": "20"}, requirements=["numpy==2.4.6"])
    assert between(old, new) == [
        Change("model", "iris", "1 (11111111)", "2 (22222222)"),
        Change("metric", "iris gone", "1", ""),
        Change("metric", "iris rmse", "1.5", "1.25"),
        Change("parameter", "iris trees", "10", "20"),
        Change("requirement", "iris numpy", "2.4.5", "2.4.6"),
    ]


def test_a_signature_and_whether_it_breaks_callers() -> None:
    found = between(model("1", signature=of(AGE)), model("1", signature=of(AGE, SEX)))
    assert [(change.what, change.after) for change in found] == [
        ("signature", "input sex: new, double"),
        ("breaking", "input sex is new and required"),
    ]


def test_models_that_come_and_go() -> None:
    wine = {**model("7"), "name": "wine", "default": False}
    assert changes(manifest(model("1"), wine), manifest(model("1")), ({}, {})) == [
        Change("model", "wine", "7 (77777777)", "")
    ]


def test_packages_of_the_releases() -> None:
    packages = ({"numpy": "2.4.5", "six": "1"}, {"numpy": "2.4.6", "six": "1", "torch": "2.9.0"})
    assert changes(manifest(), manifest(release="b" * 64), packages) == [
        Change("release", "", "a" * 12, "b" * 12),
        Change("package", "numpy", "2.4.5", "2.4.6"),
        Change("package", "torch", "", "2.9.0"),
    ]
