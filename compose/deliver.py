"""`docker-compose run --rm deliver NAME@ALIAS…`: models from MLflow to the servers, or one line that says why not.

The deployment is made as the `slipway` command makes it. It must pass the gate in the sandbox before the pointer
moves, and every server must come to serve it; if one does not, the pointer goes back, and the servers with it.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from slipway_node import fetch
from slipway_node.node import Node

from compose import secrets
from compose.bucket import VolumeStore
from compose.volume import BOOTSTRAP, ROOT, Volume
from contract import HEADERS, PORTS
from ops import candidate, promotion, sandbox
from ops.errors import RefusedError, UserError, reported
from ops.lock import exclusive
from ops.node_python import Progress
from ops.run import CommandError

TRACKING = "http://mlflow:5000"
SERVERS = "server"
FOLLOW_SECONDS = 240.0
POLL_SECONDS = 0.5
KEEP = 3


@dataclass(frozen=True)
class Bounds:
    """What a candidate is held to; the defaults of the stack's setting `delivery`."""

    require_example: bool = True
    answer_milliseconds: int = 1000
    require_signature: bool = True
    metric: str | None = None
    metric_goal: str = "lower"
    metric_margin: float = 0.0


class Delivery:
    def __init__(self, store: VolumeStore, node: Node, release: str, say: Progress) -> None:
        self.store, self.node, self.release, self.say = store, node, release, say

    def make(self, models: list[str], *, alone: bool, breaking: bool) -> str:
        """The id of the deployment, which holds its own against what is served. Raises `UserError`."""
        plan = promotion.plan(
            self.store, models, self.release, breaking=breaking, alone=alone, mode="auto", progress=self.say
        )
        if not models and not plan.current["models"]:
            raise UserError("no model was delivered yet", "name one: deliver NAME@ALIAS")
        made = promotion.make(self.store, plan, self.say)
        found = self.store.manifest(made)
        refusals = candidate.compare(found, plan.current, candidate.measurements(self.store, made), Bounds())
        if refusals:
            raise RefusedError(refusals[0].model, "; ".join(map(str, refusals)), "what is served stays as it is")
        return made

    def gate(self, deployment: str) -> None:
        """Its files on the volume, under their digests; and its answers, in the sandbox. Raises `UserError`."""
        fetch.deployment(self.node, Volume(self.node, self.release, self.store.root), deployment)
        self.say(f"asking deployment {deployment} what it must answer")
        env = {"PYTHONPATH": "/usr/local/lib/slipway", "PYTHONDONTWRITEBYTECODE": "1"}
        hint = "what is served stays as it is"
        try:
            sandbox.run(["-m", "compose.trial", deployment], env, None, hint)
        except CommandError as error:
            said = error.result.stderr.strip().splitlines() or [error.reason]
            raise UserError(f"deployment {deployment} is refused: {said[-1]}", hint) from None

    def commit(self, deployment: str) -> str:
        """The servers serve it, or what they served before. Returns what came of it. Raises `UserError`."""
        before = self.store.pointer()
        self.store.point(deployment)
        self.say(f"the pointer names {deployment}")
        serving, left = follow(deployment)
        if not left:
            return f"{len(serving)} servers serve it" if serving else "no server runs: they serve it when they start"
        if self.store.manifest(before)["release"] == self.release:
            self.store.point(before)
            follow(before)
        hint = f"see their logs; they go on with {before}"
        raise UserError(f"{len(left)} of {len(serving) + len(left)} servers do not serve {deployment}", hint)

    def prune(self) -> None:
        """What is unpacked for neither what is served nor the deployments before it: its archives stay."""
        found = sorted(self.node.deployments.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        pointed = {json.loads(path.read_text())["deployment"] for path in (self.store.root / "pointers").iterdir()}
        kept = {path.stem for path in found[:KEEP]} | pointed
        digests = {
            digest
            for name in kept
            if (manifest := fetch.read_manifest(self.node, name))
            for digest in manifest.model_digests
        }
        for path in found:
            if path.stem not in kept:
                path.unlink()
        for folder in self.node.models.iterdir():
            if folder.name not in digests:
                fetch.discard(folder)


def follow(deployment: str) -> tuple[list[str], list[str]]:
    """The addresses of servers that serve it, and of those that do not after a while. Who is gone does not count."""
    deadline = time.monotonic() + FOLLOW_SECONDS
    while True:
        answers = {address: served(address) for address in addresses()}
        left = [address for address, found in answers.items() if found not in (deployment, None)]
        starting = [address for address, found in answers.items() if found is None]
        if (not left and not starting) or time.monotonic() > deadline:
            return [address for address, found in answers.items() if found == deployment], [*left, *starting]
        time.sleep(POLL_SECONDS)


def addresses() -> list[str]:
    """Of every server: the engine's DNS knows them by the service's name."""
    try:
        found = socket.getaddrinfo(SERVERS, PORTS.node_http, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return sorted({str(each[4][0]) for each in found})


def served(address: str) -> str | None:
    """The deployment that a server answers with; None when it does not answer."""
    connection = http.client.HTTPConnection(address, PORTS.node_http, timeout=10)
    try:
        connection.request("GET", "/version")
        return connection.getresponse().headers.get(HEADERS.deployment)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="deliver", description="Bring models from MLflow to the servers.")
    found.add_argument("models", nargs="*", metavar="NAME@ALIAS|NAME/VERSION", help="none: those that are served")
    found.add_argument("--only", action="store_true", help="serve these alone, the first as the default")
    found.add_argument("--breaking", action="store_true", help="they may break the callers of the versions before")
    return found


def main() -> None:
    given = parser().parse_args()
    os.environ |= {"MLFLOW_TRACKING_URI": TRACKING, "MLFLOW_TRACKING_USERNAME": secrets.ADMIN}
    os.environ["MLFLOW_TRACKING_PASSWORD"] = secrets.read("mlflow_admin_password")
    with reported("deliver"):
        store = VolumeStore("", str(ROOT), "")
        release = json.loads(BOOTSTRAP.read_text())["release"]
        scratch(Path(os.environ["TMPDIR"]))
        say: Progress = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
        with exclusive(ROOT / "deliver.lock", "a delivery"):
            delivery = Delivery(store, Node.load(), release, say)
            made = delivery.make(given.models, alone=given.only, breaking=given.breaking)
            delivery.gate(made)
            outcome = delivery.commit(made)
            delivery.prune()
        print(json.dumps({"id": made, "outcome": outcome}))


def scratch(folder: Path) -> None:
    """Where the sandbox sees what it is asked about; what a killed delivery left there goes."""
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()


if __name__ == "__main__":
    main()
