"""The volume that stands where a stack has its bucket and its pointer. Deliveries write it, servers only read it.

Each release has a pointer of its own. So a delivery with newer code changes nothing for servers that run the older
one, and an image that is rolled back finds what was served with it.
"""

import json
import shutil
from pathlib import Path

from slipway_node.cloud import Cloud, UnreachableError
from slipway_node.node import Node

ROOT = Path("/srv/slipway")
BUCKET = "bucket"
LATEST = "pointer.json"
BOOTSTRAP = Path("/opt/slipway/bootstrap.json")
"""In the image: the release's deployment without models, which is served until the first delivery."""


class Volume(Cloud):
    """What slipway_node asks of a cloud, answered by the folder `root`, for servers of the release `release`."""

    def __init__(self, node: Node, release: str, root: Path = ROOT, bootstrap: Path = BOOTSTRAP) -> None:
        super().__init__(node)
        self.release, self.root, self.bootstrap = release, root, bootstrap

    def pointer(self) -> str:
        return self._pointed()["deployment"]

    def previous(self, deployment: str) -> str | None:
        pointed = self._pointed()
        before = pointed.get("previous")
        return before if before and pointed["deployment"] == deployment != before else None

    def trial(self) -> tuple[str, int] | None:
        return None

    def size(self, key: str) -> int:
        return self._object(key).stat().st_size

    def download(self, key: str, place: Path) -> None:
        shutil.copyfile(self._object(key), place)

    def _object(self, key: str) -> Path:
        first = json.loads(self.bootstrap.read_text())
        if key == f"{self._node.keys['deployments']}{first['deployment']}.json":
            return self.bootstrap.with_name("bootstrap-manifest.json")
        found = self.root / BUCKET / key
        if not found.is_file():
            raise UnreachableError(str(found), "it does not exist", missing=True)
        return found

    def _pointed(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(pointer_file(self.root, self.release).read_text())
        except FileNotFoundError:
            found = json.loads(self.bootstrap.read_text())
        return found


def pointer_file(root: Path, release: str) -> Path:
    return root / "pointers" / f"{release}.json"
