"""The models of one deployment in one worker: loaded and checked in order, looked up by name, asked for predictions.

A request that arrives while they load simply waits for them: the one scoring thread (`scoring.py`) takes work in order.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.batch import Call, Timings, Work
from app.core.board import Board
from app.core.decision import Decision
from app.core.deployment import Deployment, ModelVersion
from app.core.errors import NotReadyError, OverloadedError, UnknownModelError
from app.core.inputs import Input
from app.core.lane import Lane
from app.core.meters import Meters
from app.core.model import LoadedModel
from app.core.probabilities import Labelled, probabilities
from app.core.samples import Samples
from app.core.scoring import Scoring
from app.core.shelf import Shelf

__all__ = ["Serving", "Timings"]

BLOCKED_LIMIT = 64  # predictions for which a thread waits; the server has more threads, which then refuse at once
HOW_TO_DELIVER = (
    "to deliver one, log it with an input example and register it in MLflow, set its alias champion, "
    "make a deployment of it with `slipway deployment make NAME@champion`, and roll that out with playbooks/deploy.yml"
)

log = logging.getLogger(__name__)


@dataclass
class Serving:
    deployment: Deployment
    models_folder: Path
    drain_file: Path
    slot: str = ""
    board: Board = field(default_factory=Board)
    meters: Meters = field(default_factory=Meters)
    samples: Samples | None = None
    worker: int = 0
    draining: bool = False
    _thread: Scoring | None = None
    _blocking: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(BLOCKED_LIMIT))
    _shelf: Shelf = field(init=False)

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.deployment, self.models_folder)

    def start(self, worker: int = 0) -> None:
        """After the fork: starts the scoring thread, whose first work is to load and check every model."""
        self.worker = worker
        self._thread = Scoring(self._batched)
        self.meters.start(worker, self.about)
        if self.samples:
            self.samples.start()
        self._thread.submit(self._prepare)

    @property
    def scoring(self) -> Scoring:
        assert self._thread is not None, "start() comes first"
        return self._thread

    def version(self, name: str | None) -> ModelVersion:
        """The named model, or the default one: the one that says so, or the only one."""
        models = self.deployment.models
        if not models:
            raise UnknownModelError(f"deployment {self.deployment.id} has no model; {HOW_TO_DELIVER}")
        names = ", ".join(model.name for model in models)
        if name is not None:
            found = next((model for model in models if model.name == name), None)
            if found is None:
                raise UnknownModelError(
                    f"there is no model {name!r} in deployment {self.deployment.id}, which has: {names}"
                )
            return found
        if default := self.default():
            return default
        raise UnknownModelError(f"deployment {self.deployment.id} has no default model, name one of: {names}")

    def default(self) -> ModelVersion | None:
        models = self.deployment.models
        return next((model for model in models if model.default), models[0] if len(models) == 1 else None)

    def model(self, version: ModelVersion) -> LoadedModel:
        """The loaded model, waiting for the first load if that is still under way."""
        if self._shelf.status(version) == "loading":
            self.scoring.submit(lambda: None).result()
        if reason := self._shelf.failed.get(version.name):
            raise NotReadyError(f"model {version.label} is not ready: {reason}")
        return self._shelf.loaded[version.name]

    def lane(self, version: ModelVersion) -> Lane | None:
        """How the model takes batches; None while it is not loaded."""
        return self._shelf.lanes.get(version.name)

    def predict(self, model: LoadedModel, given: Input, timings: Timings) -> Any:
        """Waits for the answer. Refuses at once when it would have to wait too long."""
        return self._wait(model, given, timings, given.rows)

    def run(self, model: LoadedModel, work: Callable[[], Any], rows: int, timings: Timings) -> Any:
        """Waits for other work with the model that must be on the scoring thread; never part of a batch."""
        return self._wait(model, work, timings, rows)

    def probabilities(self, model: LoadedModel, given: Input, timings: Timings) -> Labelled | None:
        """As `predict`, of what it took; None for what is no classifier."""
        if model.classes is None:
            return None
        labelled: Labelled | None = self.run(model, lambda: probabilities(model, given), given.rows, timings)
        return labelled

    def _wait(self, model: LoadedModel, given: Input | Work, timings: Timings, rows: int) -> Any:
        if not self._blocking.acquire(blocking=False):
            raise OverloadedError(f"{BLOCKED_LIMIT} requests are waiting for predictions in this worker already")
        try:
            ended = threading.Event()
            call = Call(self._shelf.lanes[model.version.name], given, timings, lambda _: ended.set(), rows)
            self.scoring.admit(call)
            self.scoring.enqueue([call])
            ended.wait()
        finally:
            self._blocking.release()
        return call.answer()

    def _batched(self, calls: list[Call], queue_seconds: float, predict_seconds: float) -> None:
        """Every predict passes here."""
        version, rows = calls[0].lane.model.version, sum(call.rows for call in calls)
        self.meters.batch(
            version.name,
            version.version,
            rows=rows,
            requests=len(calls),
            queue_seconds=queue_seconds,
            predict_seconds=predict_seconds,
        )
        if self.samples:
            self.samples.offer(calls)

    def _prepare(self) -> None:
        self._shelf.fill(self.scoring.timed)
        self.meters.publish()  # so that a server that says it is ready has workers that all say so
        if not self._shelf.failed:
            self.board.ready(self.worker)

    @property
    def is_ready(self) -> bool:
        """This worker, whatever the others do."""
        return self._shelf.is_full

    @property
    def is_draining(self) -> bool:
        return self.draining or self.drain_file.exists()

    def failing_checks(self) -> list[dict[str, str]]:
        """Empty when ready. Once every worker has been ready, only draining takes that back."""
        checks = []
        if self.is_draining:
            message = "this server is being taken out of service"
            checks.append({"check": "draining", "status": "failed", "message": message})
        if not self.board.complete:
            checks += self._shelf.missing()
            message = f"{self.board.count} of {self.board.workers} workers are ready"
            checks.append({"check": "workers", "status": "waiting", "message": message})
        return checks

    def status(self, version: ModelVersion) -> str:
        return self._shelf.status(version)

    def decision(self, version: ModelVersion) -> Decision | None:
        """Natively or compiled, and why; None while the model is not loaded."""
        return self._shelf.decision(version)

    def about(self) -> dict[str, Any]:
        """This worker as the others may tell of it: see Meters.start."""
        models = [
            {"name": each.name, "version": each.version, "status": self.status(each), "kind": decided and decided.kind}
            for each, decided in ((version, self.decision(version)) for version in self.deployment.models)
        ]
        return {"ready": self.is_ready, "in_flight": self.scoring.waiting, "models": models}
