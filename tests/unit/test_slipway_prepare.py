"""Preparing a deployment beside what serves: what it brings, what is kept for it, and who waits for whom."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from slipway_node import fetch, main, prepare
from slipway_node.activation import Activation
from slipway_node.node import ActivationError, Node
from slipway_node.state import Placed, State

from ops import canonical, deployment
from tests.unit.slipway_rig import RELEASE, Bucket, bucket, manifest, node_below

HOLDER = """
import fcntl, os, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(folder, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return node_below(tmp_path)


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What systemd is told."""
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(prepare, "systemctl", lambda verb, unit, check=True: told.append((verb, unit)))
    return told


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another process has that folder for itself."""
    argv = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        process.kill()


def with_a_model(cloud: Bucket, release: str) -> tuple[str, str]:
    """A deployment with one model, in the bucket: its id, and the model's digest."""
    (cloud.folder / "model").mkdir()
    (cloud.folder / "model" / "MLmodel").write_text("flavors: {}\n")
    with (cloud.folder / "packed").open("wb") as file:
        digest = canonical.write_tar(cloud.folder / "model", file)
    (cloud.folder / "packed").rename(cloud.folder / "models" / f"{digest}.tar")
    content = manifest(release=release, models=[{"digest": digest}])
    (cloud.folder / "deployments" / f"{deployment.identify(content)}.json").write_bytes(content)
    return deployment.identify(content), digest


def test_preparing_brings_everything_and_compiles_in_a_unit_of_its_own(
    node: Node, tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    cloud, release, _ = bucket(tmp_path / "bucket")
    wanted, model = with_a_model(cloud, release)
    prepare.prepare(node, cloud, wanted)
    assert (node.releases / release / "src/app.py").exists()
    assert (node.models / model / "MLmodel").exists()
    assert (node.slots / wanted / "release").resolve() == node.releases / release, "the unit runs that release"
    assert calls == [("start", f"model-compile@{wanted}.service")]
    assert not node.state.exists(), "it promises nothing"


def test_without_models_there_is_nothing_to_compile(node: Node, tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    cloud, _, wanted = bucket(tmp_path / "bucket")
    prepare.prepare(node, cloud, wanted)
    assert calls == []


def test_models_that_do_not_compile_are_prepared_all_the_same(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(verb: str, unit: str, check: bool = True) -> None:
        raise RuntimeError(f"systemctl {verb} {unit}: Job failed")

    monkeypatch.setattr(prepare, "systemctl", fails)
    cloud, release, _ = bucket(tmp_path / "bucket")
    prepare.prepare(node, cloud, with_a_model(cloud, release)[0])
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said[-2:] == ["uncompiled", "prepared"]


def test_what_cannot_be_had_or_is_damaged_fails_as_an_activation_does(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, _, damaged = bucket(tmp_path / "bucket", release_name=RELEASE)
    monkeypatch.setattr(main.Node, "load", lambda: node)
    monkeypatch.setattr(main, "Cloud", lambda _: cloud)
    assert main.main(["prepare", damaged]) == node.exits["digest"]
    assert main.main(["prepare", "0123456789ab"]) == node.exits["fetch"]
    assert prepare.prepared(node) == [], "nothing is kept for what did not come"


def test_preparing_goes_on_while_an_activation_holds_its_lock(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, _, wanted = bucket(tmp_path / "bucket")
    monkeypatch.setattr(main.Node, "load", lambda: node)
    monkeypatch.setattr(main, "Cloud", lambda _: cloud)
    with main.state.locked(node.state):
        assert main.main(["prepare", wanted]) == node.exits["ok"]


def test_what_is_prepared_survives_pruning_until_it_is_confirmed(node: Node, tmp_path: Path) -> None:
    cloud, release, _ = bucket(tmp_path / "bucket")
    wanted, model = with_a_model(cloud, release)
    serving = manifest()
    confirmed = deployment.identify(serving)
    (node.deployments / f"{confirmed}.json").write_bytes(serving)
    prepare.prepare(node, cloud, wanted)
    activation = Activation(node, cloud)
    activation._prune(State(Placed(confirmed, "a"), None, [confirmed]))
    assert (node.releases / release).exists()
    assert (node.models / model).exists()
    activation._prune(State(Placed(wanted, "b"), None, [wanted]))
    assert prepare.prepared(node) == [], "its place among the slots is no longer needed"
    assert (node.models / model).exists()


def test_only_the_last_one_prepared_is_kept(node: Node, tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    cloud, release, first = bucket(tmp_path / "bucket")
    second, _ = with_a_model(cloud, release)
    prepare.prepare(node, cloud, first)
    prepare.prepare(node, cloud, second)
    assert prepare.prepared(node) == [second]
    assert ("stop", f"model-compile@{first}.service") in calls


def test_a_preparation_that_was_killed_is_begun_anew(node: Node, tmp_path: Path) -> None:
    cloud, release, wanted = bucket(tmp_path / "bucket")
    left = node.releases / f".{release}.partial"
    (left / "files" / "half").mkdir(parents=True)
    (left / "archive").write_bytes(b"half")
    (node.slots / wanted).mkdir()
    prepare.prepare(node, cloud, wanted)
    assert [path.name for path in (node.releases / release).iterdir()] == ["src"]
    assert not left.exists()
    assert (node.slots / wanted / "deployment.json").exists()


def test_pruning_removes_what_a_killed_one_left_and_nothing_that_somebody_fills(node: Node, tmp_path: Path) -> None:
    abandoned, filled = node.releases / ".old.partial", node.models / ".new.partial"
    abandoned.mkdir()
    filled.mkdir()
    with held(filled):
        Activation(node, Bucket(tmp_path))._prune(State())
    assert not abandoned.exists()
    assert filled.exists()


def test_who_wants_what_another_fetches_waits_for_it_and_fetches_nothing(node: Node, tmp_path: Path) -> None:
    cloud, release, wanted = bucket(tmp_path / "bucket")
    folder = node.releases / f".{release}.partial"
    folder.mkdir()
    with held(folder):
        activation = Thread(target=fetch.deployment, args=(node, Bucket(tmp_path / "empty"), wanted))
        (node.deployments / f"{wanted}.json").write_bytes(
            (cloud.folder / "deployments" / f"{wanted}.json").read_bytes()
        )
        activation.start()
        (node.releases / release).mkdir()
    activation.join(timeout=30)
    assert not activation.is_alive()
    assert (node.releases / release).is_dir()
    assert not folder.exists()


def test_a_manifest_that_is_none_is_not_kept(node: Node, tmp_path: Path) -> None:
    cloud, _, wanted = bucket(tmp_path / "bucket")
    (cloud.folder / "deployments" / f"{wanted}.json").write_bytes(b"{}")
    with pytest.raises(ActivationError) as failure:
        prepare.prepare(node, cloud, wanted)
    assert failure.value.exit_name == "digest"
    assert list(node.deployments.iterdir()) == []
