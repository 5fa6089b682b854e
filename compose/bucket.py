"""The volume as the tools' store: what ops asks of S3 and SSM, answered by files. It imports ops, so no server may."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_node.state import write_whole

from compose.volume import BOOTSTRAP, BUCKET, LATEST, pointer_file
from ops.errors import UserError
from ops.store import Store, manifest_key, unknown


@dataclass(frozen=True)
class VolumeStore(Store):
    """`bucket` is the volume's folder. One delivery writes at a time, by a lock that the caller holds."""

    @property
    def root(self) -> Path:
        return Path(self.bucket)

    def tag(self, key: str) -> str | None:
        """Objects are written whole and never changed: a size and a time name their state."""
        try:
            found = self._place(key).stat()
        except FileNotFoundError:
            return None
        return f"{found.st_size}-{found.st_mtime_ns}"

    def read(self, key: str) -> Any:
        return json.loads(self._place(key).read_bytes()) if self.has(key) else None

    def put(self, key: str, content: Path | bytes) -> bool:
        if self.has(key):
            return False
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.partial")
        if isinstance(content, bytes):
            partial.write_bytes(content)
        else:
            shutil.copyfile(content, partial)
        partial.replace(place)
        return True

    def get(self, key: str, place: Path) -> None:
        if not self.has(key):
            raise UserError(f"{self._place(key)}: it does not exist", "deliver the model again, from MLflow")
        shutil.copyfile(self._place(key), place)

    def manifest(self, deployment_id: str) -> dict[str, Any]:
        place = self._place(manifest_key(deployment_id))
        if not place.exists():
            place = BOOTSTRAP.with_name("bootstrap-manifest.json")
        content = place.read_bytes()
        if hashlib.sha256(content).hexdigest()[:12] != deployment_id:
            raise unknown(deployment_id)
        found: dict[str, Any] = json.loads(content)
        return found

    def pointer(self) -> str:
        """What was delivered last, with whichever release: its models are what the next delivery is beside."""
        place = self.root / LATEST
        return str(json.loads((place if place.exists() else BOOTSTRAP).read_text())["deployment"])

    def point(self, deployment_id: str) -> None:
        """Servers of the deployment's release follow within a second."""
        release = self.manifest(deployment_id)["release"]
        place = pointer_file(self.root, release)
        before = json.loads(place.read_text())["deployment"] if place.exists() else None
        text = json.dumps({"deployment": deployment_id, "previous": before})
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text)
        write_whole(self.root / LATEST, text)

    def _place(self, key: str) -> Path:
        return self.root / BUCKET / key
