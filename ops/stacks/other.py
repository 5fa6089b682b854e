"""Another stack: one of this project by its name, or the one of another checkout, by that checkout's folder."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.errors import UserError
from ops.run import ended, run

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(".slipway") / "env"
OWN = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "SSL_CERT_FILE", "AWS_CA_BUNDLE", "XDG_CACHE_HOME")
"""What a process in the other stack's environment has of ours."""


@dataclass(frozen=True)
class Other:
    """`environment` is all that a process that asks it has."""

    name: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def named(cls, name: str) -> "Other":
        """`name` is a stack, or a checkout with an environment of its own. Raises `UserError`."""
        folder = Path(name)
        if (folder / FILE).is_file():
            return cls(name, sourced(folder / FILE))
        if "/" in name or name in (".", ".."):
            raise UserError(f"{name} has no {FILE}", "name a checkout whose stack is up, or a stack")
        if name == os.environ.get("SLIPWAY_STACK"):
            raise UserError(f"{name} is this very stack", "name the stack that the deployment comes from")
        return cls(name, {**os.environ, "SLIPWAY_STACK": name})

    def show(self, deployment_id: str | None) -> dict[str, Any]:
        """What `sender` says of a deployment. Raises `UserError`."""
        return self._asked(["show", *([deployment_id] if deployment_id else [])])

    def fetch(self, folder: Path, keys: Sequence[str]) -> dict[str, Path]:
        """The objects, as files of the folder. Raises `UserError`."""
        found = self._asked(["fetch", str(folder), *keys]) if keys else {}
        return {key: Path(place) for key, place in found.items()}

    def _asked(self, words: Sequence[str]) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "ops.stacks.sender", *words],
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UserError(f"stack {self.name}: {reason(done)}", "is it up, and are these its credentials?")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def reason(done: "subprocess.CompletedProcess[str]") -> str:
    """The engine's own error, which a longer message quotes, or the first line."""
    lines = [line.strip(" |") for line in done.stderr.splitlines() if line.strip(" |")]
    engine = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (engine or lines or [ended(done.returncode)])[0].removeprefix("slipway: ")


def sourced(file: Path) -> dict[str, str]:
    """The variables of a shell that has read this file, and nothing else of ours but `OWN`."""
    own = [f"{name}={os.environ[name]}" for name in OWN if name in os.environ]
    text = run(["env", "-i", *own, "sh", "-c", '. "$1" && exec env -0', "sh", file.resolve()]).stdout
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
