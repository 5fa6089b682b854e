"""The journal's way from this node's disk to the bucket, so that the node's end is not the end of what it said.

Each turn reads on where the last one stopped. What was read becomes one file, named by its first line, and in one step
the place in the journal moves on and the file waits, until S3 has it: a line is there once, and is lost only with the
journal. While S3 is away one file waits, and the journal keeps the rest.
"""

import fcntl
import gzip
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from slipway_node.cloud import Cloud
from slipway_node.node import CONTRACT, ActivationError, Node, log

INSTANCE = Path("/var/lib/cloud/data/instance-id")
FIELDS = {"SYSLOG_IDENTIFIER": "name", "_SYSTEMD_UNIT": "unit", "PRIORITY": "priority", "MESSAGE": "message"}
ABOUT = "UNIT"  # of a line of systemd's: the unit that it is about
OWN = ("slipway-logs.", "slipway-logs-last.")
NOTICE = 5  # systemd's words on each start of a unit are less than this
FILE_BYTES = 4 * 2**20
FILES_AT_MOST = 8
LINE_CHARACTERS = 65536
LOCK, STATE, WAITING, ENDING = "lock", "state.json", "waiting", ".jsonl.gz"
ARGV = ("journalctl", "--output=json", "--all", "--no-pager", "--quiet")

Line = dict[str, Any]


def main() -> int:
    node = Node.load()
    place, prefix = where(node)
    try:
        with (place / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ship(Cloud(node), place, prefix)
    except ActivationError as failure:
        log("logs not shipped", message=str(failure))
        return node.exits[failure.exit_name]
    return node.exits["ok"]


def where(node: Node) -> tuple[Path, str]:
    """The folder of this node's own state, and the prefix of its objects."""
    contract = json.loads(CONTRACT.read_text())
    facts = json.loads(Path(contract["paths"]["facts"]).read_text())
    instance = INSTANCE.read_text().strip()
    return Path(contract["paths"]["logs"]), f"{node.keys['logs']}{facts['role']}/{instance}/"


def ship(cloud: Cloud, place: Path, prefix: str) -> None:
    """Sends what waits, then reads on, until all is sent or this turn has done enough."""
    for _ in range(FILES_AT_MOST):
        state = load(place)
        if state["waiting"]:
            cloud.create(f"{prefix}{state['waiting']}", (place / WAITING).read_bytes())
            save(place, {**state, "waiting": ""})
        if not read_on(place):
            return


def load(place: Path) -> dict[str, str]:
    """`cursor` is the last line that was looked at, `waiting` the name under which a file is to be sent."""
    try:
        return {"cursor": "", "waiting": "", **json.loads((place / STATE).read_text())}
    except (FileNotFoundError, ValueError):
        return {"cursor": "", "waiting": ""}


def save(place: Path, state: dict[str, str]) -> None:
    """The one step by which the place in the journal moves and a file waits, or no longer does."""
    draft = place / f".{STATE}"
    draft.write_text(json.dumps(state))
    draft.replace(place / STATE)


def read_on(place: Path) -> bool:
    """Makes a file of the next lines. Returns whether there were any to send."""
    lines, name, size, cursor = [], "", 0, ""
    for entry in entries(load(place)["cursor"]):
        cursor = entry["__CURSOR"]
        if (line := trimmed(entry)) is None:
            continue
        if not lines:
            name = f"{line['time'].replace(':', '').replace('-', '')}-{sha256(cursor.encode()).hexdigest()[:8]}{ENDING}"
        lines.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        size += len(lines[-1])
        if size >= FILE_BYTES:
            break
    if lines:
        (place / WAITING).write_bytes(gzip.compress(b"".join(lines), mtime=0))
    if cursor:
        save(place, {"cursor": cursor, "waiting": name})
    return bool(lines)


def entries(after: str) -> Iterator[Line]:
    """The journal's entries after a cursor; from its beginning without one."""
    argv = [*ARGV, f"--output-fields={','.join([*FIELDS, ABOUT])}", *([f"--after-cursor={after}"] if after else [])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, errors="replace") as journal:
        assert journal.stdout is not None
        try:
            for line in journal.stdout:
                yield json.loads(line)
        finally:
            journal.terminate()


def trimmed(entry: Line) -> Line | None:
    """What of an entry is kept. None of the lines that shipping itself makes each minute, unless it has failed."""
    unit = text(entry.get("_SYSTEMD_UNIT")), text(entry.get(ABOUT))
    priority = text(entry.get("PRIORITY")) or "6"
    own = any(name.startswith(OWN) for name in unit)
    if own and int(priority) > NOTICE - 1 and "not shipped" not in text(entry.get("MESSAGE")):
        return None
    time = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
    line = {name: text(entry[key])[:LINE_CHARACTERS] for key, name in FIELDS.items() if entry.get(key) is not None}
    return {"time": f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", **line}


def text(value: Any) -> str:
    """journalctl gives bytes that are no text as numbers, and a field that came twice as a list."""
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):
            return bytes(value).decode(errors="replace")
        return "\n".join(text(item) for item in value)
    return "" if value is None else str(value)
