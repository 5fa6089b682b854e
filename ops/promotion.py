"""The one way to make a deployment: from models to the manifest that brings them, alone or beside what else is served.

What stays is not asked for again while the release stays: both are immutable. With another release each kept model is
asked anew, from the files in the bucket, because its run may be gone.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract import S3
from ops import compiling, deployment, environments, evidence, growing, release, requirements
from ops.compiling import Mode, Subject
from ops.deployment import Version
from ops.errors import NotNowError, RefusedError, UserError
from ops.evidence import MismatchError
from ops.node_python import Progress
from ops.resolution import Wish
from ops.run import run
from ops.store import Store

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is to be served: these versions, and what else the fleet has, from this release.

    `alone`: only these versions, in this order, the first the default. `mode`: how these are served, and what is asked
    anew; without it what is served stays as it is.
    """

    versions: tuple[Version, ...]
    current: Manifest
    release: str
    alone: bool = False
    mode: Mode | None = None
    require_example: bool = True

    @property
    def kept(self) -> list[dict[str, Any]]:
        named = {version.name for version in self.versions}
        return [] if self.alone else [entry for entry in self.current["models"] if entry["name"] not in named]

    def stays(self, entry: dict[str, Any], version: Version | None) -> bool:
        """Whether an entry of the current manifest is taken over; `version` is what of this model is wanted, if any."""
        if self.release != self.current["release"]:
            return False
        if version is None:
            return True
        decided = self.mode is None or compiling.stands(entry, self.mode)
        same = (version.version, version.run_id) == (entry["version"], entry.get("run_id"))
        return same and decided  # another stack's MLflow counts its versions from 1, too

    def proven(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The entry of a new version. Raises `RefusedError` when nothing could check its answers, and that matters."""
        if self.require_example and not entry.get("expected"):
            reason = f"model {entry['name']}/{entry['version']} has no input example"
            raise RefusedError(entry["name"], reason, "log it with input_example=…, or set delivery.requireExample")
        return entry

    def ordered(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self.alone:
            return entries
        names = [version.name for version in self.versions]
        found = {entry["name"]: entry for entry in entries}
        return [found[name] | {"default": place == 0} for place, name in enumerate(names)]


def plan(
    at: Store,
    models: Sequence[str],
    release_digest: str | None,
    *,
    breaking: bool,
    alone: bool = False,
    mode: Mode | None = None,
    require_example: bool = True,
    progress: Progress = lambda _: None,
) -> Plan:
    """Raises `UserError` for a model that is named twice, or not known."""
    current = at.manifest(at.pointer())
    if models:
        progress("asking MLflow which versions these are")
    versions = [replace(each, breaking=each.breaking or breaking) for each in map(deployment.resolve, models)]
    names = [version.name for version in versions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{', '.join(twice)} is named more than once", "a deployment serves one version of a model")
    return Plan(tuple(versions), current, release_digest or current["release"], alone, mode, require_example)


def make(at: Store, wanted: Plan, progress: Progress = lambda _: None, *, build: bool = False) -> str:
    """The id of the deployment. With `build`, a release that lacks what a model was logged with is replaced by a new
    one that has it. Raises `UserError`; nothing is activated."""
    try:
        return compose(at, wanted, progress)
    except MismatchError as mismatch:
        if not build:
            raise
        progress(mismatch.message.splitlines()[0])
        try:
            digest = release_for(at, wanted, progress)
        except NotNowError as error:
            reason = f"{mismatch.message}; no release can be built now: {error.message}"
            raise NotNowError(reason, error.hint) from error
        except UserError as error:
            reason = f"{mismatch.message}; no release can be built that has it: {error.message}"
            raise RefusedError(mismatch.model, reason, error.hint) from error
    return compose(at, replace(wanted, release=digest), progress)


def release_for(at: Store, wanted: Plan, progress: Progress = lambda _: None, besides: Sequence[str] = ()) -> str:
    """Builds and uploads the release that has what all these models were logged with, the kept ones too, and these
    requirements `besides`."""
    with tempfile.TemporaryDirectory(prefix="slipway-wishes-") as folder:
        wishes = {"--require": Wish(besides)} if besides else {}
        for number, version in enumerate(wanted.versions):
            place = Path(folder) / str(number)
            place.mkdir()
            progress(f"fetching model {version.label}")
            wishes[version.label] = _wishes(version.label, deployment.download(version, place))
        for entry in wanted.kept:
            label = f"{entry['name']}/{entry['version']}"
            wishes[label] = _wishes(label, fetch(at, entry, Path(folder) / entry["digest"]))
    built = growing.build(at, wishes, wanted.release, progress)
    progress("uploaded" if release.publish(at, built) else "the bucket has it already")
    return built.digest


def compose(at: Store, wanted: Plan, progress: Progress = lambda _: None) -> str:
    """The deployment of the plan with its release, as it is. Raises `RefusedError`."""
    mode = wanted.mode or "auto"
    named = {version.name: version for version in wanted.versions}
    measured: dict[str, Any] = {}
    entries = []
    with tempfile.TemporaryDirectory(prefix="slipway-deployment-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)  # what a model's code may read is read by another account
        code = release.unpacked(at, wanted.release, progress)
        for entry in wanted.current["models"]:
            version = named.pop(entry["name"], None)
            if version is None and wanted.alone:
                continue
            place = scratch / entry["digest"]
            if wanted.stays(entry, version):
                entries.append(entry | ({"alias": version.alias} if version and version.alias else {}))
            elif version is None:
                entries.append(again(at, entry, code, place, progress, measured=measured, mode=mode))
            else:
                made = deployment.make_entry(at, version, code, place, progress, measured=measured, mode=mode)
                entries.append(wanted.proven(made) | {"default": entry["default"]})
        for number, version in enumerate(named.values()):
            place = scratch / f"new-{number}"
            made = deployment.make_entry(at, version, code, place, progress, measured=measured, mode=mode)
            entries.append(wanted.proven(made) | {"default": not entries})
    manifest = {"schema": deployment.SCHEMA, "release": wanted.release, "models": wanted.ordered(entries)}
    return deployment.publish(at, manifest, measured)


def again(
    at: Store,
    entry: dict[str, Any],
    code: Path,
    place: Path,
    progress: Progress,
    *,
    measured: dict[str, Any],
    mode: Mode,
) -> dict[str, Any]:
    """The same version, with the answers that another release gives. Raises `RefusedError`."""
    label = f"{entry['name']}/{entry['version']}"
    files = fetch(at, entry, place)
    evidence.fitting(entry["name"], entry["version"], files, code)
    known = None
    if golden := entry.get("golden"):
        known = place / "known" / "golden.json"
        known.parent.mkdir()
        known.write_text(json.dumps({key: golden[key] for key in ("input", "targets") if key in golden}))
    subject = Subject(digest=entry["digest"], release=code.name, code=code, files=files, golden=known)
    kept = {name: value for name, value in entry.items() if name not in ("compiled", "native")}
    return kept | deployment.ask(at, label, subject, progress, measured=measured, mode=mode)


def fetch(at: Store, entry: dict[str, Any], place: Path) -> Path:
    """The files of a model that is deployed, from the bucket, in the new folder `place`."""
    files = place / "files"
    files.mkdir(parents=True)
    at.get(f"{S3.models}{entry['digest']}.tar", place / "archive")
    run(["tar", "--extract", "--no-same-owner", "--file", place / "archive", "--directory", files])
    return files


def _wishes(label: str, files: Path) -> Wish:
    """What an index is to be asked for. Raises `UserError` for what none can have."""
    wanted = requirements.read(files)
    if wanted.refused:
        raise environments.refusal([environments.Conflict(why, repr(line), label, "") for line, why in wanted.refused])
    return Wish([*map(requirements.text, wanted.requirements)], [*map(requirements.text, wanted.constraints)])
