"""What of a release is not packages: our own code, and what it asks for. Of this checkout, or of another release.

A tracking node has no checkout. There the code is that of the release that the fleet serves: a model that wants another
package must neither bring server code nor take it back.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.errors import UserError
from ops.packages import AIRFLOW, Kind

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDERS: Mapping[Kind, tuple[str, ...]] = {
    "server": ("app", "contract"),
    "control": ("app", "contract", "ops", "playbooks", "cloud-init"),
    "jobs": (
        "jobs",
        "contract",
        "ops/__init__.py",
        "ops/errors.py",
        "ops/own_address.py",
        "ops/postgres.py",
        "ops/private.py",
    ),
    "airflow": (),
    "training": ("app", "contract", "ops", "pipelines"),
}
ABOUT, PINS = "release.json", "requirements.txt"
"""In each release: what it is, and the pins with hashes that its packages were installed from."""
LISTED = "modules"
"""In what a release says of itself: the modules of a user's own that are among its code; absent when there are none."""


def files(kind: Kind, base: Path | None = None) -> dict[str, Path]:
    """Our code by its place in a release; with `base`, that of this unpacked one."""
    root = base / "src" if base else CHECKOUT
    places = [root] if base else [root / each for each in FOLDERS[kind]]
    return {str(path.relative_to(root)): path for place in places for path in _below(place)}


def requires(kind: Kind, base: Path | None = None) -> list[str]:
    """What this code asks for, as pyproject.toml has it. Raises `UserError` where nothing says it."""
    if base:
        found: list[str] | None = json.loads((base / ABOUT).read_text()).get("requires")
        if found is None:
            raise _too_old(base)
        return found
    file = CHECKOUT / "pyproject.toml"
    if not file.exists():
        raise UserError("releases are built in a checkout, and this is none", "`slipway release --for` from a checkout")
    if kind == "airflow":
        return list(tomllib.loads((AIRFLOW / "pyproject.toml").read_text())["project"]["dependencies"])
    group = tomllib.loads(file.read_text())["dependency-groups"][kind]
    return [each for each in group if isinstance(each, str)]


def listed(base: Path | None) -> dict[str, list[str]]:
    """What an unpacked release says of a user's own modules among its code. A checkout has none."""
    found = json.loads((base / ABOUT).read_text()).get(LISTED) if base else None
    return {LISTED: list(found)} if found else {}


def pins(base: Path) -> str:
    """What an unpacked release was installed from. Raises `UserError` where nothing says it."""
    try:
        return (base / PINS).read_text()
    except FileNotFoundError:
        raise _too_old(base) from None


def _too_old(base: Path) -> UserError:
    told = f"release {base.name[:12]} does not say what it was made from"
    return UserError(told, "roll a newer one out: `slipway release`, then playbooks/deploy.yml")


def _below(place: Path) -> Iterator[Path]:
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield path
