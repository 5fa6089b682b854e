"""The models of one deployment in one worker: loaded and checked in order, and what became of each.

A model that does not load or contradicts its deployment keeps no other from serving, and says why it is not there.
"""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from app.core.decision import Decision
from app.core.deployment import Deployment, ModelVersion
from app.core.lane import Lane, Timed, open_lane
from app.core.model import LoadedModel, load

log = logging.getLogger(__name__)


@dataclass
class Shelf:
    """`failed` says why, by name; what is neither loaded nor failed is still to come."""

    deployment: Deployment
    folder: Path
    loaded: dict[str, LoadedModel] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def fill(self, timed: Timed) -> None:
        """On the scoring thread. `timed` runs one predict under the watchdog."""
        for version in self.deployment.models:
            started = time.monotonic()
            reason = self._take(version, timed)
            seconds = round(time.monotonic() - started, 3)
            facts = {"model": version.name, "version": version.version, "seconds": seconds}
            if reason is None:
                log.info("model ready", extra=facts)
            else:
                log.error(
                    "model not ready: %s", reason, extra=facts
                )  # first: who sees the failure may end this process
                self.failed[version.name] = reason

    def _take(self, version: ModelVersion, timed: Timed) -> str | None:
        """None, or why the model cannot serve. Whatever a model's code raises here is the operator's to read."""
        try:
            model = load(version, self.folder)
        except Exception as error:
            log.exception("model %s does not load", version.label)
            return f"it does not load: {type(error).__name__}: {error}"
        try:
            contradiction: str | None = timed(model.contradiction)
        except Exception as error:
            log.exception("model %s does not answer its example", version.label)
            cause = error.__cause__ or error
            return f"it does not answer its example: {type(cause).__name__}: {cause}"
        if contradiction:
            return contradiction
        self.lanes[version.name] = open_lane(model, timed)
        del model.known  # it has been tried, and a golden set may be large
        self.loaded[version.name] = model
        return None

    @property
    def is_full(self) -> bool:
        return len(self.loaded) == len(self.deployment.models)

    def status(self, version: ModelVersion) -> str:
        if version.name in self.loaded:
            return "ready"
        return "failed" if version.name in self.failed else "loading"

    def decision(self, version: ModelVersion) -> Decision | None:
        """Natively or compiled, and why; None while the model is not loaded."""
        loaded = self.loaded.get(version.name)
        return loaded.scorer.decision if loaded else None

    def check(self, version: ModelVersion) -> dict[str, str]:
        """A failing check of /readyz."""
        message = self.failed.get(version.name, "the model is being loaded")
        return {"check": f"model {version.label}", "status": self.status(version), "message": message}

    def missing(self) -> list[dict[str, str]]:
        return [self.check(version) for version in self.deployment.models if version.name not in self.loaded]
