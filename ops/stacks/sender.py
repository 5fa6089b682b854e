"""`python -m ops.stacks.sender show [ID]` or `fetch FOLDER KEY…`, in the environment of the stack that gives.

The answer is one line of JSON on standard output.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ops import candidate, store
from ops.errors import UserError, reported
from ops.store import Store


def show(at: Store, deployment_id: str | None) -> dict[str, object]:
    """The manifest, held against its id, and how fast its models answered where they were measured."""
    wanted = deployment_id or at.pointer()
    measured = candidate.measurements(at, wanted)
    return {
        "bucket": at.bucket,
        "region": at.region,
        "id": wanted,
        "manifest": at.manifest(wanted),
        "measured": measured,
    }


def fetch(at: Store, folder: Path, keys: Sequence[str]) -> dict[str, str]:
    """Each object as a file of that folder, which is named by its place. Raises `UserError`."""
    found = {}
    for number, key in enumerate(keys):
        place = folder / str(number)
        if not at.has(key):
            raise UserError(f"s3://{at.bucket}/{key} is not there", "make the deployment anew in that stack")
        at.get(key, place)
        found[key] = str(place)
    return found


def main(words: Sequence[str]) -> None:
    with reported("slipway"):
        at = store.current()
        if words[0] == "show":
            print(json.dumps(show(at, words[1] if words[1:] else None)))
        else:
            print(json.dumps(fetch(at, Path(words[1]), words[2:])))


if __name__ == "__main__":
    main(sys.argv[1:])
