"""What a deployment keeps of a model beside its answers: what it was logged with, and what the next one is compared by.

Kept in the manifest, because the run that has it may be deleted.
"""

from pathlib import Path
from typing import Any

from ops import environments, golden, requirements, signature
from ops.errors import RefusedError
from ops.requirements import Wanted


class MismatchError(RefusedError):
    """The release has not what the model was logged with; another release might."""


def fitting(name: str, version: str, files: Path, code: Path) -> Wanted:
    """What the model was logged with, all of which the unpacked release `code` has. Raises `MismatchError`."""
    wanted, conflicts = environments.fit(f"{name}/{version}", files, code)
    if conflicts:
        why = environments.refusal(conflicts)
        raise MismatchError(name, why.message, why.hint)
    return wanted


def of(run_id: str | None, files: Path, wanted: Wanted, *, breaking: bool) -> dict[str, Any]:
    """Entries of the manifest; what the model has not is not among them."""
    found = {
        "metrics": golden.metrics(run_id),
        "parameters": golden.parameters(run_id),
        "signature": signature.read(files),
        "requirements": [requirements.text(each) for each in wanted.requirements],
        "breaking": breaking,
    }
    return {name: value for name, value in found.items() if value}
