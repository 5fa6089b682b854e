"""All of the set-up in order: host, system packages, uv, Python packages, engine; and where the programs then are.

Whatever is there already is left alone, so running it again costs a second.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from ops.cache import folder
from ops.lock import exclusive
from ops.steps import Steps
from toolchain import engine, host, python
from toolchain.pins import APT

CHECKOUT = Path(__file__).resolve().parent.parent
RECORD = CHECKOUT / ".slipway" / "toolchain.json"


def setup(steps: Steps, *, machines: bool = True, more: Sequence[str] = ()) -> list[Path]:
    """Makes everything ready and returns the folders to put first on PATH.

    `machines` is what the local cloud needs, `more` are further system packages.
    """
    this = host.this_host()
    host.check(this)
    cache = folder("toolchain")
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
            programs = engine.ensure(cache, part)
    folders = [CHECKOUT / ".venv" / "bin", programs, uv]
    record(folders)
    return folders


def record(folders: list[Path]) -> None:
    """Leaves the folders in `.slipway/toolchain.json` for whoever makes an environment later, root included."""
    RECORD.parent.mkdir(mode=0o700, exist_ok=True)
    new = RECORD.with_suffix(".new")
    new.write_text(json.dumps({"path": [str(place) for place in folders]}))
    new.rename(RECORD)


def recorded() -> list[Path]:
    """What the last set-up left; empty before the first."""
    try:
        return [Path(place) for place in json.loads(RECORD.read_text())["path"]]
    except FileNotFoundError:
        return []
