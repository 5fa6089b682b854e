"""All of the set-up in order: host, system packages, uv, Python packages, engine; and where the programs then are.

Whatever is there already is left alone, so running it again costs a second.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ops.lock import exclusive
from ops.steps import Steps
from toolchain import engine, host, python
from toolchain.pins import APT

CHECKOUT = Path(__file__).resolve().parent.parent
RECORD = CHECKOUT / ".slipway" / "toolchain.json"


def cache_folder() -> Path:
    """Outside the checkout, so that a fresh clone finds what an older one had fetched."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "slipway" / "toolchain"


def setup(steps: Steps, *, machines: bool = True, more: Sequence[str] = ()) -> list[Path]:
    """Makes everything ready and returns the folders to put first on PATH.

    `machines` is what the local cloud needs, `more` are further system packages.
    """
    this = host.this_host()
    host.check(this)
    cache = cache_folder()
    with steps.step("toolchain") as step, exclusive(cache / "lock", "toolchain", waiting=step.say):
        missing = host.missing_packages([*APT.base, *(APT.machines if machines else []), *more])
        if missing:
            steps.line(f"     missing system packages: {' '.join(missing)}")
            with steps.step("system packages") as part:
                host.install(this, missing, part)
        with steps.step("Python packages") as part:
            uv = python.ensure_uv(cache, part)
            python.sync(uv, CHECKOUT, part)
        with steps.step("Pulumi engine") as part:
            folder = engine.ensure(cache, part)
    folders = [CHECKOUT / ".venv" / "bin", folder, uv]
    record(folders)
    return folders


def record(folders: list[Path]) -> None:
    """Leaves the folders in `.slipway/toolchain.json` for whoever makes an environment later, root included."""
    RECORD.parent.mkdir(mode=0o700, exist_ok=True)
    new = RECORD.with_suffix(".new")
    new.write_text(json.dumps({"path": [str(folder) for folder in folders]}))
    new.rename(RECORD)


def recorded() -> list[Path]:
    """What the last set-up left; empty before the first."""
    try:
        return [Path(folder) for folder in json.loads(RECORD.read_text())["path"]]
    except FileNotFoundError:
        return []
