"""What a node tells an operator beyond its own state: what its server says of itself, and the last that went wrong.

Every part has its own time limit, and one that cannot be had is said in words: a node in trouble is asked most.
"""

import http.client
import json
import subprocess
from pathlib import Path
from typing import Any

from slipway_node.gate import UnixConnection, ask
from slipway_node.node import Node
from slipway_node.slots import CURRENT

ANSWER_SECONDS = 5.0
JOURNAL_SECONDS = 4.0
IDENTIFIERS = ("model-server-a", "model-server-b", "slipway-activate")
TROUBLE = r'"level": "(error|critical)"|"event": "(failed|waiting)"'
COUNTED = {"requests": "slipway_requests_total", "errors": "slipway_errors_total"}


def server(node: Node) -> dict[str, Any]:
    """The answer to /version of what serves, its counts of answers and errors, and the newest error in the journal."""
    found: dict[str, Any] = {"last_error": last_error()}
    try:
        status, _, version = ask(_connection(node), "GET", "/version")
        if status != 200 or not isinstance(version, dict):
            return {**found, "error": f"/version answers {status}"}
        return {**found, "version": version, "counts": counts(_text(node, "/metrics"))}
    except (OSError, http.client.HTTPException) as error:
        return {**found, "error": f"no model server answers: {error}"}


def jobs(node: Node) -> dict[str, Any] | None:
    """What accepting says: whether it finds `broker` and `database`, and how many are `queued`. None without jobs."""
    if node.accept is None:
        return None
    connection = UnixConnection(node.accept)
    connection.timeout = ANSWER_SECONDS
    try:
        _, _, said = ask(connection, "GET", "/jobs/health")
    except (OSError, http.client.HTTPException) as error:
        return {"error": f"nobody accepts jobs: {error}"}
    return said if isinstance(said, dict) else {"error": "how jobs are cannot be read"}


def counts(exposition: str) -> dict[str, float]:
    """The sums of the counters that tell how it goes, from Prometheus' text."""
    found = dict.fromkeys(COUNTED, 0.0)
    for line in exposition.splitlines():
        for name, series in COUNTED.items():
            if line.startswith((f"{series}{{", f"{series} ")):
                found[name] += float(line.rpartition(" ")[2])
    return found


def last_error() -> dict[str, Any] | None:
    """`time` in seconds since 1970 and `message`; None when nothing went wrong in the last day."""
    argv = ["journalctl", "--quiet", "--output=json", "--reverse", "--lines=1", "--since=-1d", f"--grep={TROUBLE}"]
    argv += [f"--identifier={name}" for name in IDENTIFIERS]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=JOURNAL_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return parsed(done.stdout)


def parsed(line: str) -> dict[str, Any] | None:
    """A line of the journal in JSON whose message is one of our own lines of JSON."""
    try:
        entry = json.loads(line)
        said = json.loads(entry["MESSAGE"])
        message = str(said.get("message") or said.get("event"))
        return {"time": int(entry["__REALTIME_TIMESTAMP"]) / 1e6, "message": message.splitlines()[0][:300]}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _text(node: Node, path: str) -> str:
    connection = _connection(node)
    try:
        connection.request("GET", path)
        content: bytes = connection.getresponse().read()
        return content.decode(errors="replace")
    finally:
        connection.close()


def _connection(node: Node) -> UnixConnection:
    connection = UnixConnection(_place(node))
    connection.timeout = ANSWER_SECONDS
    return connection


def _place(node: Node) -> Path:
    return node.run / CURRENT
