"""How a loaded model is run: one interface, whatever runs behind it.

MLflow's `PyFuncModel.predict` is two acts: it enforces the signature, then calls the model. Here they are apart,
because requests are enforced one by one and scored together. What the second act leaves out never changes an answer.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy
from mlflow.pyfunc import PyFuncModel, _validate_prediction_input
from mlflow.pyfunc.context import Context, set_prediction_context
from mlflow.types import DataType, Schema

from app.core.decision import NEVER_TRIED, Decision, Kind

Params: TypeAlias = dict[str, Any] | None
Probabilities: TypeAlias = tuple[list[Any], numpy.ndarray[Any, Any]]
"""The labels, and a row of probabilities for each row of the input."""
Both: TypeAlias = tuple[Any, numpy.ndarray[Any, Any]]

ROW_WISE_LOADERS = ("mlflow.xgboost", "mlflow.lightgbm")
EXACT_IN_FLOAT64 = (DataType.double, DataType.float, DataType.integer, DataType.boolean)


class Scorer(Protocol):
    """`enforce` gives what `predict` and `probabilities` take; all three are called on the scoring thread.

    `row_wise`: a row's answer does not depend on the rows beside it, and the output splits by rows.
    `takes_matrix`: `predict` and `probabilities` take, instead of an enforced frame, a float64 matrix that holds
    exactly its values, in the order of the signature's columns. `takes_columns`: they take `Columns` in its place,
    where every column is of strings.
    """

    decision: Decision
    row_wise: bool
    takes_matrix: bool
    takes_columns: bool

    @property
    def kind(self) -> Kind: ...

    def enforce(self, data: Any, params: Params = None) -> tuple[Any, Params]:
        """Raises MlflowException for what does not fit the signature."""

    def predict(self, data: Any, params: Params = None) -> Any:
        """What `PyFuncModel.predict` returns: the same type, the same kind of numbers."""

    def probabilities(self, data: Any) -> Probabilities | None:
        """None when the model has none."""

    def both(self, data: Any) -> Both | None:
        """`predict` and the rows of `probabilities`, for the cost of one where possible."""


@dataclass
class Native:
    """The model's own library. `estimator` is scikit-learn's, None for other models."""

    pyfunc: PyFuncModel
    score: Callable[[Any, Params], Any]
    score_probabilities: Callable[[Any], Probabilities] | None = None
    score_both: Callable[[Any], Both] | None = None
    row_wise: bool = False
    takes_matrix: bool = False
    takes_columns: bool = False
    estimator: Any = None
    has_plain_columns: bool = False
    decision: Decision = NEVER_TRIED

    @property
    def kind(self) -> Kind:
        return "native"

    def enforce(self, data: Any, params: Params = None) -> tuple[Any, Params]:
        return enforce(self.pyfunc, data, params)

    def predict(self, data: Any, params: Params = None) -> Any:
        return self.score(data, params)

    def probabilities(self, data: Any) -> Probabilities | None:
        return self.score_probabilities(data) if self.score_probabilities else None

    def both(self, data: Any) -> Both | None:
        return self.score_both(data) if self.score_both else None


def native(pyfunc: PyFuncModel) -> Native:
    estimator = _estimator(pyfunc)
    if estimator is None:
        return _other(pyfunc)
    from app.core import estimators  # not before a model needs scikit-learn

    plain = has_plain_columns(pyfunc.metadata.get_input_schema(), getattr(estimator, "feature_names_in_", None))
    fast = estimators.fast(estimator)
    return Native(
        pyfunc,
        score=lambda data, _: fast.predict(data),
        score_probabilities=fast.probabilities,
        score_both=fast.both if fast.probabilities else None,
        row_wise=estimators.is_row_wise(estimator),
        takes_matrix=fast.takes_matrix and plain,
        takes_columns=fast.takes_columns,
        estimator=estimator,
        has_plain_columns=plain,
    )


def _other(pyfunc: PyFuncModel) -> Native:
    """A model that is not scikit-learn's."""
    call, row_wise = _call(pyfunc), pyfunc.loader_module in ROW_WISE_LOADERS
    if pyfunc.loader_module != "mlflow.lightgbm" or _whole(pyfunc):
        return Native(pyfunc, call, row_wise=row_wise)
    from app.core import leaves  # not before a model needs LightGBM

    fast = leaves.fast(pyfunc.get_raw_model(), lambda data: call(data, None))
    plain = has_plain_columns(pyfunc.metadata.get_input_schema(), None)
    if fast is None or not plain or pyfunc.metadata.get_params_schema() is not None:
        return Native(pyfunc, call, row_wise=row_wise)
    return Native(
        pyfunc,
        score=lambda data, _: fast.predict(data),
        score_probabilities=fast.probabilities,
        score_both=fast.both if fast.probabilities else None,
        row_wise=row_wise,
        takes_matrix=True,
        has_plain_columns=True,
    )


def has_plain_columns(schema: Schema | None, names: Any) -> bool:
    """Whether the signature's columns are numbers that float64 holds exactly, in the order of the estimator's."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return False
    if any(column.type not in EXACT_IN_FLOAT64 or not column.required for column in schema.inputs):
        return False
    return names is None or list(names) == schema.input_names()


def enforce(pyfunc: PyFuncModel, data: Any, params: Params) -> tuple[Any, Params]:
    """MLflow's own enforcement; nothing where MLflow itself would leave it to the model."""
    if _whole(pyfunc):
        return data, params
    meta = pyfunc.metadata
    enforced: tuple[Any, Params] = _validate_prediction_input(
        data, params, meta.get_input_schema(), meta.get_params_schema(), pyfunc.loader_module
    )
    return enforced


def _whole(pyfunc: PyFuncModel) -> bool:
    """Signatures from Python type hints: validation and the call are one there."""
    return bool(pyfunc.metadata._is_signature_from_type_hint() or pyfunc.metadata._is_type_hint_from_example())


def _estimator(pyfunc: PyFuncModel) -> Any | None:
    """The scikit-learn estimator, when MLflow would do nothing but call its `predict`."""
    if pyfunc.loader_module != "mlflow.sklearn" or pyfunc._predict_fn.__name__ != "predict" or _whole(pyfunc):
        return None
    return pyfunc.get_raw_model()


def _call(pyfunc: PyFuncModel) -> Callable[[Any, Params], Any]:
    """What `PyFuncModel.predict` does after enforcement."""
    if _whole(pyfunc):
        return lambda data, params: pyfunc.predict(data, params=params)
    function = pyfunc._predict_fn
    argument = inspect.signature(function).parameters.get("params")
    takes_params = argument is not None and argument.kind is not inspect.Parameter.VAR_KEYWORD

    def call(data: Any, params: Params) -> Any:
        context = Context(model_id=pyfunc.model_id) if pyfunc.model_id else Context()
        with set_prediction_context(context):
            return function(data, params=params) if takes_params else function(data)

    return call
