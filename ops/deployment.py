"""What deployments are made of: a version in MLflow's registry, its entry in the manifest, the manifest in the bucket.

Each model is copied whole, so that nodes need neither MLflow nor the run that made it. Its expected output is what the
release itself answers to the model's own input example, on the node's Python: what a node must then reproduce.
"""

import json
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract import S3
from ops import candidate, canonical, compiling, evidence, golden
from ops.compiling import Mode, Subject
from ops.errors import RefusedError, UserError
from ops.node_python import NodePython, Progress
from ops.run import CommandError
from ops.store import Store, manifest_key

SCHEMA = 1
NAMED = re.compile(r"(?P<name>[^@/]+)(?:/(?P<version>\d+))?(?:@(?P<alias>[^@/]+))?")
BREAKING_TAG = "slipway.breaking"
HINT = "it must load and answer its input example with the packages that it was logged with"


@dataclass(frozen=True)
class Version:
    """A registered model version, and the alias by which it was named, if it was."""

    name: str
    version: str
    run_id: str | None
    source: str
    alias: str | None = None
    breaking: bool = False
    """Whether it may break the callers of the version before it: a tag of the version says so, or the operator."""

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"


def publish(at: Store, manifest: dict[str, Any], measured: Mapping[str, Any] | None = None) -> str:
    """Writes the manifest under its id, unless it is there, and beside it how long its models took to answer."""
    content = canonical.json_bytes(manifest)
    deployment_id = identify(content)
    if measured:
        at.put(candidate.measured_key(deployment_id), canonical.json_bytes(measured))
    at.put(manifest_key(deployment_id), content)
    return deployment_id


def identify(content: bytes) -> str:
    return canonical.sha256(content)[:12]


def resolve(model: str) -> Version:
    """The version that a `name@alias` or `name/version` means now, by the registry that the environment names.

    `name/version@alias` is that version, though the alias may have moved on: whoever follows it has seen it there.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    match = NAMED.fullmatch(model)
    if not match or not (match["version"] or match["alias"]):
        raise UserError(f"{model!r} names no model version", "write name@alias or name/version, like diabetes@champion")
    client = MlflowClient()
    try:
        if match["version"]:
            found = client.get_model_version(match["name"], match["version"])
        else:
            found = client.get_model_version_by_alias(match["name"], match["alias"])
    except MlflowException as error:
        raise UserError(f"{model}: {error.message}", "see what is registered in MLflow's Models tab") from error
    breaking = found.tags.get(BREAKING_TAG, "").lower() == "true"
    return Version(found.name, str(found.version), found.run_id or None, found.source, match["alias"], breaking)


def make_entry(
    at: Store,
    version: Version,
    code: Path,
    folder: Path,
    progress: Progress,
    *,
    measured: dict[str, Any],
    mode: Mode = "auto",
) -> dict[str, Any]:
    """What the manifest says of a version; its files are in the bucket then. `measured` gets how fast it answers.

    Raises `RefusedError` for a model that the release cannot serve.
    """
    folder.mkdir()
    progress(f"fetching model {version.label}")
    files = download(version, folder)
    wanted = evidence.fitting(version.name, version.version, files, code)
    known = golden.fetch(version.run_id, folder)
    archive = folder / "archive"
    with archive.open("wb") as file:
        digest = canonical.write_tar(files, file)
    subject = compiling.Subject(digest=digest, release=code.name, code=code, files=files, golden=known)
    found = ask(at, version.label, subject, progress, measured=measured, mode=mode)
    progress(f"copying model {version.label} to the bucket")
    at.put(f"{S3.models}{digest}.tar", archive)
    return {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "source": version.source,
        "digest": digest,
        **({"alias": version.alias} if version.alias else {}),
        **found,
        **evidence.of(version.run_id, files, wanted, breaking=version.breaking),
    }


def ask(
    at: Store, label: str, subject: Subject, progress: Progress, *, measured: dict[str, Any], mode: Mode = "auto"
) -> dict[str, Any]:
    """What the release says of a model: the answers that are expected of it, and whether it is served compiled.

    Both at once, for each takes seconds.
    """
    progress(f"asking release {subject.release[:12]} for the answers of model {label}, and compiling it")
    scratch = subject.files.with_name("compiling")
    scratch.mkdir()
    with ThreadPoolExecutor(1) as other:
        decided = other.submit(compiling.decide, at, subject, scratch, mode)
        answers, measured[label] = expectation(label, subject.code, subject.files, subject.golden)
        found = answers if subject.golden else {"expected": answers} if answers else {}
        return {**found, **decided.result()}


def download(version: Version, folder: Path) -> Path:
    """The files of a model version, without what the client adds to them."""
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    try:
        fetched = mlflow.artifacts.download_artifacts(f"models:/{version.label}", dst_path=str(folder / "download"))
    except (MlflowException, OSError) as error:
        raise UserError(f"model {version.label} cannot be downloaded: {error}", "is its run still there?") from error
    files = folder / "files"
    shutil.move(fetched, files)
    (files / "registered_model_meta").unlink(missing_ok=True)
    return files


def expectation(label: str, code: Path, files: Path, known: Path | None = None) -> tuple[Any, dict[str, float]]:
    """The manifest's `expected` for a model: its own input example, and what the release answers to it.

    With a golden set, an object of `expected` and `golden`. And how long it took, if the release measures that.

    The model's code runs on the node's Python with no network and no rights.
    """
    python = NodePython([code, files, *([known.parent] if known else [])])
    try:
        arguments = [python.path(files), *([python.path(known)] if known else [])]
        done = python.run(["-m", "app.expect", *arguments], env=python.release(code), confined=True)
        said = [line for line in done.stderr.splitlines() if line.startswith('{"measured"')]
        return json.loads(done.stdout.splitlines()[-1]), json.loads(said[-1])["measured"] if said else {}
    except CommandError as error:
        lines = error.result.stderr.strip().splitlines()
        reason = lines[-1] if lines else error.reason
        raise RefusedError(label.partition("/")[0], f"model {label} gives no answer: {reason}", HINT) from error
