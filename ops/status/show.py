"""The status as a table for people: first whether all agree, then a line for each model, node and worker."""

import textwrap
from collections.abc import Iterator

from ops.rollout.trial import added, in_words
from ops.status.facts import NodeStatus, Status
from ops.table import Cell, Column, cut, duration, render, styled

SHORT_DIGEST = 8
NARROW = 100
GOOD, BAD, ODD, DIM = "green", "red", "yellow", "bright_black"
HEALTH = {"healthy": GOOD, "unhealthy": BAD}

COLUMNS = (
    Column("NODE"),
    Column("BALANCER"),
    Column("DEPLOYMENT"),
    Column("MODEL"),
    Column("DIGEST", optional=1),
    Column("FORM"),
    Column("UP"),
    Column("ANSWERS", optional=2),
    Column("ERRORS", optional=3),
)


def show(status: Status, width: int) -> list[str]:
    return [*_head(status, width), "", *_models(status, width), "", *_fleet(status, width), *_problems(status, width)]


def _head(status: Status, width: int) -> Iterator[str]:
    there = sum(node.deployment == status.deployment and not node.error for node in status.nodes)
    count = f"{there} of {len(status.nodes)} nodes serve it"
    verdict = Cell(count, GOOD if status.agrees else BAD, bold=True)
    yield f"{styled(Cell(status.stack, bold=True))}  deployment {status.deployment}  {styled(verdict)}"
    if status.lock:
        yield styled(Cell(cut(f"rollout    {status.lock}", width), ODD))
    if status.trial:
        there = sum(node.trial == status.trial for node in status.nodes)
        words = f"trial      {status.trial_words}; on {there} of {len(status.nodes)} nodes{_compared(status)}"
        yield from (styled(Cell(line, ODD)) for line in textwrap.wrap(words, width, subsequent_indent="           "))
    if status.paused:
        yield styled(Cell(cut(f"following  paused {status.paused}", width), ODD))
    elif status.alias:
        yield f"following  @{status.alias}"
    else:
        yield styled(Cell("following  no alias", DIM))
    if status.jobs:
        yield cut(f"jobs       {status.jobs}", width)
    if status.pipelines:
        yield cut(f"pipelines  {status.pipelines}", width)


def _compared(status: Status) -> str:
    """How the last answers of the shadow compare, of all nodes together."""
    said = in_words(added(node.trial_answers for node in status.nodes))
    return f"; answers: {said}" if said else ""


def _models(status: Status, width: int) -> list[str]:
    rows: list[list[Cell | str]] = []
    for model in status.models:
        if model.aliases is None:
            aliases = Cell(f"registry not reachable: {status.registry_error}", ODD)
        else:
            moved = status.alias in model.aliases and model.aliases[status.alias] != model.version
            named = ", ".join(f"@{alias} {version}" for alias, version in sorted(model.aliases.items()))
            aliases = Cell(named or "none", ODD if moved else "" if named else DIM)
        rows.append([model.name, model.version, model.digest[:SHORT_DIGEST], aliases])
    if not rows:
        return [styled(Cell("no model is deployed", DIM)), *_unserved(status)]
    columns = [Column("MODEL"), Column("DEPLOYED"), Column("DIGEST", optional=1), Column("ALIASES NOW")]
    return [*render(columns, rows, width), *_unserved(status)]


def _unserved(status: Status) -> Iterator[str]:
    for label in status.unserved:
        yield styled(Cell(f"{label} carries @{status.alias} and is not deployed", ODD))


def _fleet(status: Status, width: int) -> list[str]:
    rows = [row for node in status.nodes for row in _node_rows(node, status.deployment, width)]
    return render(COLUMNS, rows, width) if rows else []


def _node_rows(node: NodeStatus, wanted: str, width: int) -> Iterator[list[Cell | str]]:
    colour = BAD if node.error or node.deployment != wanted else ODD if node.provisional else GOOD
    name = node.name if width >= NARROW else f"…{node.id[-8:]}"
    asked = not node.error or node.deployment
    yield [
        Cell(name, bold=True),
        Cell(node.health or node.state, HEALTH.get(node.health, ODD)),
        Cell((node.deployment or "none") if asked else "no answer", colour),
        Cell(f"slot {node.slot}" if node.slot else "", DIM),
        "",
        "",
        "",
        f"{node.requests:.0f}" if asked else "",
        Cell(f"{node.errors:.0f}" if asked else "", ODD if node.errors else ""),
    ]
    for place, worker in enumerate(sorted(node.workers, key=lambda each: each.number)):
        right = worker.deployment == wanted
        last = place == len(node.workers) - 1
        for first, model in enumerate(worker.models or [None]):
            label = f"{'└' if last else '├'} worker {worker.number}" if not first else ("  " if last else "│ ")
            yield [
                Cell(label, DIM),
                Cell("" if first else "ready" if worker.ready else "not ready", GOOD if worker.ready else BAD),
                Cell("" if first else worker.deployment, GOOD if right else BAD),
                model.label if model else "",
                model.digest[:SHORT_DIGEST] if model else "",
                (model.form or model.status) if model else "",
                "" if first else duration(worker.up_seconds),
                "",
                "",
            ]


def _problems(status: Status, width: int) -> Iterator[str]:
    notes = [Cell(f"! {problem}", BAD) for problem in status.problems]
    for node in status.nodes:
        if node.draining:
            notes.append(Cell(f"  {node.name} is drained", ODD))
        if node.refused:
            notes.append(Cell(f"  {node.name} refused {node.refused}", BAD))
        if node.last_error and node.last_error_age is not None:
            ago = duration(node.last_error_age)
            notes.append(Cell(f"  {node.name}, last error {ago} ago: {node.last_error}", DIM))
    if notes:
        yield ""
    for note in notes:
        for line in textwrap.wrap(note.text, width, subsequent_indent="    ", drop_whitespace=True):
            yield styled(Cell(line, note.colour))
