"""A scikit-learn estimator as ONNX, by skl2onnx, in the ways that may work: whole, or without its first steps.

What a pipeline's first step does is often what no converter knows (a function that picks a column), or what float32
does too coarsely for the trees behind it (scaling). It then stays with the original, and the rest is compiled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import pandas
from mlflow.types import DataType, Schema
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import BooleanTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, NuSVC

from app.core.compiled import leading_steps
from app.core.decision import Feed
from app.core.estimators import is_row_wise
from app.core.scorer import Native

TENSORS = {
    DataType.double: FloatTensorType,
    DataType.float: FloatTensorType,
    DataType.long: Int64TensorType,
    DataType.integer: Int64TensorType,
    DataType.boolean: BooleanTensorType,
    DataType.string: StringTensorType,
}
NUMBERS = (DataType.double, DataType.float, DataType.long, DataType.integer)


class NotConvertibleError(Exception):
    """Nothing here compiles this model; the message says why."""


@dataclass(frozen=True)
class Candidate:
    """One way of compiling: see decision.Recipe."""

    prefix: int
    feed: Feed
    model: bytes


def refuse(native: Native) -> None:
    """Raises NotConvertibleError for models that no candidate could stand in for."""
    estimator, schema = native.estimator, native.pyfunc.metadata.get_input_schema()
    if estimator is None:
        raise NotConvertibleError(f"no converter for the flavour {native.pyfunc.loader_module}")
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        raise NotConvertibleError("its signature has no named columns")
    if any(not column.required or column.type not in TENSORS for column in schema.inputs):
        raise NotConvertibleError("its signature has optional columns, or columns that are not numbers or strings")
    if is_classifier(estimator) and not isinstance(getattr(estimator, "classes_", None), numpy.ndarray):
        raise NotConvertibleError("it has several outputs")
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if is_classifier(estimator) and (native.score_probabilities is None or isinstance(last, SVC | NuSVC)):
        raise NotConvertibleError("its classes do not follow from probabilities")


def candidates(native: Native, pool: pandas.DataFrame) -> Iterator[Candidate | str]:
    """Each way that converts, or why it does not. `pool`: rows that the model takes."""
    estimator = native.estimator
    last = len(estimator.steps) - 1 if isinstance(estimator, Pipeline) else 0
    for prefix in sorted({0, min(1, last), last}):
        if not is_row_wise(Pipeline(estimator.steps[prefix:]) if prefix else estimator):
            yield "a row's answer may depend on the rows beside it"
            continue
        try:
            yield _convert(estimator, prefix, native.pyfunc.metadata.get_input_schema(), pool)
        except Exception as error:  # of many kinds: what a converter does not know, it finds out anywhere
            yield f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _convert(estimator: Any, prefix: int, schema: Schema, pool: pandas.DataFrame) -> Candidate:
    if prefix == 0:
        rest = estimator
        feed, types = _by_columns(schema) if _wants_columns(estimator, schema) else _by_matrix(len(schema.inputs))
    else:
        rest = Pipeline(estimator.steps[prefix:])
        between = pool
        for step in leading_steps(estimator, prefix):
            between = step.transform(between)
        feed, types = _by_value(between)
    options: dict[Any, Any] = {CountVectorizer: {"locale": "C"}, TfidfVectorizer: {"locale": "C"}}
    if is_classifier(estimator):
        options[id(rest)] = {"zipmap": False}
    model = convert_sklearn(rest, initial_types=types, options=options)
    return Candidate(prefix, feed, model.SerializeToString())


def _wants_columns(estimator: Any, schema: Schema) -> bool:
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else estimator
    return isinstance(first, ColumnTransformer) or any(column.type not in NUMBERS for column in schema.inputs)


def _by_columns(schema: Schema) -> tuple[Feed, list[Any]]:
    return "columns", [(column.name, TENSORS[column.type]([None, 1])) for column in schema.inputs]


def _by_matrix(columns: int) -> tuple[Feed, list[Any]]:
    return "matrix", [("rows", FloatTensorType([None, columns]))]


def _by_value(between: Any) -> tuple[Feed, list[Any]]:
    """By what the first steps made of the rows."""
    if isinstance(between, pandas.DataFrame | numpy.ndarray) and between.ndim == 2:
        return _by_matrix(between.shape[1])
    if isinstance(between, pandas.Series | numpy.ndarray | list) and all(isinstance(text, str) for text in between):
        return "texts", [("texts", StringTensorType([None, 1]))]
    raise NotConvertibleError(f"its first steps make a {type(between).__name__}")
