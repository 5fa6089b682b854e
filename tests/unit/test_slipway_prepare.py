"""Preparing a deployment beside what serves: what it brings, what is kept for it, and who waits for whom."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from slipway_node import fetch, main, prepare, slots, state
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


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another process has that folder for itself."""
    argv = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        process.kill()


def with_a_model(cloud: Bucket, release: str, **entry: Any) -> tuple[str, str]:
    """A deployment with one model, in the bucket: its id, and the model's digest."""
    (cloud.folder / "model").mkdir()
    (cloud.folder / "model" / "MLmodel").write_text("flavors: {}\n")
    with (cloud.folder / "packed").open("wb") as file:
        digest = canonical.write_tar(cloud.folder / "model", file)
    (cloud.folder / "packed").rename(cloud.folder / "models" / f"{digest}.tar")
    content = manifest(release=release, models=[{"digest": digest, **entry}])
    (cloud.folder / "deployments" / f"{deployment.identify(content)}.json").write_bytes(content)
    return deployment.identify(content), digest


def test_preparing_brings_everything_and_starts_nothing(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "systemctl", None)  # calling it fails
    cloud, release, _ = bucket(tmp_path / "bucket")
    wanted, model = with_a_model(cloud, release)
    prepare.prepare(node, cloud, wanted)
    assert (node.releases / release / "src/app.py").exists()
    assert (node.models / model / "MLmodel").exists()
    assert not node.state.exists(), "it promises nothing"


def test_a_compiled_model_comes_with_its_original_and_stays_with_it(node: Node, tmp_path: Path) -> None:
    cloud, release, _ = bucket(tmp_path / "bucket")
    (cloud.folder / "compiled").mkdir()
    (cloud.folder / "compiled" / "model.onnx").write_bytes(b"onnx")
    with (cloud.folder / "packed").open("wb") as file:
        compiled = canonical.write_tar(cloud.folder / "compiled", file)
    (cloud.folder / "packed").rename(cloud.folder / "models" / f"{compiled}.tar")
    wanted, model = with_a_model(cloud, release, compiled={"digest": compiled})
    prepare.prepare(node, cloud, wanted)
    Activation(node, cloud)._prune(State(Placed(wanted, "a"), None, [wanted]))
    assert (node.models / compiled / "model.onnx").read_bytes() == b"onnx"
    assert (node.models / model).exists()


def test_what_cannot_be_had_or_is_damaged_fails_as_an_activation_does(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, _, damaged = bucket(tmp_path / "bucket", release_name=RELEASE)
    monkeypatch.setattr(Node, "load", lambda: node)
    monkeypatch.setattr(main, "Cloud", lambda _: cloud)
    assert main.main(["prepare", damaged]) == node.exits["digest"]
    assert main.main(["prepare", "0123456789ab"]) == node.exits["fetch"]
    assert prepare.prepared(node) == [], "nothing is kept for what did not come"


def test_preparing_goes_on_while_an_activation_holds_its_lock(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, _, wanted = bucket(tmp_path / "bucket")
    monkeypatch.setattr(Node, "load", lambda: node)
    monkeypatch.setattr(main, "Cloud", lambda _: cloud)
    with state.locked(node.state):
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


def test_only_the_last_one_prepared_is_kept(node: Node, tmp_path: Path) -> None:
    cloud, release, first = bucket(tmp_path / "bucket")
    second, _ = with_a_model(cloud, release)
    prepare.prepare(node, cloud, first)
    prepare.prepare(node, cloud, second)
    assert prepare.prepared(node) == [second]


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


def test_who_wants_what_another_fetches_waits_for_it_and_fetches_nothing(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, release, wanted = bucket(tmp_path / "bucket")
    cloud.download(f"deployments/{wanted}.json", node.deployments / f"{wanted}.json")
    folder = node.releases / f".{release}.partial"
    folder.mkdir()
    asks, really = Event(), fetch._locks

    def locks(handle: int, *, wait: bool) -> bool:
        asks.set()
        return really(handle, wait=wait)

    monkeypatch.setattr(fetch, "_locks", locks)
    with held(folder):
        activation = Thread(target=fetch.deployment, args=(node, Bucket(tmp_path / "empty"), wanted))
        activation.start()
        assert asks.wait(30)
        (node.releases / release).mkdir()
    activation.join(timeout=30)
    assert not activation.is_alive()
    assert not folder.exists()


def test_a_manifest_that_is_none_is_not_kept(node: Node, tmp_path: Path) -> None:
    cloud, _, wanted = bucket(tmp_path / "bucket")
    (cloud.folder / "deployments" / f"{wanted}.json").write_bytes(b"{}")
    with pytest.raises(ActivationError) as failure:
        prepare.prepare(node, cloud, wanted)
    assert failure.value.exit_name == "digest"
    assert list(node.deployments.iterdir()) == []
