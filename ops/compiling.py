"""Decides, once for all nodes, whether a model is served compiled; the release that will serve it does the work.

The decision is kept in the bucket under the digest of what it depends on: the model, the release, the golden set. So a
deployment that is made again is the same deployment, though timing is not the same twice. What took too long or
crashed is decided for this deployment only, because another day or another machine may do better.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from contract import S3
from ops import canonical
from ops.errors import UserError
from ops.node_python import NodePython
from ops.run import STATUS_TIMEOUT, CommandError
from ops.store import Store

Mode = Literal["auto", "never"]

SECONDS = 120.0
FILE = "model.onnx"
EXPLAINED = 300
NEVER = "its deployment was made with --compile never"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is decided about. `code` is the unpacked release, `golden` the golden set's file if there is one."""

    digest: str
    release: str
    code: Path
    files: Path
    golden: Path | None

    @property
    def key(self) -> str:
        golden = canonical.sha256(self.golden.read_bytes()) if self.golden else None
        identity = {"model": self.digest, "release": self.release, "golden": golden}
        return f"{S3.models}{canonical.sha256(canonical.json_bytes(identity))}.decision.json"


def decide(at: Store, subject: Subject, scratch: Path, mode: Mode = "auto") -> dict[str, Any]:
    """The part of the model's entry in the manifest: `compiled` or `native`. The compiled model is in the bucket then.

    `scratch` is an empty folder. Raises `UserError` when the bucket cannot be reached, never for the model's sake.
    """
    if mode == "never":
        return {"native": {"reason": NEVER}}
    place = scratch / "decision.json"
    if not at.has(subject.key):
        found = convert(subject)
        if "failed" in found:
            return {"native": {"reason": found["failed"], "undecided": True}}
        if model := found.pop("model"):
            found["digest"] = _ship(at, base64.b64decode(model), scratch)
        at.put(subject.key, canonical.json_bytes(found))
    at.get(subject.key, place)  # what somebody else decided meanwhile stands
    return entry(json.loads(place.read_bytes()))


def stands(entry: dict[str, Any], mode: Mode) -> bool:
    """Whether what an entry of a manifest says of this is what would be decided again."""
    native = entry.get("native")
    if mode == "never":
        return native is not None
    return "compiled" in entry or (native is not None and native["reason"] != NEVER and not native.get("undecided"))


def convert(subject: Subject) -> dict[str, Any]:
    """What app.convert says; `failed` and why when it ended without a word."""
    folders = [subject.code, subject.files, *([subject.golden.parent] if subject.golden else [])]
    python = NodePython(folders)
    paths = [subject.files, *([subject.golden] if subject.golden else [])]
    try:
        done = python.run(
            ["-m", "app.convert", *map(python.path, paths)],
            env=python.release(subject.code),
            confined=True,
            timeout_seconds=SECONDS,
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except CommandError as error:
        return {"failed": _explain(error)}
    except (ValueError, IndexError):
        return {"failed": "the converter left no decision"}
    return answer


def entry(found: dict[str, Any]) -> dict[str, Any]:
    """What of a decision belongs into a manifest: all that serving needs and /version tells, and no measured time."""
    facts = {
        "reason": found["reason"],
        "difference": found["largest_difference"],
        "tolerance": found["tolerance"],
        "rows_checked": found["rows_checked"],
    }
    facts = {name: value for name, value in facts.items() if value is not None}
    if found["kind"] == "native":
        return {"native": facts}
    if not found.get("digest") or not found.get("recipe"):
        raise UserError(
            "a decision about a compiled model does not name it", "remove it from the bucket, and try again"
        )
    return {"compiled": {**facts, **found["recipe"], "digest": found["digest"]}}


def _ship(at: Store, model: bytes, scratch: Path) -> str:
    """As a model is: a tar under its own digest."""
    folder, archive = scratch / "compiled", scratch / "compiled.tar"
    folder.mkdir()
    (folder / FILE).write_bytes(model)
    with archive.open("wb") as file:
        digest = canonical.write_tar(folder, file)
    at.put(f"{S3.models}{digest}.tar", archive)
    return digest


def _explain(error: CommandError) -> str:
    if error.result.returncode == STATUS_TIMEOUT:
        return f"compiling took longer than {SECONDS:.0f} s"
    if error.result.returncode < 0 or error.result.returncode > 128:
        number = -error.result.returncode if error.result.returncode < 0 else error.result.returncode - 128
        return f"the converter was ended by signal {number}"
    lines = error.result.stderr.strip().splitlines() or [error.reason]
    return f"the converter failed: {lines[-1][:EXPLAINED]}"
