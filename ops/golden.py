"""What a model's run says about the model beside its files: a golden set, and the metrics that it logged.

A golden set is the run's artifact `slipway/golden.json`: rows that matter, and what they are in truth, if known.
Both are optional, and a run that is gone has neither.
"""

import math
from pathlib import Path

from ops.errors import UserError

ARTIFACT = "slipway/golden.json"
AT_MOST_BYTES = 256 * 1024


def fetch(run_id: str | None, folder: Path) -> Path | None:
    """The golden set's file, in a folder of its own. Raises `UserError` when it is too large."""
    import mlflow.artifacts
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return None
    place = folder / "golden"
    try:
        found = {item.path: item for item in MlflowClient().list_artifacts(run_id, str(Path(ARTIFACT).parent))}
        if ARTIFACT not in found:
            return None
        size = found[ARTIFACT].file_size or 0
        if size > AT_MOST_BYTES:
            raise UserError(
                f"{ARTIFACT} of run {run_id} has {size} bytes, at most {AT_MOST_BYTES} are taken", "use fewer rows"
            )
        place.mkdir()
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=ARTIFACT, dst_path=str(place)))
    except MlflowException:
        return None


def parameters(run_id: str | None) -> dict[str, str]:
    """As the run logged them: text, whatever they were."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return {}
    try:
        return dict(sorted(MlflowClient().get_run(run_id).data.params.items()))
    except MlflowException:
        return {}


def metrics(run_id: str | None) -> dict[str, float]:
    """The finite ones: JSON has no others."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return {}
    try:
        logged = MlflowClient().get_run(run_id).data.metrics
    except MlflowException:
        return {}
    return {name: value for name, value in sorted(logged.items()) if math.isfinite(value)}
