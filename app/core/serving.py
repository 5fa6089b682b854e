"""The models of one deployment in one worker, and the one thread that loads, checks and runs them.

One thread, because not every model is safe from two, and because numeric libraries keep a thread pool per caller.
It takes work in order, so a request that arrives while the models load simply waits for them.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core import decision
from app.core.board import Board
from app.core.deployment import Deployment, ModelVersion
from app.core.errors import NotReadyError, OverloadedError, UnknownModelError
from app.core.inputs import Input
from app.core.model import LoadedModel, load

QUEUE_LIMIT = 48  # predictions waiting in one worker; below gunicorn's threads, so that health checks find a free one
HOW_TO_DELIVER = (
    "to deliver one, log it with an input example and register it in MLflow, set its alias champion, "
    "make a deployment of it with `slipway deployment make NAME@champion`, and roll that out with playbooks/deploy.yml"
)

log = logging.getLogger(__name__)


@dataclass
class Timings:
    """Seconds that one prediction waited and ran, for the access log."""

    queue: float = 0.0
    predict: float = 0.0


@dataclass
class Serving:
    deployment: Deployment
    models_folder: Path
    drain_file: Path
    cache: Path | None = None  # for compiled models
    board: Board = field(default_factory=Board)
    worker: int = 0
    draining: bool = False
    predicting_since: float | None = None  # time.monotonic(); gunicorn's heartbeat stands still while it does
    _loaded: dict[str, LoadedModel] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)
    _waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor | None = None

    def start(self, worker: int = 0) -> None:
        """After the fork: starts the scoring thread, whose first work is to load and check every model."""
        self.worker = worker
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scoring")
        self._thread.submit(self._prepare)

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
        if version.name not in self._loaded and version.name not in self._failed:
            assert self._thread is not None, "start() comes first"
            self._thread.submit(lambda: None).result()
        if reason := self._failed.get(version.name):
            raise NotReadyError(f"model {version.label} is not ready: {reason}")
        return self._loaded[version.name]

    def predict(self, model: LoadedModel, given: Input, timings: Timings) -> Any:
        """Runs on the scoring thread, in order of arrival; refuses at once when too many wait already."""
        assert self._thread is not None, "start() comes first"
        with self._lock:
            if self._waiting >= QUEUE_LIMIT:
                raise OverloadedError(f"{self._waiting} predictions are waiting in this worker already")
            self._waiting += 1
        try:
            return self._thread.submit(self._score, model, given, timings, time.monotonic()).result()
        finally:
            with self._lock:
                self._waiting -= 1

    def _score(self, model: LoadedModel, given: Input, timings: Timings, queued: float) -> Any:
        self.predicting_since = started = time.monotonic()
        timings.queue = started - queued
        try:
            return model.predict(given)
        finally:
            timings.predict = time.monotonic() - started
            self.predicting_since = None

    def _prepare(self) -> None:
        for version in self.deployment.models:
            started = time.monotonic()
            reason = self._prepare_one(version)
            seconds = round(time.monotonic() - started, 3)
            facts = {"model": version.name, "version": version.version, "seconds": seconds}
            if reason is None:
                log.info("model ready", extra=facts)
            else:
                self._failed[version.name] = reason
                log.error("model not ready: %s", reason, extra=facts)
        if not self._failed:
            self.board.ready(self.worker)

    def _prepare_one(self, version: ModelVersion) -> str | None:
        """None, or why the model cannot serve. Whatever a model's code raises here is the operator's to read."""
        try:
            model = load(version, self.models_folder / version.digest, self._decided(version))
        except Exception as error:
            log.exception("model %s does not load", version.label)
            return f"it does not load: {type(error).__name__}: {error}"
        self.predicting_since = time.monotonic()
        try:
            contradiction = model.contradiction()
        except Exception as error:
            log.exception("model %s does not answer its example", version.label)
            cause = error.__cause__ or error
            return f"it does not answer its example: {type(cause).__name__}: {cause}"
        finally:
            self.predicting_since = None
        if contradiction:
            return contradiction
        self._loaded[version.name] = model
        return None

    def _decided(self, version: ModelVersion) -> Path | None:
        return decision.entry(self.cache, version.digest, self.deployment.release) if self.cache else None

    @property
    def is_ready(self) -> bool:
        """This worker, whatever the others do."""
        return len(self._loaded) == len(self.deployment.models)

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
            checks += [self._check(version) for version in self.deployment.models if version.name not in self._loaded]
            message = f"{self.board.count} of {self.board.workers} workers are ready"
            checks.append({"check": "workers", "status": "waiting", "message": message})
        return checks

    def status(self, version: ModelVersion) -> str:
        if version.name in self._loaded:
            return "ready"
        return "failed" if version.name in self._failed else "loading"

    def _check(self, version: ModelVersion) -> dict[str, str]:
        message = self._failed.get(version.name, "the model is being loaded")
        return {"check": f"model {version.label}", "status": self.status(version), "message": message}
