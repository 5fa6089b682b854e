"""uv: the one on this machine with the user's own settings, or on a node the control release's with the stack's.

On a node nothing counts but `delivery.index`: no file and no variable that somebody left there chooses where packages
come from. What it trusts is what the node trusts, which a network that inspects TLS adds to.
"""

import os
import re
import shutil
from pathlib import Path

from ops import node_python
from ops import run as process
from ops.errors import NotNowError, UserError
from ops.run import CommandError, Result

RELEASE = Path(__file__).resolve().parents[2]
"""Of this code, where it is one: `src/` and `lib/` are below it."""
CACHE = "UV_CACHE_DIR"
NO_ROOM = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
FETCHING = re.compile(r"(?:Failed to (?:fetch|download)|Request failed)[^\n]*?(https?://[^\s`)]+)")
SECONDS = 900.0


def find() -> str:
    """Raises `UserError` when there is none."""
    if node_python.on_a_node():
        uv: str | None = str(RELEASE / "lib" / "bin" / "uv")
        if not os.access(str(uv), os.X_OK):
            hint = "set tracking.controlRelease to a newer one, then `pulumi up`"
            raise UserError("this control release has no uv", hint)
    else:
        uv = os.environ.get("SLIPWAY_UV") or shutil.which("uv")
    if not uv:
        raise UserError("uv is not on PATH", "run `make release`, which sets up the pinned uv")
    return uv


def settings() -> dict[str, str]:
    """What uv is to go by on a node; elsewhere it has its user's own."""
    if not node_python.on_a_node():
        return {}
    from ops.rollout.settings import current

    return {
        "UV_DEFAULT_INDEX": current().index,
        "UV_NO_CONFIG": "1",
        "UV_SYSTEM_CERTS": "1",
        "UV_PYTHON": node_python.PYTHON,
        "UV_PYTHON_DOWNLOADS": "never",
    }


def run(words: list[str], *, input: str | None = None, cwd: Path | None = None) -> Result:
    """`uv WORDS`. Raises `UserError`, in one line where the reason is the index, the network or the disk."""
    given = settings()
    try:
        return process.run([find(), *words], input=input, cwd=cwd, env=given, timeout_seconds=SECONDS, hint=_hint())
    except CommandError as error:
        raise explained(error, given.get("UV_DEFAULT_INDEX", "")) from error


def explained(error: CommandError, index: str = "") -> UserError:
    """The same in one line, where it is neither about packages nor about uv. `index`: the one that was asked."""
    said = error.result.stderr
    if NO_ROOM.search(said):
        return NotNowError("the disk is full: no room for the packages of a release", "make room, or enlarge it")
    if found := FETCHING.search(said):
        causes = [line.removeprefix("  cause:").strip() for line in said.splitlines() if line.startswith("  cause:")]
        where = f"the index {index}" if index and found[1].startswith(index) else found[1]
        return NotNowError(f"{where} cannot be read: {causes[-1] if causes else 'it does not answer'}", _hint())
    if error.result.returncode == process.STATUS_TIMEOUT:
        return NotNowError(f"the index {index or 'of packages'} is too slow: {error.reason}", _hint())
    return error


def _hint() -> str:
    if node_python.on_a_node():
        return "the tracking node must reach the setting delivery.index by https"
    return "check the network, or the index and proxy that uv is configured with"
