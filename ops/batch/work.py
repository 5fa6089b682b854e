"""What of a run is kept while it lasts: which file with which options, and each chunk's answer as it came.

The answers are files, so that the state stays small. A chunk's idempotency key is made of the run and its number, so
that a chunk that was sent before an interruption is the same job after it.
"""

import hashlib
import json
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ops import cache
from ops.batch.files import Place
from ops.errors import UserError

STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run is of: two runs with an equal one are the same."""

    source: str
    fingerprint: str
    rows: int
    model: str | None
    columns: list[str] | None


class Work:
    """The folder of one output's run."""

    def __init__(self, output: Place, wanted: Wanted, *, restart: bool) -> None:
        self.folder = folder(output)
        if restart:
            shutil.rmtree(self.folder, ignore_errors=True)
        file = self.folder / STATE
        if file.exists():
            state = json.loads(file.read_text())
            if state["wanted"] != asdict(wanted):
                raise UserError(
                    f"{self.folder} holds an unfinished run of another input, or with other options",
                    "give the same again, or begin anew with --restart",
                )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            state = {"run": secrets.token_hex(8), "wanted": asdict(wanted), "tries": {}}
        self._run: str = state["run"]
        self._wanted = wanted
        self._tries: dict[str, int] = state["tries"]
        self._write()

    def key(self, chunk: int) -> str:
        return f"batch-{self._run}-{chunk}-{self._tries.get(str(chunk), 0)}"

    def again(self, chunk: int) -> None:
        """The chunk's job is no use: the next one is another."""
        self._tries[str(chunk)] = self._tries.get(str(chunk), 0) + 1
        self._write()

    def done(self, chunk: int) -> bool:
        return self._answer(chunk).exists()

    def keep(self, chunk: int, answer: bytes) -> None:
        partial = self.folder / ".answer"
        partial.write_bytes(answer)
        partial.replace(self._answer(chunk))

    def predictions(self, chunk: int) -> list[Any]:
        found: list[Any] = json.loads(self._answer(chunk).read_bytes())["predictions"]
        return found

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def _answer(self, chunk: int) -> Path:
        return self.folder / f"{chunk:08d}.json"

    def _write(self) -> None:
        partial = self.folder / ".state"
        content = {"run": self._run, "wanted": asdict(self._wanted), "tries": self._tries}
        partial.write_text(json.dumps(content) + "\n")
        partial.replace(self.folder / STATE)


def folder(output: Place) -> Path:
    """Beside the output; for one in S3 among what this machine caches."""
    if output.remote:
        return cache.folder("batch") / hashlib.sha256(output.name.encode()).hexdigest()[:16]
    return Path(f"{output.name}.batch")
