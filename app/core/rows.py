"""A body of /predict as a model's input, one row or several, written as a person would; and the answer to it.

Unlike MLflow's formats it is strict about names: a field that the signature does not know is refused, so that a
misspelled optional column cannot pass as a missing one. The values are cast by MLflow's own code, as in `inputs.py`.
"""

import io
import json
from typing import Any

from mlflow.models import Model as Metadata
from mlflow.pyfunc import scoring_server
from mlflow.types import Schema

from app.core import form
from app.core.body import FORM, JSON, decode, json_type, media_type, shorten, text
from app.core.errors import BadInputError, ModelFailedError
from app.core.inputs import Input, from_json
from app.core.probabilities import Labelled


def rows(body: bytes, content_type: str | None, metadata: Metadata) -> Input:
    """An object is one row; a list is rows of objects, or of lists in the order of the signature; a form is one row."""
    kind = media_type(content_type, (JSON, FORM))
    schema = metadata.get_input_schema()
    parsed = [form.row(text(body), schema)] if kind == FORM else decode(body)
    items: Any = [parsed] if isinstance(parsed, dict) else parsed
    if not isinstance(items, list) or not items:
        raise BadInputError(f"expected a row (an object) or a list of rows, received {json_type(parsed)}")
    if metadata._is_signature_from_type_hint():
        return from_json({scoring_server.INPUTS: items}, metadata)
    if all(isinstance(item, dict) for item in items):
        _check_names(items, schema)
        return from_json({scoring_server.DF_RECORDS: items}, metadata)
    for number, item in enumerate(items):
        if not isinstance(item, list):
            expected = "expected every row to be an object, or every row to be a list"
            raise BadInputError(f"row {number} is {json_type(item)}: {expected}")
    return from_json(_table(items, schema), metadata)


def answer(predictions: Any, labelled: Labelled | None) -> str:
    """The predictions by MLflow's own encoder, and what the model thinks of each class. NaN and infinity are null."""
    more = {"classes": labelled[0], "probabilities": labelled[1].tolist()} if labelled else {}
    written = io.StringIO()
    try:
        scoring_server.predictions_to_json(predictions, written, more)
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(predictions).__name__
        raise ModelFailedError(f"the model returned a {kind} that JSON cannot hold") from error
    content = written.getvalue()
    if "NaN" in content or "Infinity" in content:
        return json.dumps(json.loads(content, parse_constant=lambda _: None))
    return content


def _check_names(items: list[dict[str, Any]], schema: Schema | None) -> None:
    if schema is None or not schema.has_input_names():
        return
    known, required = set(schema.input_names()), set(schema.required_input_names())
    for number, item in enumerate(items):
        if not item.keys() <= known:
            name = next(name for name in item if name not in known)
            raise BadInputError(f"row {number} has the unknown field {shorten(name)!r}, expected {_listed(schema)}")
        if not required <= item.keys():
            name = next(name for name in schema.required_input_names() if name not in item)
            raise BadInputError(f"row {number} lacks the field {name!r}, expected {_listed(schema)}")


def _listed(schema: Schema) -> str:
    return shorten(", ".join(map(str, schema.input_names())))


def _table(items: list[list[Any]], schema: Schema | None) -> dict[str, Any]:
    if schema is None or schema.is_tensor_spec():
        return {scoring_server.INPUTS: items}
    names = schema.input_names() if schema.has_input_names() else list(range(len(schema.inputs)))
    for number, item in enumerate(items):
        if len(item) != len(names):
            columns = shorten(", ".join(map(str, names)))
            raise BadInputError(f"row {number} has {len(item)} values, expected {len(names)}: {columns}")
    return {scoring_server.DF_SPLIT: {"columns": names, "data": items}}
