"""The example that `make up` delivers: a random forest on scikit-learn's diabetes data, through the ordinary client.

Training is deterministic, so a second `make up` knows its own model again and logs nothing twice. A champion that is
somebody else's stays what it is.
"""

import hashlib
import importlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import pandas
import sklearn
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

MODEL = "diabetes"
ALIAS = "champion"
EXPERIMENT = "diabetes"
TAG = "slipway-example"
PARAMETERS = {"n_estimators": 100, "min_samples_leaf": 2, "random_state": 42}
EXAMPLE_ROWS = 3
PACKAGES = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops")


@dataclass(frozen=True)
class Trained:
    """The offline model, the rows it is compared on, and what identifies it."""

    forest: RandomForestRegressor
    rows: pandas.DataFrame
    target: pandas.Series
    identity: str


@dataclass(frozen=True)
class Registered:
    """A version of the model in the registry; `ours` is whether it is this very example."""

    version: str
    ours: bool
    model: str = MODEL


def train() -> Trained:
    """Imports what logging the model will want too, which takes seconds: here they pass beside `pulumi up`."""
    importlib.import_module("skops.io")
    data = load_diabetes(as_frame=True)
    forest = RandomForestRegressor(**PARAMETERS).fit(data.data, data.target)
    recipe = f"{sorted(PARAMETERS.items())} {sklearn.__version__}"
    return Trained(forest, data.data, data.target, hashlib.sha256(recipe.encode()).hexdigest()[:12])


def register(trained: Trained) -> Registered:
    """Logs and registers the model, unless the registry has a champion already, or this very model without alias."""
    client = MlflowClient()
    known = current(client, trained)
    if known is not None:
        return known
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name="quickstart"):
        mlflow.log_params(PARAMETERS)
        mlflow.log_metric("train_r2", trained.forest.score(trained.rows, trained.target))
        info = mlflow.sklearn.log_model(
            trained.forest,
            name=MODEL,
            signature=infer_signature(trained.rows, trained.forest.predict(trained.rows)),
            input_example=trained.rows.head(EXAMPLE_ROWS),
            registered_model_name=MODEL,
            pip_requirements=requirements(),
            skops_trusted_types=["sklearn.tree._tree.Tree"],  # MLflow's safe format refuses forests without it
        )
    version = str(info.registered_model_version)
    client.set_model_version_tag(MODEL, version, TAG, trained.identity)
    return Registered(version, ours=True)


def crown(registered: Registered) -> None:
    """Sets the alias. The last step: whoever follows it then finds served what it asks for, and has nothing to do."""
    client = MlflowClient()
    if ALIAS not in client.get_registered_model(MODEL).aliases:
        client.set_registered_model_alias(MODEL, ALIAS, registered.version)


def requirements() -> list[str]:
    """What the model was made with. Given, so that the client does not load the model again just to find out."""
    return [f"{package}=={metadata.version(package)}" for package in PACKAGES]


def current(client: MlflowClient, trained: Trained) -> Registered | None:
    """The champion that is there; else what an earlier run has registered and not delivered; else None."""
    if not client.search_registered_models(filter_string=f"name = '{MODEL}'"):
        return None
    aliases: dict[str, Any] = client.get_registered_model(MODEL).aliases
    if ALIAS not in aliases:
        ours = client.search_model_versions(f"name = '{MODEL}'", order_by=["version_number DESC"])
        found = [str(each.version) for each in ours if each.tags.get(TAG) == trained.identity]
        return Registered(found[0], ours=True) if found else None
    version = client.get_model_version(MODEL, aliases[ALIAS])
    return Registered(str(version.version), ours=version.tags.get(TAG) == trained.identity)


def offline_predictions(trained: Trained, registered: Registered, folder: Path) -> list[float]:
    """What the served model must answer: the trained forest, or the champion that somebody else has set."""
    if registered.ours:
        return [float(value) for value in trained.forest.predict(trained.rows)]
    path = mlflow.artifacts.download_artifacts(f"models:/{MODEL}/{registered.version}", dst_path=str(folder))
    return [float(value) for value in mlflow.pyfunc.load_model(path).predict(trained.rows)]
