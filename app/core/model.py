"""One loaded model: MLflow's pyfunc, its signature enforced by MLflow, its failures told apart from bad input."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from app.core import agreement, blame, inputs
from app.core.deployment import ModelVersion
from app.core.errors import BadInputError, ModelFailedError
from app.core.inputs import Input


@dataclass(frozen=True)
class LoadedModel:
    version: ModelVersion
    pyfunc: mlflow.pyfunc.PyFuncModel

    def predict(self, given: Input) -> Any:
        """Whatever the model returns. Raises BadInputError or ModelFailedError, caused by the model's exception."""
        try:
            return self.pyfunc.predict(given.data, params=given.params)
        except Exception as error:
            if blame.is_input(error):
                raise BadInputError(_refusal(error)) from error
            label = self.version.label
            raise ModelFailedError(
                f"model {label} raised {type(error).__name__}; the trace is in the server's log"
            ) from error

    def render(self, predictions: Any, given: Input) -> str:
        """The JSON answer, by MLflow's own encoder."""
        write = scoring_server.unwrapped_predictions_to_json if given.unwrapped else scoring_server.predictions_to_json
        answer = io.StringIO()
        try:
            write(predictions, answer)
        except (TypeError, ValueError) as error:
            kind = type(predictions).__name__
            raise ModelFailedError(f"model {self.version.label} returned a {kind} that JSON cannot hold") from error
        return answer.getvalue()

    def contradiction(self) -> str | None:
        """None when the model answers its own example as the deployment expects, else what differs."""
        expected = self.version.expected
        given = inputs.from_json(expected.input, self.pyfunc.metadata)
        answer = json.loads(self.render(self.predict(given), given))
        return agreement.difference(answer, expected.output, expected.tolerance)


def load(version: ModelVersion, folder: Path) -> LoadedModel:
    return LoadedModel(version, mlflow.pyfunc.load_model(str(folder)))


def _refusal(error: Exception) -> str:
    """The reason without MLflow's dump of the whole payload, which wraps the real reason in a schema error."""
    if isinstance(error, MlflowException):
        cause = error.__cause__ or error.__context__
        if "Failed to enforce schema" in error.message and cause is not None:
            return inputs.shorten(f"the input does not fit the model's signature: {_refusal_text(cause)}")
    return inputs.shorten(_refusal_text(error))


def _refusal_text(error: BaseException) -> str:
    message = getattr(error, "message", None) or str(error)
    return str(message) if isinstance(error, MlflowException | ValueError) else f"{type(error).__name__}: {message}"
