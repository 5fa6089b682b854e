"""What a training knows, in MLflow: one run there for each, found again by the id that started it.

Its tags say which steps are done and what they found, its artifacts are what one step leaves for the next. A step is
written down when it has ended, so one that was killed has not happened, and is done again.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ops.errors import UserError

IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+~-]{0,249}")
TRAINING = "slipway.training"
"""The tag with the id; of a model version too."""
PIPELINE = "slipway.pipeline"
STEP = "slipway.step."
FAILED = "slipway.failed"
ARTIFACTS = "training"
TAG_CHARACTERS = 1000


class NotDoneError(UserError):
    """A step that this one needs has not been done in this run."""


@dataclass(frozen=True)
class Book:
    client: MlflowClient
    run: Run

    @classmethod
    def open(cls, pipeline: str, identity: str) -> "Book":
        """The run of this id, made when there is none yet. Raises `UserError`."""
        if not IDENTITY.fullmatch(identity):
            raise UserError(f"{identity!r} is no id of a run", "letters, digits and -_.:+~, at most 250")
        client = MlflowClient()
        try:
            experiment = _experiment(client, pipeline)
            where = f"tags.`{TRAINING}` = '{identity}' and tags.`{PIPELINE}` = '{pipeline}'"
            known = client.search_runs([experiment], where, order_by=["attributes.start_time ASC"], max_results=1)
            tags = {TRAINING: identity, PIPELINE: pipeline}
            return cls(client, known[0] if known else client.create_run(experiment, tags=tags, run_name=identity))
        except MlflowException as error:
            raise UserError(
                f"MLflow cannot be asked: {first_line(error)}", "is MLFLOW_TRACKING_URI set, and up?"
            ) from None

    @property
    def id(self) -> str:
        return str(self.run.info.run_id)

    @cached_property
    def tags(self) -> dict[str, str]:
        """As they were when the book was opened, and what was told since."""
        return dict(self.run.data.tags)

    def outcome(self, step: str) -> str | None:
        """What came of a step; None when it has not ended well yet."""
        return self.tags.get(STEP + step)

    def need(self, tag: str, step: str) -> str:
        """What an earlier step has found. Raises `NotDoneError`."""
        if tag not in self.tags:
            raise NotDoneError(f"step {step} of this run has not been done", "run the steps in their order")
        return self.tags[tag]

    def tell(self, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_tag(self.id, key, value[:TAG_CHARACTERS])
            self.tags[key] = value[:TAG_CHARACTERS]

    def done(self, step: str, outcome: str) -> None:
        self.tell({STEP + step: outcome})
        if self.tags.get(FAILED, "").startswith(f"{step}: "):
            self.client.delete_tag(self.id, FAILED)
            del self.tags[FAILED]

    def failed(self, step: str, why: str) -> None:
        self.tell({FAILED: f"{step}: {why}"})

    def end(self, *, well: bool) -> None:
        self.client.set_terminated(self.id, "FINISHED" if well else "FAILED")

    def keep_rows(self, name: str, rows: pandas.DataFrame) -> None:
        with tempfile.TemporaryDirectory(prefix="slipway-training-") as folder:
            file = Path(folder) / f"{name}.parquet"
            rows.to_parquet(file)
            self.client.log_artifact(self.id, str(file), ARTIFACTS)

    def rows(self, name: str) -> pandas.DataFrame:
        with tempfile.TemporaryDirectory(prefix="slipway-training-") as folder:
            return pandas.read_parquet(self._fetched(f"{ARTIFACTS}/{name}.parquet", folder))

    def keep(self, path: str, content: Mapping[str, Any]) -> None:
        self.client.log_dict(self.id, dict(content), path)

    def kept(self, path: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="slipway-training-") as folder:
            found: dict[str, Any] = json.loads(self._fetched(path, folder).read_text())
            return found

    def _fetched(self, path: str, folder: str) -> Path:
        try:
            return Path(download_artifacts(run_id=self.id, artifact_path=path, dst_path=folder))
        except (MlflowException, OSError) as error:
            raise NotDoneError(f"{path} of run {self.id} cannot be had: {first_line(error)}") from None


def _experiment(client: MlflowClient, name: str) -> str:
    if known := client.get_experiment_by_name(name):
        return str(known.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:  # somebody else was faster, or it cannot be asked
        if known := client.get_experiment_by_name(name):
            return str(known.experiment_id)
        raise


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
