"""What the server says about itself, the same in `/version`, in `/metrics` and on the page."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import mlflow

from app.core.deployment import ModelVersion
from app.core.serving import Serving


def build(here: Serving) -> dict[str, str]:
    return {
        "release": here.deployment.release,
        "mlflow": mlflow.__version__,
        "python": platform.python_version(),
        "gunicorn": version("gunicorn"),
    }


def models(here: Serving) -> list[dict[str, Any]]:
    """Each model of the deployment, as this worker has it."""
    return [
        {
            "name": model.name,
            "version": model.version,
            "alias": model.alias,
            "run_id": model.run_id,
            "source": model.source,
            "digest": model.digest,
            "default": model == here.default(),
            "status": here.status(model),
            "unchecked": model.unchecked,
            **_served_as(here, model),
        }
        for model in here.deployment.models
    ]


def workers(here: Serving) -> list[dict[str, Any]]:
    """Every worker that lives, from its own latest snapshot, at most a second old."""
    found, _ = here.meters.collect()
    return [
        {
            "number": worker.number,
            "deployment": here.deployment.id,
            **worker.about,
            "since": _time(worker.about["since"]),
        }
        for worker in found
    ]


def _served_as(here: Serving, model: ModelVersion) -> dict[str, Any]:
    """Natively or compiled, why, and how far the two forms differ; unknown while it is not ready."""
    found = here.decision(model)
    names = ("kind", "reason", "largest_difference", "tolerance", "rows_checked")
    return {name: getattr(found, name) if found else None for name in names}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
