"""A trained model as MLflow keeps it: with what the gate will hold it against (signature, input example, golden set).

Saved in MLflow's safe format, whose loading runs no code. Types of scikit-learn, NumPy and SciPy are trusted there; any
other is named in the pipeline's `TRUSTED`, so that nobody trusts one by accident.
"""

import json
from collections.abc import Sequence
from typing import Any

import mlflow
import pandas
from mlflow.entities import Param
from mlflow.models import infer_signature

from ops import golden
from ops.errors import UserError
from ops.example import requirements
from ops.training.book import Book
from ops.training.pipeline import Pipeline

EXAMPLE_ROWS = 3
GOLDEN_ROWS = 50
OURS = ("sklearn", "numpy", "scipy")
NAME = "model"


def log(pipeline: Pipeline, book: Book, model: Any, features: pandas.DataFrame) -> str:
    """Its address in MLflow. Raises `UserError`."""
    example = features.head(EXAMPLE_ROWS)
    about: dict[str, Any] = {
        "name": NAME,
        "signature": infer_signature(features, model.predict(example)),
        "input_example": example,
        "pip_requirements": [*requirements(), *pipeline.packages],
    }
    _parameters(book, model)
    with mlflow.start_run(run_id=book.id):
        if pipeline.logs_itself:
            info = pipeline.log(model, about)
        else:
            types = trusted(model, pipeline.trusted)
            info = mlflow.sklearn.log_model(model, skops_trusted_types=types, **about)
    book.client.update_run(book.id, status="RUNNING")  # MLflow took it for ended
    return f"models:/{info.model_id}"


def trusted(model: Any, allowed: Sequence[str]) -> list[str]:
    """What the safe format is to be told to trust. Raises `UserError` for what nobody has named."""
    import skops.io

    try:
        found = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    except Exception as error:  # whatever a type's own reduction raises
        raise UserError(
            f"the model cannot be saved in MLflow's safe format: {type(error).__name__}: {error}",
            "give the pipeline a function `log`, which logs it in another",
        ) from error
    strangers = [each for each in found if each.partition(".")[0] not in OURS and each not in allowed]
    if strangers:
        raise UserError(
            f"the model holds types that nobody trusts: {', '.join(strangers)}", "name them in the pipeline's TRUSTED"
        )
    return [str(each) for each in found]


def keep_golden(book: Book, features: pandas.DataFrame, target: pandas.Series) -> int:
    """Rows that were held back, and their truth, where the gate looks for them. How many."""
    rows = min(GOLDEN_ROWS, len(features))
    while rows:
        known = json.loads(features.head(rows).to_json(orient="split", index=False, double_precision=15))
        truth = json.loads(target.head(rows).to_json(orient="values", double_precision=15))
        content = {"input": {"dataframe_split": known}, "targets": truth}
        if len(json.dumps(content, indent=2)) <= golden.AT_MOST_BYTES // 2:  # MLflow writes it with indents of its own
            book.keep(golden.ARTIFACT, content)
            return rows
        rows //= 2
    return 0


def _parameters(book: Book, model: Any) -> None:
    """The plain ones; of a run that is done again, those that are not there yet, for MLflow changes none."""
    if not callable(getattr(model, "get_params", None)):
        return
    plain = {name: value for name, value in model.get_params().items() if isinstance(value, str | int | float | bool)}
    known = book.client.get_run(book.id).data.params
    left = [Param(name, str(value)) for name, value in sorted(plain.items()) if name not in known]
    book.client.log_batch(book.id, params=left[:100])
