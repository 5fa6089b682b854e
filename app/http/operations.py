"""What operators, balancers and MLflow's clients ask about the server itself."""

import os
import platform

import mlflow
from flask import Blueprint, Response, jsonify

from app.http.state import serving

routes = Blueprint("operations", __name__)


@routes.get("/")
def index() -> Response:
    names = [model.name for model in serving().deployment.models]
    return jsonify({"service": "slipway", "deployment": serving().deployment.id, "models": names})


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
    """What this worker really serves."""
    here = serving()
    return jsonify(
        {
            "deployment": here.deployment.id,
            "release": here.deployment.release,
            "models": [
                {
                    "name": model.name,
                    "version": model.version,
                    "run_id": model.run_id,
                    "source": model.source,
                    "digest": model.digest,
                    "default": model == here.default(),
                    "status": here.status(model),
                }
                for model in here.deployment.models
            ],
            "worker": {"number": here.worker, "pid": os.getpid(), "of": here.board.workers},
            "mlflow": mlflow.__version__,
            "python": platform.python_version(),
        }
    )
