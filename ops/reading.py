"""Reads the journals of nodes: of those that live over ssh, all at once and in order of time, or as they are written;
of those that are gone, what they have shipped to the bucket.
"""

import itertools
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from ops import journal, node_logs, remote
from ops.errors import UserError
from ops.inventory import Access
from ops.journal import Entry
from ops.node_logs import Line, Shipper
from ops.nodes import ROLLED, Node
from ops.since import parse
from ops.store import Store

SECONDS = 60.0
BEFORE_ITS_END = timedelta(hours=1)


def choose(found: Sequence[Node], wanted: str | None) -> list[Node]:
    """The nodes with a model server, or those whose name or id is, or begins or ends, as `wanted` says.

    Raises `UserError`.
    """
    if wanted is None:
        chosen = [node for node in found if node.role in ROLLED]
    else:
        exact = [node for node in found if wanted in (node.id, node.name)]
        chosen = exact or [
            node for node in found if wanted == node.role or node.id.startswith(wanted) or node.id.endswith(wanted)
        ]
    if not chosen:
        names = ", ".join(node.name for node in found) or "none"
        raise UserError(f"there is no node {wanted or 'that serves'}", f"the stack's nodes: {names}")
    return chosen


def choose_gone(found: Sequence[Shipper], wanted: str) -> Shipper | None:
    """The one whose name or id is, or begins or ends, as `wanted` says. Raises `UserError` when several are."""
    chosen = [node for node in found if wanted in (node.id, node.name)] or [
        node for node in found if node.id.startswith(wanted) or node.id.endswith(wanted)
    ]
    if len(chosen) > 1:
        raise UserError(
            f"{wanted} is not one node that is gone", f"name one: {', '.join(node.name for node in chosen)}"
        )
    return chosen[0] if chosen else None


def read_gone(at: Store, node: Shipper, since: str | None, count: int, request_id: str | None) -> list[Entry]:
    """The newest lines that a node has shipped, of the programs that are heard of a living one, oldest first.

    `since` is as journalctl takes it; without one it is the hour before the node's end.
    """
    begin = parse(since, datetime.now(UTC)) if since else BEFORE_ITS_END
    lines = node_logs.read(at, node.id, begin, newest_first=True)
    entries = (_entry(line, node) for line in lines if _heard(line, node.role))
    wanted = (entry for entry in entries if not request_id or journal.of_request(entry, request_id))
    return list(itertools.islice(wanted, count))[::-1]


def _heard(line: Line, role: str) -> bool:
    """systemd's lines are shipped without the unit that they are about, but name it."""
    if line.name == "systemd":
        return any(unit in line.message for unit in journal.UNITS)
    return line.name in journal.identifiers(role)


def _entry(line: Line, node: Shipper) -> Entry:
    return journal.entry(line.time.timestamp(), node.id, line.name, line.priority, line.message)


def read(
    nodes: Sequence[Node], access: Access, since: str, count: int, request_id: str | None
) -> tuple[list[Entry], dict[str, str]]:
    """The newest lines of all nodes by time, and by name why a node gave none."""
    entries: list[Entry] = []
    silent: dict[str, str] = {}
    for role in sorted({node.role for node in nodes}):
        those = [node for node in nodes if node.role == role]
        words = journal.command(role, since, None if request_id else count, follow=False, request_id=request_id)
        for node, answer in zip(those, remote.ask_all(those, access, words, SECONDS).values(), strict=True):
            found = [entry for line in answer.output.splitlines() if (entry := journal.parse(line, node.id))]
            entries += found
            # journalctl ends with 1 when --grep finds nothing, and says nothing.
            if answer.error and not answer.error.startswith("exit status"):
                silent[node.name] = answer.error
    if request_id:
        entries = [entry for entry in entries if journal.of_request(entry, request_id)]
    return sorted(entries, key=lambda entry: entry.time)[-count:], silent


def follow(nodes: Sequence[Node], access: Access, since: str, request_id: str | None) -> Iterator[Entry]:
    """Lines as they are written, until every node has closed its end or the caller stops."""
    lines: queue.Queue[tuple[Node, str | None]] = queue.Queue()

    def pump(node: Node, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put((node, line))
        lines.put((node, None))

    with ExitStack() as stack:
        for node in nodes:
            words = journal.command(node.role, since, None, follow=True, request_id=request_id)
            argv = remote.command(node, access, words)
            process = stack.enter_context(
                subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
            )
            stack.callback(process.terminate)
            threading.Thread(target=pump, args=(node, process), daemon=True).start()
        open_ends = len(nodes)
        while open_ends:
            node, line = lines.get()
            if line is None:
                open_ends -= 1
            elif (entry := journal.parse(line, node.id)) and (not request_id or journal.of_request(entry, request_id)):
                yield entry
