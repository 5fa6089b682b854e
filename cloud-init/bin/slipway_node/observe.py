"""What this node's serving slot did in a window of time, from three sources that do not trust each other.

The slot's own counters say what it answered and how fast; Nginx's log, what callers got and what the fallback had to
answer, for a server that dies counts nothing; systemd, whether it had to be started again.
"""

import http.client
import json
import re
import subprocess
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from slipway_node import fetch
from slipway_node.activation import Activation
from slipway_node.exercise import exercise
from slipway_node.gate import UnixConnection, read_text
from slipway_node.links import CANDIDATE
from slipway_node.node import ActivationError, Node
from slipway_node.slots import CURRENT, PREVIOUS
from slipway_node.state import write_whole

SERVING = "mark.json"
LOOK_SECONDS = 1.0
OBVIOUS_FAILURES = 10
"""As many failed requests, and half of all: waiting longer would only fail more."""
OVERLOADED = "503"
UNANSWERED = ("502", "504")
"""What Nginx writes of an attempt that failed without an answer; the server itself answers neither."""
SEPARATOR = re.compile(r", | : ")
PROBES = ("/readyz", "/livez", "/metrics", "/version", "/ping", "/health")
REQUESTS = "slipway_requests_total{"
BUCKET = "slipway_request_duration_seconds_bucket{"
EXITS = "slipway_worker_exits_total "


@dataclass(frozen=True)
class Counts:
    """Since the slot's server started. `buckets` are cumulative, by upper bound as the metrics have it."""

    requests: float = 0
    slot_errors: float = 0
    exits: float = 0
    buckets: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """Where a window begins: the counts of a slot, and a place in the journal."""

    deployment: str
    slot: str
    started: float
    cursor: str
    restarts: int
    counts: Counts

    @classmethod
    def load(cls, node: Node, name: str = SERVING) -> "Mark":
        try:
            data = json.loads(node.state.with_name(name).read_text())
        except FileNotFoundError:
            raise ActivationError("nothing", "no window was begun here: `slipway-activate mark` first") from None
        return cls(**{**data, "counts": Counts(**data["counts"])})

    def save(self, node: Node, name: str = SERVING) -> None:
        write_whole(node.state.with_name(name), json.dumps(asdict(self)))


def mark_serving(activation: Activation) -> Mark:
    """Now, for the slot that serves. Raises `ActivationError` nothing when none does."""
    serving, linked = activation.load().serving, activation.slots.linked(CURRENT)
    if serving is None or linked != serving.slot:
        raise ActivationError("nothing", "no deployment serves here")
    return mark(activation, serving.deployment, serving.slot)


def mark(activation: Activation, deployment: str, slot: str) -> Mark:
    restarts = int(activation.slots.show(slot)["NRestarts"])
    return Mark(deployment, slot, time.time(), _journal_end(), restarts, counts(activation.node, slot))


def observe(activation: Activation, since: Mark, seconds: float, least: int) -> dict[str, Any]:
    """The window from `since` until `seconds` from now, sooner when the slot obviously fails. A slot that was asked
    less than `least` times replays its examples; and each model's once in any case, which finds one that hangs. When
    another deployment serves by then, the window says so."""
    ending = time.monotonic() + seconds
    while time.monotonic() < ending:
        if obvious(seen := window(activation, since)):
            return {**seen, "early": True}
        time.sleep(min(LOOK_SECONDS, max(0.0, ending - time.monotonic())))
    seen = window(activation, since)
    serving = activation.load().serving
    if serving is None or serving.deployment != since.deployment:
        return {**seen, "deployment": serving.deployment if serving else ""}
    manifest = fetch.read_manifest(activation.node, since.deployment)
    if manifest is None or not manifest.models:
        return seen
    replayed = exercise(activation.node, manifest, max(least - seen["requests"], 2 * len(manifest.models)))
    return {**window(activation, since), "wrong": replayed["wrong"], "replayed": replayed}


def obvious(seen: dict[str, Any]) -> bool:
    failed = max(seen["errors"] + seen["rescued"], seen["slot_errors"])
    return bool(failed >= OBVIOUS_FAILURES and 2 * failed >= seen["requests"])


def window(activation: Activation, since: Mark, *, candidate: bool = False) -> dict[str, Any]:
    """What the slot did since then; `candidate`: one on trial, which Nginx reaches under another name."""
    now = counts(activation.node, since.slot)
    seen = tally(_journal_since(since.cursor), candidate=candidate)
    return {
        "deployment": since.deployment,
        "slot": since.slot,
        "seconds": round(time.time() - since.started, 1),
        "requests": max(_once(now.requests, since.counts.requests, seen["asked_again"]), seen["requests"]),
        "errors": seen["errors"],
        "rescued": seen["rescued"],
        "slot_errors": _once(now.slot_errors, since.counts.slot_errors, seen["failed_again"]),
        "exits": int(_gained(now.exits, since.counts.exits)),
        "restarts": int(activation.slots.show(since.slot)["NRestarts"]) - since.restarts,
        "buckets": [[bound, _gained(n, since.counts.buckets.get(bound, 0))] for bound, n in now.buckets.items()],
    }


def _gained(now: float, before: float) -> float:
    """A counter that is smaller than it was has begun again."""
    return now - before if now >= before else now


def _once(now: float, before: float, again: int) -> int:
    """Requests, where the slot counts attempts: Nginx asks it twice before it asks the fallback."""
    return max(0, int(_gained(now, before)) - again)


def counts(node: Node, slot: str) -> Counts:
    """All zero for a server that does not answer: what it fails is in Nginx's log."""
    try:
        text = read_text(UnixConnection(node.socket(slot)), "/metrics")
    except (OSError, http.client.HTTPException):
        return Counts()
    return parse(text)


def parse(text: str) -> Counts:
    """The slot's counters, summed over models and protocols, from Prometheus' text format."""
    requests = errors = exits = 0.0
    buckets: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith(REQUESTS):
            value = float(line.rsplit(" ", 1)[1])
            requests += value
            status = _label(line, "status")
            errors += value if status.startswith("5") and status != OVERLOADED else 0
        elif line.startswith(BUCKET):
            bound = _label(line, "le")
            buckets[bound] = buckets.get(bound, 0) + float(line.rsplit(" ", 1)[1])
        elif line.startswith(EXITS):
            exits = float(line.removeprefix(EXITS))
    return Counts(requests, errors, exits, buckets)


def _label(line: str, name: str) -> str:
    return line.partition(f'{name}="')[2].partition('"')[0]


def tally(lines: list[str], *, candidate: bool = False) -> dict[str, int]:
    """Predictions in Nginx's log, of a candidate on trial or of what serves: all, those answered with 5xx, and those
    that only the fallback answered.

    `asked_again` are the slot's answers beyond its first to the same request, `failed_again` its errors beyond that.
    """
    found = {"requests": 0, "errors": 0, "rescued": 0, "asked_again": 0, "failed_again": 0}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or entry.get("event") != "request" or entry.get("path") in PROBES:
            continue
        asked = SEPARATOR.split(str(entry.get("upstream")))
        if asked[0].endswith(f"/{CANDIDATE}") is not candidate:
            continue
        found["requests"] += 1
        status = str(entry.get("status"))
        if status.startswith("5"):
            found["errors"] += status != OVERLOADED
        elif len(asked) > 1 if candidate else any(each.endswith(f"/{PREVIOUS}") for each in asked):
            found["rescued"] += 1
        answers = _answers(asked, str(entry.get("upstream_status")), CANDIDATE if candidate else CURRENT)
        found["asked_again"] += max(0, len(answers) - 1)
        found["failed_again"] += max(0, sum(answer.startswith("5") for answer in answers) - 1)
    return found


def _answers(asked: list[str], statuses: str, name: str) -> list[str]:
    """The statuses with which the slot behind the link `name` answered a request, from Nginx's lists of attempts."""
    attempts = zip(asked, SEPARATOR.split(statuses), strict=False)
    return [status for at, status in attempts if at.endswith(f"/{name}") and status not in UNANSWERED]


def _journal_end() -> str:
    argv = ["journalctl", "--quiet", "--lines=0", "--show-cursor"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return done.partition("-- cursor: ")[2].strip()


def _journal_since(cursor: str) -> list[str]:
    subprocess.run(["journalctl", "--sync"], check=False)
    argv = ["journalctl", "--quiet", "--output=cat", "--identifier=nginx_access", f"--after-cursor={cursor}"]
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=True).stdout.splitlines()
