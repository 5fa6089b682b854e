"""Imports, before the workers are forked, the libraries that the deployment's models will need.

Importing scikit-learn takes a second of CPU and 50 MB: once in the master instead of once in each worker.
Only imports: no model is loaded here, since the threads that loading may start do not survive a fork.
"""

import contextlib
import gc
import importlib
from pathlib import Path

import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import FLAVOR_NAME, MAIN

from app.core.deployment import Deployment

# What a flavour's loader itself imports only when it unpickles; skops alone takes a second.
BEHIND_LOADER = {"mlflow.sklearn": ("sklearn.ensemble", "sklearn.pipeline", "sklearn.compose", "app.core.estimators")}
UNPICKLERS = {"skops": ("skops.io",)}

yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # type: ignore[misc]
"""For MLflow's own reading of a model's description, which it does four times: a fiftieth of the time, with libyaml."""


def import_libraries(deployment: Deployment, models_folder: Path) -> None:
    """What cannot be read or imported here is left alone: loading the model will say it, under the model's name."""
    for version in deployment.models:
        runtime = ("onnxruntime",) if version.decision and version.decision.kind == "compiled" else ()
        for name in (*_modules(models_folder / version.digest), *runtime):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    gc.freeze()  # the collector then leaves these pages alone, so that the workers go on sharing them


def _modules(folder: Path) -> tuple[str, ...]:
    try:
        flavors = Model.load(str(folder)).flavors
        loader = flavors[FLAVOR_NAME][MAIN]
        unpickler = UNPICKLERS.get(flavors.get("sklearn", {}).get("serialization_format"), ())
    except (MlflowException, yaml.YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()
    return (loader, *BEHIND_LOADER.get(loader, ()), *unpickler)
