"""Which changes of a signature break the callers of what is served."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import signature


def column(name: str, kind: str = "double", **more: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, "required": True, **more}


def tensor(dtype: str, *shape: int) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}


def of(*inputs: dict[str, Any], outputs: list[Any] | None = None, params: list[Any] | None = None) -> dict[str, Any]:
    return {"inputs": list(inputs), "outputs": outputs or [], "params": params or []}


AGE, SEX = column("age"), column("sex")


@pytest.mark.parametrize(
    ("served", "candidate"),
    [
        (None, of(AGE)),
        (of(AGE), of(AGE)),
        (of(AGE, SEX), of(SEX, AGE)),
        (of(AGE), of(AGE, column("bmi", required=False))),
        (of(AGE), of(column("age", required=False))),
        (of(column("age", "integer")), of(column("age", "long"))),
        (of(column("age", "float")), of(column("age", "double"))),
        (of(tensor("float64", 1, 4)), of(tensor("float64", -1, 4))),
        (of(AGE, outputs=[AGE]), of(AGE, outputs=[AGE, SEX])),
        (of(AGE, outputs=[tensor("float64", -1)]), of(AGE, outputs=[tensor("float64", -1)])),
        (of(AGE), of(AGE, params=[{"name": "k", "type": "long", "default": 1, "shape": None}])),
    ],
)
def test_breaks_nobody(served: dict[str, Any] | None, candidate: dict[str, Any]) -> None:
    assert signature.breaking(served, candidate) == []


@pytest.mark.parametrize(
    ("served", "candidate", "why"),
    [
        (of(AGE), None, "it has no signature any more"),
        (of(AGE, SEX), of(AGE), "input sex is gone"),
        (of(AGE), of(AGE, SEX), "input sex is new and required"),
        (of(AGE), of(column("age", "string")), "input age was double and is string"),
        (of(column("age", "long")), of(column("age", "integer")), "input age was long and is integer"),
        (of(column("age", required=False)), of(AGE), "input age has become required"),
        (of(tensor("float64", -1, 4)), of(tensor("float64", -1, 5)), "input 0 was tensor float64 [-1, 4] and is"),
        (of(tensor("float64", -1, 4)), of(tensor("float32", -1, 4)), "input 0 was tensor float64"),
        (of(tensor("float64", -1, 4)), of(tensor("float64", 2, 4)), "input 0 was tensor float64"),
        (of(outputs=[AGE, SEX]), of(outputs=[AGE]), "output sex is gone"),
        (of(outputs=[column("y", "float")]), of(outputs=[column("y", "double")]), "output y was float and is double"),
        (
            of(column("v", "array", items={"type": "double"})),
            of(column("v", "array", items={"type": "string"})),
            "input v was array of double and is array of string",
        ),
        (of(params=[{"name": "k", "type": "long"}]), of(), "parameter k is gone"),
        (of(params=[{"name": "k", "type": "long"}]), of(params=[{"name": "k", "type": "string"}]), "parameter k was"),
    ],
)
def test_breaks_callers(served: dict[str, Any], candidate: dict[str, Any] | None, why: str) -> None:
    assert [reason for reason in signature.breaking(served, candidate) if why in reason]


def test_a_renamed_column_is_one_gone_and_one_new() -> None:
    assert signature.breaking(of(AGE), of(column("years"))) == ["input age is gone", "input years is new and required"]


def test_changes_name_all_differences() -> None:
    before, after = of(AGE, SEX), of(column("age", "long"), column("bmi", required=False))
    assert signature.changes(before, after) == [
        "input sex: removed",
        "input bmi: new, double, optional",
        "input age: double → long",
    ]


def test_a_signature_is_read_from_what_was_logged(tmp_path: Path) -> None:
    stated = {"inputs": json.dumps([AGE]), "outputs": json.dumps([tensor("float64", -1)]), "params": None}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"signature": stated}))
    assert signature.read(tmp_path) == {"inputs": [AGE], "outputs": [tensor("float64", -1)]}


@pytest.mark.parametrize("about", [{}, {"signature": None}])
def test_a_model_may_have_no_signature(about: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(about))
    assert signature.read(tmp_path) is None
