"""Compiles the models of a deployment ahead of its server: `python3 -m app.compile`, run by the unit before it.

What was decided for a model and a release is kept, so that the next start finds it. Nothing that goes wrong here keeps
a model from being served: the original then serves, and the decision says why.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from app import settings
from app.core import decision as decisions
from app.core import deployment
from app.core.deployment import ModelVersion
from app.core.errors import BadDeploymentError
from app.logs import log_to_stdout

MODEL_SECONDS = 40.0
TOTAL_SECONDS = 60.0
"""Both with the time that slipway-activate waits for a candidate to become ready in mind, which goes on meanwhile."""
EXPLAINED = 300


def compile_all(here: settings.Settings, environ: Mapping[str, str]) -> int:
    """Decides what is not decided yet; returns how many that were."""
    assert here.cache is not None
    serves = deployment.read(here.deployment)
    releases = {path.name[:12] for path in here.releases.iterdir()} if here.releases.is_dir() else None
    decisions.prune(here.cache, {path.name for path in here.models.iterdir()}, releases)
    deadline = time.monotonic() + TOTAL_SECONDS
    decided = 0
    for version in serves.models:
        place = decisions.entry(here.cache, version.digest, serves.release)
        if decisions.read(place):
            continue
        left = deadline - time.monotonic()
        if left <= 1:
            break  # undecided, so that the next start goes on here
        scratch = Path(tempfile.mkdtemp(prefix=decisions.PARTIAL, dir=here.cache))
        _convert(version, scratch, min(MODEL_SECONDS, left), environ)
        decisions.settle(scratch, place)
        decided += 1
    return decided


def _convert(version: ModelVersion, scratch: Path, seconds: float, environ: Mapping[str, str]) -> None:
    """Leaves a decision in `scratch`, whatever the converter does."""
    command = [sys.executable, "-m", "app.convert", version.name, str(scratch)]
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
        reason = None if done.returncode == 0 else _explain(done)
    except subprocess.TimeoutExpired:
        reason = f"compiling took longer than {seconds:.0f} s"
    if reason or decisions.read(scratch) is None:
        (scratch / decisions.MODEL).unlink(missing_ok=True)
        decisions.write(scratch, decisions.native(reason or "the converter left no decision"))


def _explain(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"the converter was ended by signal {-done.returncode}"
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"the converter failed: {lines[-1][:EXPLAINED]}"


def main() -> int:
    log = log_to_stdout("app.compile")
    try:
        here = settings.read(os.environ)
        if here.cache is None:
            log.info("no folder for compiled models: CACHE_DIRECTORY is not set")
            return 0
        decided = compile_all(here, {**os.environ, **settings.environment(here.workers)})
    except BadDeploymentError as error:
        log.error("nothing is compiled: %s", error)
        return 1
    log.info("models compiled or decided against: %s", decided)
    return 0


if __name__ == "__main__":
    sys.exit(main())
