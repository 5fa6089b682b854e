"""An answer of `/predict` as the page shows it: one value or rows, bars for probabilities, the same by curl."""

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas

from app.core.inputs import Input

ROWS_AT_MOST = 50
BARS_AT_MOST = 12
CHARTS_AT_MOST = 3


@dataclass(frozen=True)
class Bars:
    """Labels and shares, the most probable first; `hidden` more are not worth a line."""

    shown: tuple[tuple[str, float], ...]
    hidden: int


@dataclass(frozen=True)
class Answer:
    """`single` for one row of one value, else `rows`, else (what has another shape) `text`."""

    single: str | None
    rows: tuple[str, ...]
    count: int
    bars: tuple[Bars, ...]
    text: str
    curl: str


def answer(content: str, command: str) -> Answer:
    """`content` is the JSON that /predict would have sent."""
    parsed = json.loads(content)
    predictions = parsed.get("predictions") if isinstance(parsed, dict) else None
    values: tuple[str, ...] = ()
    if isinstance(predictions, list) and not any(isinstance(value, dict | list) for value in predictions):
        values = tuple(map(_value, predictions))
    return Answer(
        single=values[0] if len(values) == 1 else None,
        rows=values[:ROWS_AT_MOST],
        count=len(values),
        bars=_bars(parsed) if isinstance(parsed, dict) else (),
        text=json.dumps(parsed, indent=1, ensure_ascii=False)[:20_000],
        curl=command,
    )


def curl(address: str, model: str, given: Input, body: str) -> str:
    """What asks the same from a shell. A row that no longer is one (a matrix) is left to the documentation."""
    if body:
        path, content = f"models/{quote(model, safe='')}/invocations", body
    elif isinstance(given.data, pandas.DataFrame):
        rows = str(given.data.to_json(orient="records", date_format="iso"))
        path, content = f"predict/{quote(model, safe='')}", rows
    else:
        return ""
    header = "Content-Type: application/json"
    return f"curl -s {shlex.quote(address + path)} -H {shlex.quote(header)} -d {shlex.quote(content)}"


def _bars(parsed: dict[str, Any]) -> tuple[Bars, ...]:
    labels, table = parsed.get("classes"), parsed.get("probabilities")
    if not isinstance(labels, list) or not isinstance(table, list):
        return ()
    charts = []
    for row in table[:CHARTS_AT_MOST]:
        pairs = sorted(zip(map(_value, labels), row, strict=True), key=lambda pair: -(pair[1] or 0.0))
        shown = tuple((label, share or 0.0) for label, share in pairs[:BARS_AT_MOST])
        charts.append(Bars(shown, max(0, len(pairs) - BARS_AT_MOST)))
    return tuple(charts)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.10g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
