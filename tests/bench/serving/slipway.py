"""Slipway as its unit starts it: the shipped unit file is rendered and its own environment and command are run.

Only the places differ: the node's paths are moved below a folder of this run, the checkout stands where the unpacked
release would, and its locked packages are the `.venv`'s. systemd's sandbox is not there.
"""

import base64
import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

import contract
from ops import canonical, compiling
from ops.run import run
from tests.bench.serving import protocols
from tests.bench.serving.environments import CHECKOUT
from tests.bench.serving.servers import Place, Server, Start

UNIT = CHECKOUT / "cloud-init/files/etc/systemd/system/model-server@.service.j2"
SLOT = "a"
NATIVE = "Slipway"
COMPILED = "Slipway, compiled"
ECHO = "bare echo, same worker"
ECHO_CONFIG = "tests.bench.serving.echo"
PREPARE_SECONDS = 300


@dataclass(frozen=True)
class Unit:
    """What a unit file says of how its process starts."""

    env: dict[str, str]
    command: list[str]


def moved(root: Path) -> dict[str, dict[str, Any]]:
    """The contract as templates see it, with every path below `root`."""
    data: dict[str, dict[str, Any]] = yaml.safe_load(contract.FILE.read_text())
    return {**data, "paths": {name: f"{root}{path}" for name, path in data["paths"].items()}}


def rendered(root: Path) -> str:
    """The shipped unit with the node's paths below `root`."""
    environment = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    return environment.from_string(UNIT.read_text()).render(contract=moved(root))


def parse(text: str, python: str) -> Unit:
    """Environment= and ExecStart= of slot `a`, with `python` for the node's."""
    lines = text.replace("%i", SLOT).splitlines()
    pairs = [line.partition("=")[::2] for line in lines if re.match(r"(Environment|ExecStart)=", line)]
    env = dict(word.split("=", 1) for key, value in pairs if key == "Environment" for word in shlex.split(value))
    command = next(value for key, value in pairs if key == "ExecStart")
    return Unit(env=env, command=[python if word == "/usr/bin/python3" else word for word in shlex.split(command)])


def release_digest() -> str:
    """Names the code that is measured, as a release's digest would."""
    sources = sorted((CHECKOUT / "app").rglob("*.py"))
    return canonical.sha256(
        canonical.json_bytes({str(path.relative_to(CHECKOUT)): path.read_text() for path in sources})
    )


def expected(model: Path) -> Any:
    """The manifest's expectation, computed by the release as a real deployment's is."""
    done = run(
        [sys.executable, "-m", "app.expect", model], env={"PYTHONPATH": str(CHECKOUT)}, timeout_seconds=PREPARE_SECONDS
    )
    return json.loads(done.stdout.splitlines()[-1])


def convert(models: Path, model: Path) -> dict[str, Any]:
    """The manifest's decision about the model, and its compiled form among the models, as a deployment has them."""
    argv: list[str | Path] = [sys.executable, "-m", "app.convert", model]
    done = run(argv, env={"PYTHONPATH": str(CHECKOUT)}, timeout_seconds=PREPARE_SECONDS)
    found = json.loads(done.stdout.splitlines()[-1])
    if content := found.pop("model"):
        found["digest"] = canonical.sha256(content.encode())
        (models / found["digest"]).mkdir()
        (models / found["digest"] / compiling.FILE).write_bytes(base64.b64decode(content))
    return compiling.entry(found)


def deploy(root: Path, model: Path, *, compiled: bool) -> None:
    """What slipway-activate leaves for a slot: the model under its digest, the manifest, and the release's files."""
    digest = canonical.sha256(str(model).encode())
    paths = {name: Path(path) for name, path in moved(root)["paths"].items()}
    slot = paths["slots"] / SLOT
    for folder in (slot / "release", paths["models"], paths["run"]):
        folder.mkdir(parents=True)
    (slot / "release/src").symlink_to(CHECKOUT)
    shutil.copytree(model, paths["models"] / digest)
    entry = {
        "name": model.name,
        "version": "1",
        "run_id": None,
        "source": None,
        "digest": digest,
        "default": True,
        "expected": expected(model),
        **(convert(paths["models"], model) if compiled else {}),
    }
    manifest = {"schema": 1, "release": release_digest(), "models": [entry]}
    (slot / "deployment.json").write_bytes(canonical.json_bytes(manifest))


def start(place: Place, *, compiled: bool) -> Start:
    root = place.folder
    deploy(root, place.model, compiled=compiled)
    unit = parse(rendered(root), sys.executable)
    env = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        **unit.env,
        "SLIPWAY_RUN": f"{root}{contract.PATHS.run}",
        "SLIPWAY_WORKERS": str(place.workers),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # a release brings its byte code along, the `.venv` gets it from a start
    cwd = Path(f"{root}{contract.PATHS.slots}") / SLOT
    place.socket.symlink_to(Path(f"{root}{contract.PATHS.run}") / f"{SLOT}.sock")
    return Start(argv=unit.command, cwd=cwd, env=env)


def native(place: Place) -> Start:
    return start(place, compiled=False)


def compiled(place: Place) -> Start:
    return start(place, compiled=True)


def decided(folder: Path) -> str:
    """Why the compiled row serves natively after all; empty when it does not."""
    for path in folder.rglob("deployment.json"):
        (model,) = json.loads(path.read_text())["models"]
        if "compiled" in model:
            return ""
        if "native" in model:
            return f"served natively: {model['native']['reason']}"
    return "served natively: nothing was decided"


def echo(place: Place) -> Start:
    """The same start, with an application that does nothing."""
    as_shipped = native(place)
    return replace(as_shipped, argv=[word.replace("app.gunicorn_config", ECHO_CONFIG) for word in as_shipped.argv])


def compiles() -> bool:
    return (CHECKOUT / "app/convert.py").exists()


def servers() -> list[Server]:
    """Native first; compiled where this checkout can compile; the echo last, which is no server of models."""
    ours = Server(
        name=NATIVE,
        lock="",
        start=native,
        protocol=protocols.MLFLOW,
        ready="/readyz",
        batching=True,
        on_socket=True,
    )
    rows = [ours]
    if compiles():
        rows.append(replace(ours, name=COMPILED, start=compiled, note=decided))
    if (CHECKOUT / "app/loop").exists():
        rows.append(replace(ours, name=ECHO, start=echo, echo=True))
    return rows
