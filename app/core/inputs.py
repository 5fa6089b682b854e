"""A body of /invocations as a model's input, parsed and cast by MLflow's own scoring code.

MLflow's parser is called, not imitated, so that an answer here is the answer of `mlflow models serve`.
What it leaves to chance is settled before it is called (`body.py`), and how many rows one request may have.
"""

import io
from dataclasses import dataclass
from typing import Any

import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import Model as Metadata
from mlflow.pyfunc import scoring_server
from mlflow.types import Schema

from app.core import ranges
from app.core.body import CSV, JSON, decode, json_type, media_type, shorten, text
from app.core.errors import BadInputError, TooLargeError

ROWS_AT_MOST = 100_000  # in one request: more would keep the scoring thread from everyone else

# What MLflow, pandas and NumPy raise on a body of the wrong shape. Some nesting that json allows, copy does not.
PARSER_ERRORS = (MlflowException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Input:
    """What `PyFuncModel.predict` takes. `unwrapped`: answer without the "predictions" key (MLflow's chat formats)."""

    data: Any
    params: dict[str, Any] | None
    unwrapped: bool = False

    @property
    def rows(self) -> int:
        data: Any = next(iter(self.data.values()), None) if isinstance(self.data, dict) else self.data
        try:
            return len(data)
        except TypeError:
            return 1


def invocation(body: bytes, content_type: str | None, metadata: Metadata) -> Input:
    """A body of /invocations: MLflow's JSON inputs or CSV."""
    kind = media_type(content_type, (JSON, CSV))
    if kind == CSV:
        return _guarded(lambda: _csv(text(body), metadata.get_input_schema()))
    parsed = decode(body)
    if not isinstance(parsed, dict):
        raise BadInputError(f"{scoring_server.REQUIRED_INPUT_FORMAT}. Received {json_type(parsed)}.")
    return from_json(parsed, metadata)


def from_json(parsed: dict[str, Any], metadata: Metadata) -> Input:
    """A decoded body of /invocations."""

    def parse() -> Input:
        return Input(*scoring_server._parse_json_data(dict(parsed), metadata, metadata.get_input_schema()))

    if not isinstance(parsed.get("params"), dict | None):
        raise BadInputError(f'"params" must be an object, received {json_type(parsed["params"])}')
    ranges.check(parsed, metadata.get_input_schema())
    return _guarded(parse)


def bounded(given: Input) -> Input:
    """The same, or TooLargeError."""
    if given.rows > ROWS_AT_MOST:
        expected = f"expected at most {ROWS_AT_MOST}: send several requests"
        raise TooLargeError(f"the request has {given.rows} rows, {expected}")
    return given


def _csv(content: str, schema: Schema | None) -> Input:
    frame: pandas.DataFrame = scoring_server.parse_csv_input(io.StringIO(content), schema)
    return Input(frame, None)


def _guarded(parse: Any) -> Input:
    try:
        result = parse()
    except PARSER_ERRORS as error:
        raise BadInputError(shorten(getattr(error, "message", None) or f"{type(error).__name__}: {error}")) from error
    assert isinstance(result, Input)
    return bounded(result)
