"""A request body of the Open Inference Protocol: JSON, or JSON followed by the tensors' bytes.

The split between the two stands in a header, and each tensor in the JSON says how many bytes are its own.
"""

from dataclasses import dataclass, field
from typing import Any

from app.core.body import decode, json_type, shorten
from app.core.errors import BadInputError
from app.core.openinference_tensor import DATATYPES, DIMENSION_AT_MOST, RANK_AT_MOST, Tensor, from_bytes, from_json

HEADER_LENGTH = "Inference-Header-Content-Length"
TENSORS_AT_MOST = 10_000
# Asking for these changes what an answer is; ignoring them would answer something else than was asked for.
REFUSED_PARAMETERS = ("shared_memory_region", "classification", "sequence_id")


@dataclass(frozen=True)
class RequestedOutput:
    name: str
    binary: bool


@dataclass(frozen=True)
class Request:
    """`outputs` is empty when all of the model's are wanted; `binary` says how those are then written."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    outputs: list[RequestedOutput] = field(default_factory=list)
    binary: bool = False


def parse(body: bytes, header_length: str | None) -> Request:
    """Raises BadInputError, naming the part of the request, for anything that the protocol does not allow."""
    size = _json_size(header_length, len(body))
    return read(decode(body[:size]), body[size:])


def read(parsed: Any, rest: bytes = b"") -> Request:
    """The decoded JSON, and the bytes that followed it."""
    if not isinstance(parsed, dict):
        raise BadInputError(f"the request is {json_type(parsed)}, expected an object")
    identity = _get(parsed, "id", str, "the request", optional=True)
    parameters = _parameters(parsed, "the request")
    binary = _flag(parameters, "binary_data_output", "the request")
    return Request(
        inputs=_inputs(parsed, rest),
        id=identity,
        parameters=parameters,
        outputs=_outputs(parsed, binary),
        binary=binary,
    )


def _json_size(header_length: str | None, body_length: int) -> int:
    if header_length is None:
        return body_length
    text = header_length.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= body_length):
        raise BadInputError(
            f"{HEADER_LENGTH} is {shorten(text)!r}, expected a number of at most {body_length}, the body's length"
        )
    return int(text)


def _inputs(parsed: dict[str, Any], rest: bytes) -> list[Tensor]:
    items = _objects(parsed, "inputs")
    if not items:
        raise BadInputError('"inputs" is empty, expected at least one tensor')
    tensors: list[Tensor] = []
    names: set[str] = set()
    place = 0
    for number, item in enumerate(items):
        tensor, place = _tensor(item, number, rest, place)
        if tensor.name in names:
            raise BadInputError(f"two inputs have the name {shorten(tensor.name)!r}")
        names.add(tensor.name)
        tensors.append(tensor)
    if place != len(rest):
        raise BadInputError(f"the inputs take {place} bytes of binary data, the body has {len(rest)} after its JSON")
    return tensors


def _tensor(item: dict[str, Any], number: int, rest: bytes, place: int) -> tuple[Tensor, int]:
    name = _get(item, "name", str, f"input {number}")
    what = f"input {shorten(name)!r}"
    datatype = _get(item, "datatype", str, what)
    if datatype not in DATATYPES:
        raise BadInputError(f"{what} has the datatype {shorten(datatype)!r}, expected one of {', '.join(DATATYPES)}")
    shape = _shape(_get(item, "shape", list, what), what)
    parameters = _parameters(item, what)
    if (size := parameters.get("binary_data_size")) is None:
        if "data" not in item:
            raise BadInputError(f'{what} lacks "data"')
        return from_json(name, datatype, shape, item["data"], parameters), place
    if "data" in item:
        raise BadInputError(f'{what} has both "data" and "binary_data_size", expected one of them')
    if type(size) is not int or not 0 <= size <= len(rest) - place:
        left = len(rest) - place
        raise BadInputError(f'"binary_data_size" of {what} is {size!r}, expected a number of at most {left}')
    return from_bytes(name, datatype, shape, rest[place : place + size], parameters), place + size


def _shape(shape: list[Any], what: str) -> list[int]:
    for size in shape:
        if type(size) is not int or not 0 <= size <= DIMENSION_AT_MOST:
            raise BadInputError(f'"shape" of {what} holds {shorten(repr(size))}, expected whole numbers of at least 0')
    if not 1 <= len(shape) <= RANK_AT_MOST:
        raise BadInputError(f'"shape" of {what} has {len(shape)} dimensions, expected 1 to {RANK_AT_MOST}')
    return shape


def _outputs(parsed: dict[str, Any], binary: bool) -> list[RequestedOutput]:
    if parsed.get("outputs") is None:
        return []
    found: dict[str, RequestedOutput] = {}
    for number, item in enumerate(_objects(parsed, "outputs")):
        name = _get(item, "name", str, f"output {number}")
        what = f"output {shorten(name)!r}"
        if name in found:
            raise BadInputError(f"{what} is asked for twice")
        parameters = _parameters(item, what)
        asked = _flag(parameters, "binary_data", what) if "binary_data" in parameters else binary
        found[name] = RequestedOutput(name, asked)
    return list(found.values())


def _objects(parsed: dict[str, Any], key: str) -> list[dict[str, Any]]:
    items: list[Any] = _get(parsed, key, list, "the request")
    if len(items) > TENSORS_AT_MOST:
        raise BadInputError(f'"{key}" has {len(items)} items, expected at most {TENSORS_AT_MOST}')
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise BadInputError(f'item {number} of "{key}" is {json_type(item)}, expected an object')
    return items


def _parameters(holder: dict[str, Any], what: str) -> dict[str, Any]:
    parameters: dict[str, Any] = _get(holder, "parameters", dict, what, optional=True) or {}
    refused = [name for name in REFUSED_PARAMETERS if parameters.get(name)]
    if refused:
        raise BadInputError(f'{what} has the parameter "{refused[0]}", which this server does not speak')
    return parameters


def _flag(parameters: dict[str, Any], name: str, what: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise BadInputError(f'the parameter "{name}" of {what} is {json_type(value)}, expected a boolean')
    return value


_TYPES: dict[type, str] = {str: "a string", list: "a list", dict: "an object"}


def _get(holder: dict[str, Any], key: str, kind: type, what: str, *, optional: bool = False) -> Any:
    if (value := holder.get(key)) is None and optional:
        return None
    if key not in holder:
        raise BadInputError(f'{what} lacks "{key}"')
    if not isinstance(value, kind):
        raise BadInputError(f'"{key}" of {what} is {json_type(value)}, expected {_TYPES[kind]}')
    return value
