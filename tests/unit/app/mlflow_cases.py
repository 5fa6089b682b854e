"""What is asked of Slipway and of MLflow's own server: (model, body, content type), by what is special about it."""

import json
from typing import Any

from sklearn.datasets import load_diabetes

from .zoo import MIXED_ROW

JSON = "application/json"
CSV = "text/csv"


def records(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"dataframe_records": list(rows), **more}).encode()


def split(columns: list[str], *rows: Any) -> bytes:
    return json.dumps({"dataframe_split": {"columns": columns, "data": list(rows)}}).encode()


def body(**content: Any) -> bytes:
    return json.dumps(content).encode()


IRIS = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
NAMES = list(IRIS)
VALUES = list(IRIS.values())
FRAME = load_diabetes(as_frame=True).data.head(3)

CASES: dict[str, tuple[str, bytes, str]] = {
    "split": ("iris", split(NAMES, VALUES, VALUES), JSON),
    "split in another order": ("iris", split(NAMES[::-1], VALUES), JSON),
    "split with an index": (
        "iris",
        body(dataframe_split={"columns": NAMES, "data": [VALUES], "index": [7]}),
        JSON,
    ),
    "records": ("iris", records(IRIS, IRIS), JSON),
    "instances as objects": ("iris", body(instances=[IRIS, IRIS]), JSON),
    "instances as lists": ("iris", body(instances=[VALUES]), JSON),
    "inputs by column": ("iris", body(inputs={name: [value] for name, value in IRIS.items()}), JSON),
    "inputs as scalars": ("iris", body(inputs=IRIS), JSON),
    "inputs as a matrix": ("iris", body(inputs=[VALUES]), JSON),
    "charset": ("iris", records(IRIS), "application/json; charset=utf-8"),
    "an extra column": ("iris", records({**IRIS, "id": 7}), JSON),
    "a missing column": ("iris", records({NAMES[0]: 1.0}), JSON),
    "a column missing in one row": ("iris", records(IRIS, {NAMES[0]: 1.0}), JSON),
    "a null": ("iris", records({**IRIS, NAMES[0]: None}), JSON),
    "whole numbers for floats": ("iris", records({**IRIS, NAMES[0]: 5}), JSON),
    "numbers as text": ("iris", records({**IRIS, NAMES[0]: "5.5"}), JSON),
    "text for a number": ("iris", records({**IRIS, NAMES[0]: "tall"}), JSON),
    "true for a number": ("iris", records({**IRIS, NAMES[0]: True}), JSON),
    "a list for a number": ("iris", records({**IRIS, NAMES[0]: [1.0]}), JSON),
    "no rows": ("iris", records(), JSON),
    "an unknown key": ("iris", body(rows=[IRIS]), JSON),
    "two formats": ("iris", body(inputs=[VALUES], instances=[VALUES]), JSON),
    "unknown keys beside": ("iris", records(IRIS, note="hello"), JSON),
    "a list": ("iris", b"[1]", JSON),
    "no JSON": ("iris", b"{", JSON),
    "not UTF-8": ("iris", b'{"inputs": "\xff"}', JSON),
    "another charset": ("iris", records(IRIS), "application/json; charset=latin-1"),
    "an unknown parameter": ("iris", records(IRIS), "application/json; version=1"),
    "another type": ("iris", records(IRIS), "text/plain"),
    "params of a model without": ("iris", records(IRIS, params={"a": 1}), JSON),
    "a regressor": ("diabetes", records(*FRAME.to_dict(orient="records")), JSON),
    "CSV": ("diabetes", FRAME.to_csv(index=False).encode(), CSV),
    "CSV with a charset": ("diabetes", FRAME.to_csv(index=False).encode(), "text/csv; charset=utf-8"),
    "CSV with another charset": ("diabetes", FRAME.to_csv(index=False).encode(), "text/csv; charset=latin-1"),
    "CSV with an index": ("diabetes", FRAME.to_csv().encode(), CSV),
    "CSV with a column too few": ("diabetes", FRAME.drop(columns="age").to_csv(index=False).encode(), CSV),
    "CSV that is ragged": ("diabetes", b"age,sex\n1\n2,3,4", CSV),
    "CSV of text": ("text", b'text\ngood film\n"bad, so bad"', CSV),
    "text": ("text", records({"text": "good film"}, {"text": "awful bore"}), JSON),
    "text that is a number": ("text", records({"text": 7}), JSON),
    "no signature": ("unsigned", body(inputs=["good film", "bad bore"]), JSON),
    "no signature, instances": ("unsigned", body(instances=["good film"]), JSON),
    "params": ("scaled", records({"x": 2.0}, params={"factor": 10.0}), JSON),
    "params by default": ("scaled", records({"x": 2.0}), JSON),
    "params that are cast": ("scaled", records({"x": 2.0}, params={"factor": 3}), JSON),
    "params of a wrong type": ("scaled", records({"x": 2.0}, params={"factor": "many"}), JSON),
    "params that are unknown": ("scaled", records({"x": 2.0}, params={"other": 1}), JSON),
    "strings": ("greet", records({"name": "Ada"}, {"name": "Zürich"}, params={"word": "hi"}), JSON),
    "a dictionary": ("facts", records({"x": 1.0}, {"x": 9.0}), JSON),
    "NaN in a dictionary": ("facts", records({"x": None}), JSON),
    "a frame of every type": ("echo", records(MIXED_ROW, {**MIXED_ROW, "extra": 2.0}), JSON),
    "an optional column": ("echo", records({**MIXED_ROW, "extra": 2.0}), JSON),
    "a float for a whole number": ("echo", records({**MIXED_ROW, "count": 1.5}), JSON),
    "text for a truth": ("echo", records({**MIXED_ROW, "open": "yes"}), JSON),
    "no date": ("echo", records({**MIXED_ROW, "when": "soon"}), JSON),
    "no base64": ("echo", records({**MIXED_ROW, "blob": "A"}), JSON),
    "text in an array": ("echo", records({**MIXED_ROW, "parts": ["a"]}), JSON),
    "a tensor": ("halves", body(inputs=[[[1, 2, 3], [4, 5, 6]]]), JSON),
    "a tensor as instances": ("halves", body(instances=[[[1, 2, 3], [4, 5, -6]]]), JSON),
    "a tensor of another shape": ("halves", body(inputs=[[1, 2, 3]]), JSON),
    "tensors by name": ("joined", body(inputs={"a": [[1.0, 2.0]], "b": [3]}), JSON),
    "a tensor too few": ("joined", body(inputs={"a": [[1.0, 2.0]]}), JSON),
    "type hints": ("hinted", body(inputs=[{"b": 2, "a": 1}]), JSON),
    "type hints and another format": ("hinted", records({"a": 1}), JSON),
    "type hints and a wrong type": ("hinted", body(inputs=[{"a": "x"}]), JSON),
    "gradient boosting": ("boosted", records(*[dict(zip("abcd", VALUES, strict=True))] * 3), JSON),
}

REFUSED: dict[str, tuple[str, bytes, int]] = {
    "NaN": ("iris", records({**IRIS, NAMES[0]: float("nan")}), 400),
    "a number beyond 64 bits": ("facts", b'{"dataframe_records": [{"x": 1e999}]}', 400),
    "a key twice": ("facts", b'{"dataframe_records": [{"x": 1, "x": 2}]}', 400),
    "2^31 in 32 bits": ("echo", records({**MIXED_ROW, "small": 2**31}), 400),
    "2^63 in 64 bits": ("echo", records({**MIXED_ROW, "count": 2**63}), 400),
    "infinity in 32 bits": ("echo", records({**MIXED_ROW, "ratio": 1e39}), 400),
    "a model's own failure": ("scaled", records({"x": 666.0}), 500),
}
