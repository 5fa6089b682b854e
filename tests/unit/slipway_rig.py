"""A serving node below a folder, and a folder in place of its bucket, for tests of slipway-activate without units."""

import json
from pathlib import Path
from typing import Any

from slipway_node.cloud import Cloud, UnreachableError
from slipway_node.node import Node

from contract.node_files import node_files
from infra import userdata
from ops import canonical, deployment
from tests.unit.test_userdata import SERVING

RELEASE, MODEL = "1" * 64, "2" * 64


def node_below(tmp_path: Path) -> Node:
    """A node whose paths lie below `tmp_path`, made from the files that user data writes."""
    written = {file.path: file.content for file in node_files("serving")}
    about: dict[str, Any] = json.loads(written["/etc/slipway/contract.yaml"])
    about["paths"] = {name: f"{tmp_path}{path}" for name, path in about["paths"].items()}
    facts = Path(about["paths"]["facts"])
    facts.parent.mkdir(parents=True)
    facts.write_text(userdata.facts_json(SERVING))
    contract_file = tmp_path / "contract.yaml"
    contract_file.write_text(json.dumps(about))
    made = Node.load(contract_file)
    for folder in (made.releases, made.models, made.deployments, made.slots, made.run, made.state.parent):
        folder.mkdir(parents=True, exist_ok=True)
    return made


def manifest(**changed: Any) -> bytes:
    return canonical.json_bytes({"schema": 1, "release": RELEASE, "models": [], **changed})


class Bucket(Cloud):
    """A folder in place of the bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def size(self, key: str) -> int:
        source = self.folder / key
        if not source.exists():
            raise UnreachableError(key, "it does not exist")
        return source.stat().st_size

    def download(self, key: str, place: Path) -> None:
        source = self.folder / key
        if not source.exists():
            raise UnreachableError(key, "it does not exist")
        place.write_bytes(source.read_bytes())


def bucket(folder: Path, release_name: str | None = None) -> tuple[Bucket, str, str]:
    """A bucket with one release and its deployment: the bucket, the release's digest, the deployment's id."""
    for name in ("releases", "deployments", "models", "tree/src"):
        (folder / name).mkdir(parents=True)
    (folder / "tree/src/app.py").write_text("x = 1\n")
    digest = canonical.write_tar_zst(folder / "tree", folder / "archive")
    name = release_name or digest
    (folder / "archive").rename(folder / "releases" / f"{name}.tar.zst")
    content = manifest(release=name)
    deployment_id = deployment.identify(content)
    (folder / "deployments" / f"{deployment_id}.json").write_bytes(content)
    return Bucket(folder), name, deployment_id
