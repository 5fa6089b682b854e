"""One loaded model: MLflow's pyfunc, its signature enforced by MLflow, its failures told apart from bad input."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server

from app.core import agreement, blame, inputs
from app.core.body import shorten
from app.core.deployment import ModelVersion
from app.core.errors import BadInputError, ModelFailedError
from app.core.inputs import Input


@dataclass(frozen=True)
class LoadedModel:
    version: ModelVersion
    pyfunc: PyFuncModel

    def contradiction(self) -> str | None:
        """None when the model answers its own example as the deployment expects, else what differs."""
        expected = self.version.expected
        return agreement.difference(answer(self.pyfunc, expected.input), expected.output, expected.tolerance)


def load(version: ModelVersion, folder: Path) -> LoadedModel:
    return LoadedModel(version, load_folder(folder))


def load_folder(folder: Path) -> PyFuncModel:
    return mlflow.pyfunc.load_model(str(folder))


def answer(model: PyFuncModel, body: Any) -> Any:
    """The decoded JSON answer to a decoded body of /invocations."""
    if not isinstance(body, dict):
        raise BadInputError(f"an input example must be an object, found {type(body).__name__}")
    given = inputs.from_json(body, model.metadata)
    return json.loads(render(predict(model, given), given))


def predict(model: PyFuncModel, given: Input) -> Any:
    """Whatever the model returns. Raises BadInputError or ModelFailedError, caused by the model's exception."""
    return refused(lambda: model.predict(given.data, params=given.params))


def refused(score: Callable[[], Any]) -> Any:
    """What `score` returns, with whatever it raises told apart into bad input and a model that failed."""
    try:
        return score()
    except Exception as error:
        if blame.is_input(error):
            raise BadInputError(_refusal(error)) from error
        raise ModelFailedError(f"the model raised {type(error).__name__}; the server's log has the trace") from error


def render(predictions: Any, given: Input) -> str:
    """The JSON answer, by MLflow's own encoder."""
    write = scoring_server.unwrapped_predictions_to_json if given.unwrapped else scoring_server.predictions_to_json
    text = io.StringIO()
    try:
        write(predictions, text)
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(predictions).__name__
        raise ModelFailedError(f"the model returned a {kind} that JSON cannot hold") from error
    return text.getvalue()


def _refusal(error: Exception) -> str:
    """The reason without MLflow's dump of the whole payload, which wraps the real reason in a schema error."""
    if isinstance(error, MlflowException):
        cause = error.__cause__ or error.__context__
        if "Failed to enforce schema" in error.message and cause is not None:
            return shorten(f"the input does not fit the model's signature: {_reason(cause)}")
    return shorten(_reason(error))


def _reason(error: BaseException) -> str:
    message = getattr(error, "message", None) or str(error)
    return str(message) if isinstance(error, MlflowException | ValueError) else f"{type(error).__name__}: {message}"
