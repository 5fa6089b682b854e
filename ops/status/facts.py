"""The records of a status: what `slipway status --json` prints. Times are seconds, ages are of the moment of asking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops.nodes import Node


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model in one worker. `form` is compiled or native, empty while it loads."""

    name: str
    version: str
    digest: str
    form: str
    status: str

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, kw_only=True)
class Worker:
    number: int
    deployment: str
    up_seconds: float
    ready: bool
    models: Sequence[ServedModel] = ()


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """`error` is why the node, or its server, could not be asked; `health` is the balancer's word."""

    name: str
    id: str
    state: str
    health: str
    error: str = ""
    deployment: str | None = None
    confirmed: str | None = None
    provisional: str | None = None
    seconds_left: int | None = None
    slot: str | None = None
    draining: bool = False
    trial: str = ""
    """The deployment on trial beside what it serves; with its percentage, 0 of copies, and how those compare."""
    trial_percent: int | None = None
    trial_answers: Mapping[str, Any] | None = None
    release: str = ""
    requests: float = 0
    errors: float = 0
    refused: str = ""
    """Why it does not serve what the pointer named when it asked."""
    last_error: str = ""
    last_error_age: float | None = None
    workers: Sequence[Worker] = ()
    jobs: Mapping[str, Any] | None = None
    """How it finds broker and database of jobs, and how many are queued; None where there are no jobs."""


@dataclass(frozen=True, kw_only=True)
class WantedModel:
    """A model of the wanted deployment, and the aliases of its name in the registry, None when that cannot be asked."""

    name: str
    version: str
    digest: str
    aliases: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """`deployment` is what the pointer names. `lock` and `paused` are in words, empty when there is none."""

    stack: str
    deployment: str
    release: str
    models: Sequence[WantedModel]
    nodes: Sequence[NodeStatus]
    alias: str = ""
    registry_error: str = ""
    unserved: Sequence[str] = ()
    lock: str = ""
    trial: str = ""
    """The deployment that is on trial in the fleet, and `trial_words` with its traffic, since when and by whom."""
    trial_percent: int | None = None
    trial_words: str = ""
    paused: str = ""
    jobs: str = ""
    """How many asynchronous predictions wait, and who takes them, in words; empty where there are none."""
    pipelines: str = ""
    """The node of Airflow, in words; empty where there is none."""
    problems: Sequence[str] = field(default=())

    @property
    def agrees(self) -> bool:
        return not self.problems


def node_status(node: Node, health: str, said: Mapping[str, Any] | str, now: float) -> NodeStatus:
    """From what `slipway-activate status --json --server` printed, or from why it printed nothing."""
    if isinstance(said, str):
        return NodeStatus(name=node.name, id=node.id, state=node.state, health=health, error=said)
    server = said.get("server") or {}
    version = server.get("version") or {}
    failure = server.get("last_error") or {}
    counts = server.get("counts") or {}
    refused = said.get("last_error") or {}
    trial = said.get("trial") or {}
    return NodeStatus(
        name=node.name,
        id=node.id,
        state=node.state,
        health=health,
        error=server.get("error", ""),
        deployment=version.get("deployment") or said.get("serving"),
        confirmed=said.get("confirmed"),
        provisional=said.get("provisional"),
        seconds_left=said.get("seconds_left"),
        slot=said.get("slot"),
        draining=bool(said.get("draining")),
        trial=str(trial.get("deployment", "")),
        trial_percent=trial.get("percent"),
        trial_answers=trial.get("answers"),
        release=str(version.get("release", "")),
        requests=counts.get("requests", 0),
        errors=counts.get("errors", 0),
        refused=f"deployment {refused['deployment']}: {refused['message']}" if refused else "",
        last_error=str(failure.get("message", "")),
        last_error_age=max(0.0, now - failure["time"]) if failure else None,
        workers=[_worker(worker, version, now) for worker in version.get("workers", [])],
        jobs=said.get("jobs"),
    )


def _worker(said: Mapping[str, Any], version: Mapping[str, Any], now: float) -> Worker:
    digests = {model["name"]: str(model.get("digest", "")) for model in version.get("models", [])}
    return Worker(
        number=int(said["number"]),
        deployment=str(said["deployment"]),
        up_seconds=max(0.0, now - datetime.fromisoformat(said["since"]).timestamp()),
        ready=bool(said.get("ready")),
        models=[
            ServedModel(
                name=model["name"],
                version=str(model["version"]),
                digest=digests.get(model["name"], ""),
                form=model.get("kind") or "",
                status=str(model.get("status", "")),
            )
            for model in said.get("models", [])
        ],
    )
