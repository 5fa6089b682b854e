"""One loaded model: MLflow's pyfunc, its signature enforced by MLflow, its failures told apart from bad input."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server

from app.core import agreement, blame, compiled, decision, inputs, scorer
from app.core.body import shorten
from app.core.compiled import Compiled
from app.core.deployment import Expected, ModelVersion
from app.core.errors import BadInputError, ModelFailedError
from app.core.inputs import Input
from app.core.scorer import Scorer


@dataclass
class LoadedModel:
    version: ModelVersion
    pyfunc: PyFuncModel
    scorer: Scorer

    @cached_property
    def estimator(self) -> Any:
        """What the flavour loaded; None for what has no such thing."""
        try:
            return self.pyfunc.get_raw_model()
        except NotImplementedError:
            return None

    @cached_property
    def classes(self) -> list[Any] | None:
        """The labels that the model's probabilities belong to; None for what is no classifier of one target."""
        labels = getattr(self.estimator, "classes_", None)
        if labels is None or not hasattr(self.estimator, "predict_proba") or isinstance(labels, list):
            return None
        found: list[Any] = numpy.asarray(labels).tolist()
        return found

    @cached_property
    def known(self) -> list[tuple[Expected, str, Input]]:
        """Its example and its golden set, where it has them. Read once, for a thousand columns take long."""
        both = ((self.version.expected, "example"), (self.version.golden, "golden set"))
        return [(each, name, parse(each.input, self.pyfunc)) for each, name in both if each is not None]

    def predict(self, given: Input) -> Any:
        """Whatever the model returns. Raises BadInputError or ModelFailedError, caused by the model's exception."""
        return refused(lambda: self.scorer.predict(*self.scorer.enforce(given.data, given.params)))

    def contradiction(self) -> str | None:
        """None when the model answers its example and its golden set as the deployment expects, else what differs.

        A compiled model that does not is dropped for its original, which is then asked.
        """
        found = self._contradiction()
        if found is not None and isinstance(self.scorer, Compiled):
            self.scorer = self.scorer.original
            self.scorer.decision = decision.native(f"compiled, {found}")
            found = self._contradiction()
        return found

    def _contradiction(self) -> str | None:
        for expected, name, given in self.known:
            answer = json.loads(render(self.predict(given), given))
            if found := agreement.difference(answer, expected.output, expected.tolerance):
                return f"it answers its {name} wrongly: {found}"
        return None


def load(version: ModelVersion, models: Path) -> LoadedModel:
    """`models` holds the model, and its compiled form, each below its digest."""
    pyfunc = load_folder(models / version.digest)
    chosen = compiled.choose(scorer.native(pyfunc), version.decision, decision.place(models, version.decision))
    return LoadedModel(version, pyfunc, chosen)


def load_folder(folder: Path) -> PyFuncModel:
    """Without MLflow's warning of packages that differ, a third of a second: a deployment of such is never made."""
    return mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)


def answer(model: PyFuncModel, body: Any) -> Any:
    """The decoded JSON answer of the original to a decoded body of /invocations."""
    given = parse(body, model)
    return json.loads(render(predict(model, given), given))


def parse(body: Any, model: PyFuncModel) -> Input:
    if not isinstance(body, dict):
        raise BadInputError(f"an input example must be an object, found {type(body).__name__}")
    return inputs.from_json(body, model.metadata)


def predict(model: PyFuncModel, given: Input) -> Any:
    """Whatever the original returns. Raises BadInputError or ModelFailedError, caused by the model's exception."""
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
