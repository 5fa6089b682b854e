"""A request's body as a model's input, parsed and cast by MLflow's own scoring code.

MLflow's parser is called, not imitated, so that an answer here is the answer of `mlflow models serve`.
What it leaves to chance is settled before it is called: the encoding, numbers that are not JSON, nesting, plain rows.
"""

import io
import json
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import Model as Metadata
from mlflow.pyfunc import scoring_server
from mlflow.types import Schema

from app.core.errors import BadInputError, UnsupportedContentError

JSON = "application/json"
CSV = "text/csv"
MESSAGE_LENGTH = 1000

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
        raise BadInputError(f"{scoring_server.REQUIRED_INPUT_FORMAT}. Received {_json_type(parsed)}.")
    return from_json(parsed, metadata)


def from_json(parsed: dict[str, Any], metadata: Metadata) -> Input:
    """A decoded body of /invocations."""

    def parse() -> Input:
        return Input(*scoring_server._parse_json_data(dict(parsed), metadata, metadata.get_input_schema()))

    if not isinstance(parsed.get("params"), dict | None):
        raise BadInputError(f'"params" must be an object, received {_json_type(parsed["params"])}')
    return _guarded(parse)


def rows(body: bytes, content_type: str | None, metadata: Metadata) -> Input:
    """A body of /predict: an object is one row, a list is rows of objects or of lists in the order of the signature."""
    media_type(content_type, (JSON,))
    parsed = decode(body)
    items = [parsed] if isinstance(parsed, dict) else parsed
    if not isinstance(items, list) or not items:
        raise BadInputError(f"expected a row (an object) or a list of rows, received {_json_type(parsed)}")
    if all(isinstance(item, dict) for item in items):
        return from_json({scoring_server.DF_RECORDS: items}, metadata)
    for number, item in enumerate(items):
        if not isinstance(item, list):
            kind = _json_type(item)
            raise BadInputError(
                f"row {number} is {kind}: expected every row to be an object, or every row to be a list"
            )
    return from_json(_table(items, metadata.get_input_schema()), metadata)


def _table(items: list[list[Any]], schema: Schema | None) -> dict[str, Any]:
    if schema is None or schema.is_tensor_spec():
        return {scoring_server.INPUTS: items}
    names = schema.input_names() if schema.has_input_names() else list(range(len(schema.inputs)))
    for number, item in enumerate(items):
        if len(item) != len(names):
            columns = ", ".join(map(str, names))
            raise BadInputError(f"row {number} has {len(item)} values, expected {len(names)}: {columns}")
    return {scoring_server.DF_SPLIT: {"columns": names, "data": items}}


def media_type(content_type: str | None, accepted: tuple[str, ...]) -> str:
    """The content type without its parameters; only UTF-8 is spoken, as in MLflow."""
    header = Message()
    header["content-type"] = content_type or "none"
    kind = header.get_content_type() if content_type else "none"
    if kind not in accepted:
        raise UnsupportedContentError(
            f"Content-Type is {content_type or 'missing'!r}, expected {' or '.join(accepted)}"
        )
    parameters = {str(name).lower(): value for name, value in header.get_params(failobj=[])[1:]}
    if str(parameters.pop("charset", "utf-8")).lower() not in ("utf-8", "utf8"):
        raise UnsupportedContentError(f"Content-Type is {content_type!r}, expected charset utf-8")
    if parameters:
        raise UnsupportedContentError(f"Content-Type has unknown parameters: {', '.join(sorted(parameters))}")
    return kind


def text(body: bytes) -> str:
    if not body.strip():
        raise BadInputError("the body is empty")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{body[error.start]:02x}"
        raise BadInputError(f"the body is not UTF-8: byte {byte} at position {error.start}") from error


def decode(body: bytes) -> Any:
    """Strict JSON (RFC 8259): Python's own reader would let NaN and Infinity pass."""
    content = text(body)
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadInputError(f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise BadInputError("the body is nested too deeply") from error
    except ValueError as error:
        raise BadInputError(f"the body holds a number with too many digits: {shorten(str(error))}") from error


def shorten(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:MESSAGE_LENGTH]} ..."


def _refuse_constant(name: str) -> Any:
    raise BadInputError(f"the body holds {name}, which is not JSON: write null for a missing value")


def _csv(content: str, schema: Schema | None) -> Input:
    frame: pandas.DataFrame = scoring_server.parse_csv_input(io.StringIO(content), schema)
    return Input(frame, None)


def _guarded(parse: Any) -> Input:
    try:
        result = parse()
    except PARSER_ERRORS as error:
        raise BadInputError(shorten(getattr(error, "message", None) or f"{type(error).__name__}: {error}")) from error
    assert isinstance(result, Input)
    return result


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    name = names.get(type(value), "a number")
    return "an empty list" if value == [] else name
