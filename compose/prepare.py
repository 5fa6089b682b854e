"""`make compose`: all that `docker-compose up --build` takes from this checkout, laid out below .slipway/compose.

The folder `context` is what images are built from: the releases, as `make release` builds them, and a node's files.
Equal inputs give equal files, so that the engine's cache of layers holds. `secrets` is made once.
"""

import json
import os
import re
import secrets as random
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from compose.jobs import ON
from compose.memory import MEMORY, available_mib
from compose.secrets import NAMES
from contract.node_files import node_files
from jobs.node import broker
from localcloud.database import ca
from ops import canonical, release
from ops.errors import UserError, interruptible, reported
from ops.node_python import Progress
from ops.packages import Kind

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDER = CHECKOUT / ".slipway" / "compose"
NEEDED_MIB = 3072
"""Database, MLflow, one server with both its slots, and a delivery in its sandbox."""
BESIDE = ("Dockerfile", "packages", "haproxy.cfg", "database", "broker")
UNPACKING = ("compose/__init__.py", "compose/unpack.py", "slipway_node/")
"""Of a node's files those that unpack a release: with others changed, the layers of releases stay."""
OFF = '{"error": "there are no jobs: this stack runs without its profile jobs"}'
FACTS = {"region": "", "bucket": "", "deployment_parameter": ""}
TLS = {name: tuple(f"{name}_{part}" for part in ("authority", "certificate", "key")) for name in ("database", "broker")}
DEFINITIONS = "broker_definitions"


def prepare(folder: Path = FOLDER, progress: Progress = lambda _: None) -> None:
    """Raises `UserError`."""
    require_memory()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    releases: Mapping[Kind, release.Release] = {
        "server": release.build("server", progress),
        "control": release.build("control", progress),
        "jobs": release.build("jobs", progress),
    }
    progress("laying out what the images are built from")
    lay_out(folder, releases)
    make_secrets(folder / "secrets")


def require_memory(file: Path = MEMORY) -> None:
    if (free := available_mib(file)) < NEEDED_MIB:
        message = f"this machine has {free} MiB of memory free, the Compose stack needs {NEEDED_MIB}"
        raise UserError(message, "free some, or use a machine with more")


def lay_out(folder: Path, releases: Mapping[Kind, release.Release]) -> None:
    context, draft = folder / "context", folder / ".context"
    shutil.rmtree(draft, ignore_errors=True)
    for kind, built in releases.items():
        place = draft / "releases" / kind / f"{built.digest}.tar.zst"
        place.parent.mkdir(parents=True)
        shutil.copyfile(built.file, place)
    for name, (text, mode) in files(releases["server"].digest).items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)
    shutil.rmtree(context, ignore_errors=True)
    draft.replace(context)


def files(server_release: str) -> dict[str, tuple[str, int]]:
    """Every file of the context but the releases, by its path in there: content and mode."""
    own = CHECKOUT / "compose"
    manifest = canonical.json_bytes({"schema": 1, "release": server_release, "models": []})
    pointed = {"deployment": canonical.sha256(manifest)[:12], "release": server_release}
    found = {name: ((own / name).read_text(), (own / name).stat().st_mode & 0o777) for name in BESIDE}
    found |= {f"node/usr/local/lib/slipway/compose/{path.name}": (path.read_text(), 0o644) for path in own.glob("*.py")}
    found |= {
        "node/etc/slipway/facts.json": (json.dumps(FACTS), 0o644),
        "bootstrap/bootstrap.json": (json.dumps(pointed), 0o644),
        "bootstrap/bootstrap-manifest.json": (manifest.decode(), 0o644),
    }
    for file in [*node_files("tracking"), *node_files("serving"), *node_files("broker")]:
        if file.path.startswith("/etc/nginx/slipway/jobs/"):
            name = file.path.removeprefix("/etc/nginx/slipway/jobs/")
            found[f"nginx/slipway/enabled/jobs/{name}"] = (while_on(file.content), int(file.mode, 8))
        elif file.path.startswith("/etc/rabbitmq/"):
            found[f"rabbitmq/{file.path.removeprefix('/etc/rabbitmq/')}"] = (file.content, int(file.mode, 8))
        elif file.path.startswith("/etc/nginx/"):
            found[f"nginx/{file.path.removeprefix('/etc/nginx/')}"] = (in_container(file.content), int(file.mode, 8))
        elif file.path.startswith(("/usr/local/lib/slipway/slipway", "/etc/slipway/contract")):
            found[f"node{file.path}"] = (file.content, int(file.mode, 8))
    del found["nginx/slipway/mlflow.conf"]  # the tracking node's own server: MLflow has a container of its own
    own_library = "node/usr/local/lib/slipway/"
    for name in [each for each in found if each.startswith(tuple(own_library + part for part in UNPACKING))]:
        found[f"unpack/{name.removeprefix('node/')}"] = found[name]
    return found


def in_container(text: str) -> str:
    """A node's Nginx configuration where there is no journal, no user to become, and one folder to write to."""
    text = re.sub(r"access_log syslog:\S+", "access_log /dev/stdout", text)
    text = re.sub(r"error_log syslog:\S+", "error_log stderr", text)
    text = text.replace('"/readyz 200" 0;', '"/readyz 200" 0;\n        "/livez 200" 0;')  # the engine's own question
    return text.replace("user www-data;\n", "").replace("pid /run/nginx.pid;", "pid /run/slipway/nginx.pid;")


def while_on(text: str) -> str:
    """A node's Nginx about jobs, which here must serve without them too, as they come and go with a profile."""
    off, place = f"if (!-e {ON})", "location ~ ^/jobs/ {\n"
    text = text.replace("error_page 420", f"{off} {{ set $slipway_later 0; }}\nerror_page 420")
    return text.replace(place, f"{place}    {off} {{ return 404 '{OFF}\\n'; }}\n")


def make_secrets(folder: Path) -> None:
    """Those that are missing. The folder is its owner's alone, the files are for whom the engine hands them to."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    made = {name: random.token_urlsafe(32).encode() for name in NAMES if not (folder / name).exists()}
    for host, names in TLS.items():
        if not all((folder / name).exists() for name in names):
            made |= dict(zip(names, ca.self_contained(host), strict=True))
    if "broker_password" in made or not (folder / DEFINITIONS).exists():
        password = made.get("broker_password") or (folder / "broker_password").read_bytes()
        made[DEFINITIONS] = json.dumps(broker.definitions(password.decode())).encode()
    for name, content in made.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o444)


def give(folder: Path, owner: Path = CHECKOUT) -> None:
    """To whom the checkout belongs: root has made it, and it is the user's `docker-compose` that reads it."""
    if os.geteuid() == 0:
        found = owner.stat()
        for path in (folder.parent, folder, *folder.rglob("*")):
            os.chown(path, found.st_uid, found.st_gid)


def main() -> None:
    interruptible()
    with reported("make compose"):
        prepare(progress=lambda text: print(text, file=sys.stderr, flush=True))
        give(FOLDER)
        print(FOLDER)


if __name__ == "__main__":
    main()
