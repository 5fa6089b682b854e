"""What a model answers to its own input example and to its golden set, computed by this release:
`python3 -m app.expect FOLDER [GOLDEN]`.

Prints the `expected` entry of a deployment manifest as JSON, null for a model without input example; with a golden set,
an object of `expected`, if it has one, and `golden`.
The last line on standard error is JSON too: `measured`, how long one row and the golden set took.
A model that answers otherwise when it is asked again is refused here: no node could show that it serves it rightly.
Whoever makes a deployment runs this from the release that will serve it, so that the gate compares like with like.
"""

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

TOLERANCE = 1e-5  # relative, and the only one: a compiled model in float32 keeps it, two C libraries do anyway
EXAMPLE = "serving_input_example.json"  # MLflow writes it beside the model: its input example as a body of /invocations


GOLDEN_ROWS = 1000
REPEATS = 5
FEWEST = 3  # one alone may have waited for a processor for seconds
ENOUGH_SECONDS = 0.5


class NoAnswerError(Exception):
    """The model cannot be given an expectation; one line that says why."""


def expected(
    folder: Path, golden: Path | None = None, measured: dict[str, float] | None = None
) -> dict[str, Any] | None:
    """Without an example and a golden set None, for there is nothing to ask; the model must load all the same.

    Raises NoAnswerError when it does not, or when it fails on its example or on the golden set, or answers otherwise
    when it is asked again. `measured` gets how long one row and the golden set take.
    """
    from app.core.model import load_folder

    known = _golden(golden) if golden else {}
    try:
        model = load_folder(folder)
    except Exception as error:  # loading runs the model's own code
        raise NoAnswerError(f"it does not load: {type(error).__name__}: {error}") from None
    measured = {} if measured is None else measured
    answered = _example(model, folder, measured)
    if not golden:
        return answered
    known |= {"output": _answer_again(model, known["input"], "golden set"), "tolerance": TOLERANCE}
    rows = _count(known)
    measured |= {"golden_ms": _milliseconds(model, known["input"], "golden set"), "golden_rows": rows}
    return {"expected": answered, "golden": known} if answered else {"golden": known}


def inputs(folder: Path, golden: Path | None) -> list[Any]:
    """The bodies that `expected` has answers to."""
    given = _given(folder)
    return [*([given] if given is not None else []), *([_golden(golden)["input"]] if golden else [])]


def _given(folder: Path) -> Any:
    """The input example; None when the model was logged without one."""
    saved = folder / EXAMPLE
    return json.loads(saved.read_text()) if saved.is_file() else None


def _example(model: Any, folder: Path, measured: dict[str, float]) -> dict[str, Any] | None:
    """What the model answers to its input example, if it has one."""
    if (given := _given(folder)) is None:
        return None
    answered = {"input": given, "output": _answer_again(model, given, "input example"), "tolerance": TOLERANCE}
    measured["row_ms"] = _milliseconds(model, first_row(given), "input example")
    return answered


def _answer(model: Any, body: Any, what: str) -> Any:
    from app.core.errors import ServingError
    from app.core.model import answer

    try:
        return answer(model, body)
    except ServingError as error:
        raise NoAnswerError(f"the model does not answer its {what}: {error.message}") from error


def _answer_again(model: Any, body: Any, what: str) -> Any:
    """The answer to the second of two questions, which is the first one's too."""
    from app.core import agreement

    first = _answer(model, body, what)
    second = _answer(model, body, what)
    if differs := agreement.difference(second, first, TOLERANCE):
        raise NoAnswerError(f"asked twice, the model answers its {what} in two ways: {differs}")
    return second


def first_row(body: Any) -> Any:
    """The body with its first row only, in whichever form it has rows; as it is when it has no such form."""
    if isinstance(frame := body.get("dataframe_split"), dict) and isinstance(frame.get("data"), list):
        cut = {key: frame[key][:1] for key in ("data", "index") if key in frame}
        return {**body, "dataframe_split": {**frame, **cut}}
    for key in ("dataframe_records", "instances", "inputs"):
        if isinstance(body.get(key), list):
            return {**body, key: body[key][:1]}
    return body


def _milliseconds(model: Any, body: Any, what: str) -> float:
    """The fastest of a few answers: the model is warm by now, and this machine may be busy with other things."""
    fastest, began = math.inf, time.perf_counter()
    for asked in range(1, REPEATS + 1):
        start = time.perf_counter()
        _answer(model, body, what)
        fastest = min(fastest, time.perf_counter() - start)
        if asked >= FEWEST and time.perf_counter() - began > ENOUGH_SECONDS:
            break
    return round(fastest * 1000, 3)


def _golden(file: Path) -> dict[str, Any]:
    """`input`, a body of /invocations, and perhaps `targets`, from what was logged with the run."""
    try:
        known = json.loads(file.read_text())
    except ValueError as error:
        raise NoAnswerError(f"the golden set is not JSON: {error}") from None
    if not isinstance(known, dict) or not isinstance(known.get("input"), dict):
        raise NoAnswerError('the golden set must be an object with "input", a body of /invocations')
    if not isinstance(known.get("targets"), list | None):
        raise NoAnswerError('"targets" of the golden set must be a list, one for each row')
    return {key: known[key] for key in ("input", "targets") if known.get(key) is not None}


def _count(known: dict[str, Any]) -> int:
    answers = known["output"].get("predictions") if isinstance(known["output"], dict) else known["output"]
    rows = len(answers) if isinstance(answers, list) else 1
    if rows > GOLDEN_ROWS:
        raise NoAnswerError(f"the golden set has {rows} rows, at most {GOLDEN_ROWS} are taken")
    if "targets" in known and len(known["targets"]) != rows:
        raise NoAnswerError(f"the golden set has {rows} rows and {len(known['targets'])} targets")
    return rows


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: python3 -m app.expect FOLDER [GOLDEN]", file=sys.stderr)
        return 2
    try:
        measured: dict[str, float] = {}
        found = expected(Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else None, measured)
        print(json.dumps({"measured": measured}), file=sys.stderr)
        print(json.dumps(found, sort_keys=True))
    except NoAnswerError as error:
        said = f"{error}" + (f" ({error.__cause__.__cause__})" if error.__cause__ else "")
        print(" ".join(said.split()), file=sys.stderr)  # a library's own words may have lines of their own
        return 1
    return 0


if __name__ == "__main__":
    from app.settings import environment

    os.environ.update(environment(1))
    sys.exit(main(sys.argv[1:]))
