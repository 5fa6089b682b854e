"""Lines of nodes' journals: asked for, read, and shown the same whoever wrote them.

Our programs write one JSON object per line, Nginx too; systemd and others write text. Both become an `Entry`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click

from ops.nodes import ROLLED

IDENTIFIERS = (
    *("model-server-a", "model-server-b", "nginx_access", "nginx"),
    *("slipway-activate", "slipway-jobs", "slipway-worker", "slipway-launched", "systemd"),
)
TRACKING = ("nginx_access", "nginx", "mlflow", "slipway-watcher", "systemd")
FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,PRIORITY,_SYSTEMD_UNIT,UNIT"
UNITS = ("model-server@", "nginx", "mlflow", "slipway-", "model-compile@")
TAKEN = {"time", "level", "logger", "message", "pid", "event", "trace", "request_id", "method", "path", "status"}
COLOURS = {"error": "red", "critical": "red", "warning": "yellow"}
SYSLOG_ERROR, SYSLOG_WARNING = 3, 4
MICROSECONDS = 1e6


@dataclass(frozen=True)
class Entry:
    """A line. `time` in seconds since 1970; `fields` are those of a JSON line, empty for text."""

    time: float
    node: str
    source: str
    level: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def command(role: str, since: str, count: int | None, *, follow: bool, request_id: str | None) -> list[str]:
    """journalctl's words on a node of that role."""
    argv = ["journalctl", "--quiet", "--output=json", f"--output-fields={FIELDS}", f"--since={since}"]
    argv += [f"--identifier={name}" for name in identifiers(role)]
    argv += [f"--lines={count}"] if count else []
    argv += ["--follow"] if follow else []
    return argv + ([f"--grep={_literally(request_id)}"] if request_id else [])


def identifiers(role: str) -> tuple[str, ...]:
    """The programs of a node that are heard."""
    return IDENTIFIERS if role in ROLLED else TRACKING


def parse(line: str, node: str) -> Entry | None:
    """None for what is no entry, and for systemd's lines about other units than ours."""
    try:
        raw = json.loads(line)
        stamp = int(raw["__REALTIME_TIMESTAMP"]) / MICROSECONDS
    except (ValueError, KeyError, TypeError):
        return None
    text, source = raw.get("MESSAGE"), str(raw.get("SYSLOG_IDENTIFIER", ""))
    if isinstance(text, list):  # bytes that are no UTF-8
        text = bytes(text).decode(errors="replace")
    if not isinstance(text, str) or (source == "systemd" and not str(raw.get("UNIT", "")).startswith(UNITS)):
        return None
    return entry(stamp, node, source, int(raw.get("PRIORITY", 6)), text)


def entry(stamp: float, node: str, source: str, priority: int, text: str) -> Entry:
    """A line of whatever program, with its level: the journal's own, or what the line itself says."""
    said = _object(text)
    level = "error" if priority <= SYSLOG_ERROR else "warning" if priority == SYSLOG_WARNING else "info"
    if said is None:
        return Entry(stamp, node, source, level, text)
    if source == "nginx_access":
        level = "error" if str(said.get("status", "")).startswith("5") else "info"
    return Entry(stamp, node, source, str(said.get("level", level)), _message(said), said)


def of_request(entry: Entry, request_id: str) -> bool:
    """grep finds the id anywhere: here it must be the line's own."""
    return entry.fields.get("request_id") == request_id or (not entry.fields and request_id in entry.message)


def line(entry: Entry) -> str:
    """One line for people: when, where, who, what, and what else the line says."""
    when = datetime.fromtimestamp(entry.time, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    more = " ".join(f"{key}={_short(value)}" for key, value in entry.fields.items() if _telling(key, value))
    head = f"{click.style(when, fg='bright_black')} {entry.node} {click.style(entry.source, fg='cyan')}"
    message = click.style(entry.message, fg=COLOURS.get(entry.level))
    request = entry.fields.get("request_id")
    tail = " ".join([more, *([f"id={request}"] if request else [])]).strip()
    trace = f"\n{entry.fields['trace']}" if entry.fields.get("trace") else ""
    return f"{head} {message} {click.style(tail, fg='bright_black')}".rstrip() + trace


def _message(said: Mapping[str, Any]) -> str:
    if "method" in said and "status" in said:
        return f"{said['method']} {said.get('path', '')} {said['status']}"
    return " ".join(str(said[key]) for key in ("event", "message") if said.get(key))


def _telling(key: str, value: Any) -> bool:
    return key not in TAKEN and value not in ("", None, [], {})


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if " " not in text else json.dumps(text, ensure_ascii=False)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _literally(text: str) -> str:
    """As a pattern of journalctl's, which are Perl's."""
    return "".join(each if each.isalnum() else f"\\{each}" for each in text)


def merged(entries: Iterator[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.time)
