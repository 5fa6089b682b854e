"""Files with a line of JSON for each event, read while others write them."""

import json
from pathlib import Path
from typing import Any


def whole_lines(file: Path) -> list[Any]:
    """What its lines say, but for one that is just being written."""
    whole, _, _ = file.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
