"""Values on the wire: protobuf structs to and from plain Python, with what JSON cannot say kept beside it.

Handlers see plain dicts and lists, so that they can pass them to boto3. Which of the values are secret is kept as a
set of paths, unknown values are `UNKNOWN`, assets are `Asset`. The signatures are the engine's own.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import NullValue, Struct, Value

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

PropertyPath = tuple[str | int, ...]


class _Unknown:
    """A value that only the update will know; equal to nothing but itself, and true: it is given."""

    def __repr__(self) -> str:
        return "<unknown>"

    def __deepcopy__(self, memo: object) -> "_Unknown":
        return self


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Asset:
    """A file or a text that a program hands over. Two assets with the same hash are the same."""

    hash: str
    text: str | None = None
    path: str | None = None
    uri: str | None = None
    kind: str = ASSET


@dataclass(frozen=True)
class Decoded:
    values: dict[str, Any]
    secrets: frozenset[PropertyPath]


def decode(struct: Any) -> Decoded:
    """A struct from the engine. Integral numbers become int: the wire has only doubles."""
    secrets: set[PropertyPath] = set()
    values = {key: _decode(value, (key,), secrets) for key, value in struct.fields.items()}
    return Decoded({key: value for key, value in values.items() if value is not None}, frozenset(secrets))


def _decode(value: Any, path: PropertyPath, secrets: set[PropertyPath]) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_STRING else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
        case "struct_value":
            return _decode_struct(value.struct_value.fields, path, secrets)
        case _:
            return None


def _decode_struct(fields: Any, path: PropertyPath, secrets: set[PropertyPath]) -> Any:
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else None
    if signature is None:
        items = {key: _decode(item, (*path, key), secrets) for key, item in fields.items()}
        return {key: item for key, item in items.items() if item is not None}
    if signature == SECRET:
        secrets.add(path)
        return _decode(fields["value"], path, secrets)
    if signature == OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    if signature == REFERENCE:
        return _decode(fields["id" if "id" in fields else "urn"], path, secrets)
    if signature in (ASSET, ARCHIVE):
        part = {name: fields[name].string_value for name in ("hash", "text", "path", "uri") if name in fields}
        return Asset(part.pop("hash", ""), kind=signature, **part)
    raise ValueError(f"a value of an unknown kind came from the engine (signature {signature})")


def encode(values: Mapping[str, Any], secrets: frozenset[PropertyPath] = frozenset()) -> Struct:
    """A struct for the engine, in which the values at `secrets` are marked as such. None is left out."""
    struct = Struct()
    for key, value in values.items():
        if value is not None:
            struct.fields[key].CopyFrom(_encode(value, (key,), secrets))
    return struct


def _encode(value: Any, path: PropertyPath, secrets: frozenset[PropertyPath]) -> Value:
    if path in secrets:
        inner = _encode(value, path, secrets - {path})
        return Value(struct_value=Struct(fields={SIGNATURE: Value(string_value=SECRET), "value": inner}))
    if value is None:
        return Value(null_value=NullValue.NULL_VALUE)
    if value is UNKNOWN:
        return Value(string_value=UNKNOWN_STRING)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, int | float):
        return Value(number_value=value)
    if isinstance(value, bytes):
        return Value(string_value=base64.b64encode(value).decode())
    if isinstance(value, Asset):
        part = {name: getattr(value, name) for name in ("hash", "text", "path", "uri")}
        return Value(struct_value=encode({SIGNATURE: value.kind, **part}))
    if isinstance(value, Mapping):
        struct = Struct()
        for key, item in value.items():
            if item is not None:
                struct.fields[str(key)].CopyFrom(_encode(item, (*path, str(key)), secrets))
        return Value(struct_value=struct)
    if isinstance(value, list | tuple):
        encoded = Value()
        encoded.list_value.SetInParent()
        encoded.list_value.values.extend(_encode(item, (*path, index), secrets) for index, item in enumerate(value))
        return encoded
    return Value(string_value=str(value))


def render_path(path: PropertyPath) -> str:
    """`("ingress", 0, "fromPort")` as the engine writes it: `ingress[0].fromPort`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and all(letter.isalnum() or letter == "_" for letter in part):
            text += f".{part}" if text else part
        else:
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def known(value: Any) -> bool:
    """Whether nothing inside is unknown."""
    if value is UNKNOWN:
        return False
    if isinstance(value, Mapping):
        return all(known(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(known(item) for item in value)
    return True
