"""The checkout's own folder, `.slipway/`, and the file by which everyone finds the running local cloud.

All names on the host (network namespace, control groups, nftables table) derive from the checkout's path, so that two
checkouts run side by side and a later start knows what an earlier one left behind.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ops.errors import UserError

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Running:
    """`localcloud.json`: a daemon, alive or dead. `published` maps listener ports to ports on 127.0.0.1.

    `controllers` maps each part's name to its last error, empty when it is well; `machines` each instance to its state
    and address.
    """

    pid: int
    started: float
    checkout_id: str
    api_port: int = 0
    ready: bool = False
    published: dict[str, int] = field(default_factory=dict)
    controllers: dict[str, str] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether that very process still runs: ids are used again, so its start time must agree too."""
        return start_time(self.pid) == self.started


class State:
    """Where everything of one checkout lies. Folders exist once `create` has run; mode 700, for they hold secrets."""

    def __init__(self, checkout: Path = CHECKOUT) -> None:
        self.checkout = checkout.resolve()
        self.checkout_id = checkout_id(self.checkout)
        self.slipway = self.checkout / ".slipway"
        self.folder = self.slipway / "localcloud"
        self.file = self.folder / "localcloud.json"
        self.calls = self.folder / "cloudtrail.jsonl"
        self.faults = self.folder / "faults"
        self.pulumi = self.slipway / "pulumi"

    def create(self) -> None:
        for folder in (self.slipway, self.folder, self.folder / "log"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def log(self, part: str) -> Path:
        return self.folder / "log" / f"{part}.log"

    def machine(self, instance_id: str) -> Path:
        return self.folder / "machines" / instance_id

    def database(self, database_id: str) -> Path:
        return self.folder / "databases" / database_id

    def read(self) -> Running | None:
        """The daemon that wrote the file last, None when there was none. Raises `UserError` to whom it is closed."""
        try:
            data: dict[str, Any] = json.loads(self.file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        except PermissionError:
            raise UserError(
                f"{self.file}: permission denied", "run it as the user who ran `make up`, or as root"
            ) from None
        known = {each.name for each in fields(Running)}
        return Running(**{name: value for name, value in data.items() if name in known})

    def write(self, running: Running) -> None:
        """Atomic: readers see the old file or the new one."""
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(running), indent=2) + "\n")
        temporary.replace(self.file)


def checkout_id(checkout: Path) -> str:
    """`slipway-` and six hex digits of the checkout's real path."""
    return "slipway-" + hashlib.sha256(os.path.realpath(checkout).encode()).hexdigest()[:6]


def start_time(pid: int) -> float:
    """When a process started, in seconds since boot; 0 when there is no such process (or only its corpse)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
