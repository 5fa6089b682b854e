"""Asynchronous predictions where they are off: a clear refusal, never an answer at once."""

from collections.abc import Callable

import pytest

from .loop_server import LoopServer

ROW = b'{"x": 1.5}'
V2 = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}]}'
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/predict?async=true", ROW, {}),
        ("/predict?async=True", ROW, {}),
        ("/predict", ROW, {"Prefer": "respond-async"}),
        ("/predict", ROW, {"Prefer": "wait=5, Respond-Async; x=y"}),
        ("/invocations?async=true", b'{"dataframe_records": [{"x": 1.5}]}', {}),
        ("/v2/models/scaled/infer", V2, {"Prefer": "respond-async"}),
    ],
)
def test_who_asks_for_a_job_is_told_that_there_are_none(
    loop: Callable[..., LoopServer], path: str, body: bytes, headers: dict[str, str]
) -> None:
    status, answer, _ = loop("scaled", default="scaled").by_loop(path, body, JSON | headers)
    assert status == 400
    assert b"asynchronous predictions are off" in answer


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/predict?async=false", {}),
        ("/predict?async=", {}),
        ("/predict", {"Prefer": "return=minimal"}),
        ("/predict", {"Prefer": "no-respond-async"}),
    ],
)
def test_whoever_does_not_ask_for_one_is_answered(
    loop: Callable[..., LoopServer], path: str, headers: dict[str, str]
) -> None:
    status, answer, _ = loop("scaled", default="scaled").by_loop(path, ROW, JSON | headers)
    assert (status, answer.strip()) == (200, b'{"predictions": [3.0]}')
