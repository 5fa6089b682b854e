"""Makes deployments: from versions in MLflow's registry to one immutable manifest in the bucket.

Each model is copied whole, so that nodes need neither MLflow nor the run that made it. Its expected output is what the
release itself answers to the model's own input example, on the node's Python: what a node must then reproduce.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from contract import S3
from ops import canonical, compiling, golden, release, store
from ops.compiling import Mode
from ops.errors import UserError, reported
from ops.node_python import NodePython, Progress
from ops.run import CommandError
from ops.store import Store

SCHEMA = 1
NAMED = re.compile(r"(?P<name>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>\d+))")
HINT = "log it with input_example=… and a signature; it must load and answer that example with the packages in uv.lock"


@dataclass(frozen=True)
class Version:
    """A registered model version, and the alias by which it was named, if it was."""

    name: str
    version: str
    run_id: str | None
    source: str
    alias: str | None = None

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"


def make(
    at: Store,
    models: Sequence[str],
    release_digest: str | None = None,
    progress: Progress = lambda _: None,
    compiling_mode: Mode = "auto",
) -> str:
    """Makes the deployment of exactly these models (`name@alias` or `name/version`, the first is the default).

    The release is the one that the fleet has now unless another is given. Returns the deployment's id; making the same
    one again changes nothing. Raises `UserError`.
    """
    versions = [resolve(model) for model in models]
    with tempfile.TemporaryDirectory(prefix="slipway-deployment-") as folder:
        scratch = Path(folder)
        digest = release_digest or at.deployment(at.pointer(), scratch)["release"]
        code = release.unpacked(at, digest, progress)
        maker = _Maker(at, digest, code, progress, compiling_mode)
        entries = [
            maker.entry(version, scratch / str(number), default=number == 0) for number, version in enumerate(versions)
        ]
    return publish(at, {"schema": SCHEMA, "release": digest, "models": entries})


def publish(at: Store, manifest: dict[str, Any]) -> str:
    """Writes the manifest under its id, unless it is there."""
    content = canonical.json_bytes(manifest)
    deployment_id = identify(content)
    at.put(f"{S3.deployments}{deployment_id}.json", content)
    return deployment_id


def identify(content: bytes) -> str:
    return canonical.sha256(content)[:12]


def resolve(model: str) -> Version:
    """The version that a `name@alias` or `name/version` means now, by the registry that the environment names."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    match = NAMED.fullmatch(model)
    if not match:
        raise UserError(f"{model!r} names no model version", "write name@alias or name/version, like diabetes@champion")
    client = MlflowClient()
    try:
        if match["alias"]:
            found = client.get_model_version_by_alias(match["name"], match["alias"])
        else:
            found = client.get_model_version(match["name"], match["version"])
    except MlflowException as error:
        raise UserError(f"{model}: {error.message}", "see what is registered in MLflow's Models tab") from error
    return Version(found.name, str(found.version), found.run_id or None, found.source, match["alias"])


@dataclass(frozen=True)
class _Maker:
    """What the entries of one manifest have in common."""

    at: Store
    release: str
    code: Path
    progress: Progress
    mode: Mode

    def entry(self, version: Version, folder: Path, *, default: bool) -> dict[str, Any]:
        folder.mkdir()
        self.progress(f"fetching model {version.label}")
        files = download(version, folder)
        known = golden.fetch(version.run_id, folder)
        archive = folder / "archive"
        with archive.open("wb") as file:
            digest = canonical.write_tar(files, file)
        answers, decided = self._ask(version, digest, files, known)
        self.progress(f"copying model {version.label} to the bucket")
        self.at.put(f"{S3.models}{digest}.tar", archive)
        return {
            "name": version.name,
            "version": version.version,
            "run_id": version.run_id,
            "source": version.source,
            "digest": digest,
            "default": default,
            **({"alias": version.alias} if version.alias else {}),
            **answers,
            **decided,
            **({"metrics": metrics} if (metrics := golden.metrics(version.run_id)) else {}),
        }

    def _ask(self, version: Version, digest: str, files: Path, known: Path | None) -> tuple[Any, Any]:
        """The answers that are expected, and whether the model is compiled: asked at once, for each takes seconds."""
        self.progress(
            f"asking release {self.code.name[:12]} for the answers of model {version.label}, and compiling it"
        )
        subject = compiling.Subject(digest=digest, release=self.release, code=self.code, files=files, golden=known)
        scratch = files.with_name("compiling")
        scratch.mkdir()
        with ThreadPoolExecutor(1) as other:
            decided = other.submit(compiling.decide, self.at, subject, scratch, self.mode)
            answers = expectation(version.label, self.code, files, known)
            return (answers if known else {"expected": answers}), decided.result()


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


def expectation(label: str, code: Path, files: Path, known: Path | None = None) -> Any:
    """The manifest's `expected` for a model: its own input example, and what the release answers to it.

    With a golden set, an object of `expected` and `golden`.

    The model's code runs on the node's Python with no network and no rights.
    """
    python = NodePython([code, files, *([known.parent] if known else [])])
    try:
        arguments = [python.path(files), *([python.path(known)] if known else [])]
        done = python.run(["-m", "app.expect", *arguments], env=python.release(code), confined=True)
        return json.loads(done.stdout.splitlines()[-1])
    except CommandError as error:
        lines = error.result.stderr.strip().splitlines()
        raise UserError(f"model {label} gives no answer: {lines[-1] if lines else error.reason}", HINT) from error


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="NAME@ALIAS|NAME/VERSION…")
@click.option("--release", "release_digest", metavar="SHA256", help="Another release than the fleet's.")
@click.option("--compile", "mode", type=click.Choice(["auto", "never"]), default="auto", show_default=True)
def main(models: tuple[str, ...], release_digest: str | None, mode: Mode) -> None:
    """Makes a deployment of these models and prints its id as JSON. Activates nothing."""
    with reported("slipway deployment make"):
        made = make(store.current(), models, release_digest, lambda text: print(text, file=sys.stderr), mode)
        print(json.dumps({"id": made}))


if __name__ == "__main__":
    main()
