"""What a model answers to its own input example, computed by this release: `python3 -m app.expect FOLDER`.

Prints the `expected` entry of a deployment manifest as JSON. Whoever makes a deployment runs this from the release that
will serve it, so that the gate compares like with like.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

TOLERANCE = 1e-6
EXAMPLE = "serving_input_example.json"  # MLflow writes it beside the model: its input example as a body of /invocations


class NoAnswerError(Exception):
    """The model cannot be given an expectation; one line that says why."""


def expected(folder: Path) -> dict[str, Any]:
    """Raises NoAnswerError when there is no example, or when the model fails on it."""
    from app.core.errors import ServingError
    from app.core.model import answer, load_folder

    if not (folder / EXAMPLE).is_file():
        raise NoAnswerError(f"{folder} has no {EXAMPLE}: log the model with input_example=… and a signature")
    given = json.loads((folder / EXAMPLE).read_text())
    try:
        model = load_folder(folder)
    except Exception as error:  # loading runs the model's own code
        raise NoAnswerError(f"the model in {folder} does not load: {type(error).__name__}: {error}") from None
    try:
        output = answer(model, given)
    except ServingError as error:
        raise NoAnswerError(f"the model in {folder} does not answer its input example: {error.message}") from error
    return {"input": given, "output": output, "tolerance": TOLERANCE}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python3 -m app.expect FOLDER", file=sys.stderr)
        return 2
    try:
        print(json.dumps(expected(Path(arguments[0])), sort_keys=True))
    except NoAnswerError as error:
        print(f"{error}" + (f" ({error.__cause__.__cause__})" if error.__cause__ else ""), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    from app.settings import environment

    os.environ.update(environment(1))
    sys.exit(main(sys.argv[1:]))
