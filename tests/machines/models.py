"""Another version of the example model, through the ordinary client, and what it must answer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.unit.documents import ROOT, block

if TYPE_CHECKING:
    from ops.example import Trained

MODEL = "diabetes"
IRIS = "iris"  # of the page below, which says how a model is delivered
PAGE = ROOT / "docs" / "releases-and-deployments.md"
NO_DEPLOYMENT = "0123456789ab"  # an id that no deployment has


@dataclass(frozen=True)
class Deployed:
    """A deployment of one model, and that model's prediction for the first row of the example data."""

    id: str
    value: float


def body(rows: Any, count: int = 1) -> bytes:
    """The first rows as MLflow's scoring protocol has them."""
    head = rows.head(count)
    return json.dumps({"dataframe_split": {"columns": list(head.columns), "data": head.values.tolist()}}).encode()


def predict(forest: Any, rows: Any) -> float:
    return float(forest.predict(rows.head(1))[0])


def train_another(example: "Trained") -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(n_estimators=20, random_state=7).fit(example.rows, example.target)


def register(forest: Any, example: "Trained", name: str = MODEL, packages: Sequence[str] = ()) -> str:
    """Logs and registers the model, with no alias; returns its version. `packages` is what it wants beside its own."""
    import mlflow
    from mlflow.models import infer_signature

    from ops.example import requirements

    mlflow.set_experiment(MODEL)
    with mlflow.start_run(run_name="another"):
        info = mlflow.sklearn.log_model(
            forest,
            name=name,
            signature=infer_signature(example.rows, forest.predict(example.rows)),
            input_example=example.rows.head(2),
            registered_model_name=name,
            pip_requirements=[*requirements(), *packages],
            skops_trusted_types=["sklearn.tree._tree.Tree"],
        )
    return str(info.registered_model_version)


def register_iris(run: Callable[[str], object]) -> str:
    """Does what the page's script does, through `run`, which must leave the aliases unfollowed; returns the version,
    with no alias."""
    import mlflow

    run(block(PAGE, "import mlflow", "python"))
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias(IRIS, "champion").version
    client.delete_registered_model_alias(IRIS, "champion")
    return str(version)


RAISES = """
import mlflow
import numpy


class Raises(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if (model_input["{column}"] == {value!r}).any():
            raise ValueError("a value that the example did not have")
        return numpy.full(len(model_input), 100.0)


mlflow.models.set_model(Raises())
"""


def register_one_that_raises(example: "Trained", folder: Path) -> str:
    """A version that answers its example, and raises on the first row of the data; returns its number."""
    import mlflow
    import numpy
    from mlflow.models import infer_signature

    column = example.rows.columns[2]
    script = folder / "raises.py"
    script.write_text(RAISES.format(column=column, value=float(example.rows[column].iloc[0])))
    rows = example.rows[example.rows[column] != example.rows[column].iloc[0]]
    mlflow.set_experiment(MODEL)
    with mlflow.start_run(run_name="raises"):
        info = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=str(script),
            signature=infer_signature(example.rows, numpy.array([100.0])),
            input_example=rows.head(2),
            registered_model_name=MODEL,
            pip_requirements=["pandas"],
        )
    return str(info.registered_model_version)


def identity(printed: str) -> str:
    """The id of a deployment, from the last line that its maker prints."""
    return str(json.loads(printed.strip().splitlines()[-1])["id"])
