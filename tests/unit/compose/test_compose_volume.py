"""The volume in a bucket's place: what a delivery writes, and what a server reads of it."""

import json
from pathlib import Path

import pytest
from slipway_node.cloud import UnreachableError
from slipway_node.node import Node

from compose import bucket as bucket_module
from compose.bucket import VolumeStore
from compose.volume import Volume
from contract import S3
from ops import canonical, deployment
from ops.errors import UserError
from tests.unit.slipway_rig import node_below

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty volume, and an image of the release OLD."""
    image = tmp_path / "image"
    image.mkdir()
    manifest = canonical.json_bytes({"schema": 1, "release": OLD, "models": []})
    (image / "bootstrap-manifest.json").write_bytes(manifest)
    pointed = {"deployment": deployment.identify(manifest), "release": OLD}
    (image / "bootstrap.json").write_text(json.dumps(pointed))
    monkeypatch.setattr(bucket_module, "BOOTSTRAP", image / "bootstrap.json")
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return node_below(tmp_path / "node")


def store(root: Path) -> VolumeStore:
    return VolumeStore("", str(root), "")


def volume(root: Path, node: Node, release: str = OLD) -> Volume:
    return Volume(node, release, root, root.parent / "image/bootstrap.json")


def made(at: VolumeStore, release: str = OLD, name: str = "m") -> str:
    return deployment.publish(at, {"schema": 1, "release": release, "models": [{"name": name}]})


def test_before_the_first_delivery_the_images_own_deployment_is_served(root: Path, node: Node, tmp_path: Path) -> None:
    first = volume(root, node).pointer()
    assert store(root).pointer() == first
    assert store(root).manifest(first)["models"] == []
    volume(root, node).download(f"{S3.deployments}{first}.json", tmp_path / "manifest")
    assert deployment.identify((tmp_path / "manifest").read_bytes()) == first


def test_a_delivery_moves_the_pointer_of_its_own_release_alone(root: Path, node: Node) -> None:
    at = store(root)
    old, new = made(at), made(at, NEW)
    at.point(old)
    at.point(new)
    assert volume(root, node).pointer() == old
    assert volume(root, node, NEW).pointer() == new
    assert at.pointer() == new


def test_the_deployment_before_is_known_for_a_server_that_cannot_serve_the_next(root: Path, node: Node) -> None:
    at = store(root)
    first, second = made(at), made(at, name="other")
    at.point(first)
    assert volume(root, node).previous(first) is None
    at.point(second)
    assert volume(root, node).previous(second) == first
    assert volume(root, node).previous(first) is None


def test_what_a_deployment_is_called_is_what_it_holds(root: Path) -> None:
    at = store(root)
    found = made(at)
    assert at.manifest(found)["models"] == [{"name": "m"}]
    (root / "bucket/deployments" / f"{found}.json").write_text("{}")
    with pytest.raises(UserError, match=f"no deployment {found}"):
        at.manifest(found)


def test_an_object_is_written_once_and_whole(root: Path, tmp_path: Path) -> None:
    at = store(root)
    assert at.put("models/x.tar", b"first")
    assert not at.put("models/x.tar", b"second")
    at.get("models/x.tar", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"first"
    assert [path.name for path in (root / "bucket/models").iterdir()] == ["x.tar"]


def test_a_missing_object_is_one_clear_line(root: Path, node: Node, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        store(root).get("models/x.tar", tmp_path / "x")
    with pytest.raises(UnreachableError, match="does not exist"):
        volume(root, node).download("models/x.tar", tmp_path / "x")
    assert store(root).read("models/x.json") is None
