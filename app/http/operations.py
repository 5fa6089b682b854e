"""What operators, balancers and MLflow's clients ask about the server itself."""

import os
import platform

import mlflow
from flask import Blueprint, Response, jsonify

from app.http import about
from app.http.state import serving

routes = Blueprint("operations", __name__)


@routes.get("/ping")
@routes.get("/health")
def ping() -> Response:
    return Response("\n", content_type="application/json")


@routes.get("/livez")
def livez() -> Response:
    return jsonify({"status": "alive"})


@routes.get("/readyz")
def readyz() -> tuple[Response, int]:
    failing = serving().failing_checks()
    if failing:
        return jsonify({"status": "not ready", "checks": failing}), 503
    return jsonify({"status": "ready", "checks": []}), 200


@routes.get("/version")
def version() -> Response:
    """What is really served: `models` and `worker` by the worker that answers, `workers` by each for itself."""
    here = serving()
    return jsonify(
        {
            "deployment": here.deployment.id,
            "release": here.deployment.release,
            "slot": here.slot,
            "models": about.models(here),
            "worker": {"number": here.worker, "pid": os.getpid(), "of": here.board.workers},
            "workers": about.workers(here),
            "mlflow": mlflow.__version__,
            "python": platform.python_version(),
        }
    )
