"""Whether a shadow answers as the one that serves: both log the digest of an answer under the id that Nginx gave it.

The digest is of what an answer means (app/core/digest.py), so two that are equal came from equal predictions.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

LAST = 20_000
"""Of a slot's answers so many are read: the newest."""
LATE_SECONDS = 10.0
"""A copy may be answered later than its original; it is missing after this."""
NAMED = 5
READ_SECONDS = 8.0
"""An operator waits for it."""

Answer = Mapping[str, Any]
"""`time`, `request_id`, `status`, and `digest`, which is empty where it was too large to tell."""


def of(serving: str, shadow: str, since: float) -> dict[str, Any]:
    """How the answers of two slots compare, from a time on, in seconds since 1970."""
    return compare(logged(serving, since), logged(shadow, since))


def logged(slot: str, since: float) -> dict[str, Answer]:
    """The slot's newest answers that are to be compared, by their ids. By time, because journalctl takes no place in
    the journal together with a number of lines: it then reads backwards from there."""
    subprocess.run(["journalctl", "--sync"], check=False)
    argv = ["journalctl", "--quiet", "--output=cat", f"--identifier=model-server-{slot}", "--grep", '"compare":']
    argv += ["--case-sensitive=true", f"--lines={LAST}", f"--since=@{int(since)}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, timeout=READ_SECONDS)
    except subprocess.TimeoutExpired:
        return {}
    return parsed(done.stdout.splitlines())


def parsed(lines: Iterable[str]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("message") == "answer" and isinstance(entry.get("compare"), str):
            found[entry["compare"]] = entry
    return found


def compare(serving: Mapping[str, Answer], shadow: Mapping[str, Answer], now: datetime | None = None) -> dict[str, Any]:
    """How many were the `same`, `different`, `failed` by the shadow alone, `missing` from it, or `unchecked` for their
    size; and the request ids of the first that were not the same."""
    found: dict[str, Any] = dict.fromkeys(("same", "different", "failed", "missing", "unchecked"), 0)
    named: list[str] = []
    late = (now or datetime.now(UTC)) - timedelta(seconds=LATE_SECONDS)
    for compared, answer in serving.items():
        kind = _kind(answer, shadow.get(compared), late)
        if kind:
            found[kind] += 1
        if kind in ("different", "failed") and len(named) < NAMED:
            named.append(str(answer.get("request_id")))
    return {**found, "first": named}


def _kind(answer: Answer, copy: Answer | None, late: datetime) -> str | None:
    """None: the copy may still come."""
    if copy is None:
        return "missing" if datetime.fromisoformat(answer["time"]) < late else None
    if copy["status"] >= 500 > answer["status"]:
        return "failed"
    if not (answer["digest"] and copy["digest"]):
        return "unchecked"
    return "same" if (answer["status"], answer["digest"]) == (copy["status"], copy["digest"]) else "different"
