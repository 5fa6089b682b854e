"""Plays rows under load, judges each, and says it as one table."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.gameday import load
from tests.gameday.day import Day
from tests.gameday.load import Load, Sample
from tests.gameday.rows import Row

CALM_ANSWERS = 200
AFTER_ANSWERS = 100
SWITCH_SECONDS = 0.5


@dataclass(frozen=True)
class Verdict:
    """What a row came to.

    `seconds` is from what was asked for to its outcome, `changed` to the last answer of a deployment that the fleet has
    left since. `slowest` is the slowest request around a switch, over the calm p99 before the row.
    """

    row: Row
    requests: int
    failed: int
    allowed: int
    wrong: int
    seconds: float
    changed: float | None
    slowest: float | None
    trouble: str = ""

    @property
    def passed(self) -> bool:
        return not self.trouble and not self.wrong and self.failed <= self.allowed


def play(day: Day, row: Row) -> Verdict:
    """One row under load. Whatever it raises is its trouble, not the day's end."""
    day.marks.clear()
    trouble = ""
    with day.load() as running:
        load.await_answers(running, CALM_ANSWERS)
        started = time.time()
        try:
            row.act(day)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        ended = time.time()
        if running.alive:
            load.await_answers(running, AFTER_ANSWERS)
        else:
            trouble = trouble or "the load ended before the row"
    verdict = judged(day, row, running, started, ended, trouble)
    if verdict.passed:
        running.remove()
    return verdict


def judged(day: Day, row: Row, running: Load, started: float, ended: float, trouble: str) -> Verdict:
    samples = running.samples
    asked = day.marks.get("asked", started)
    took = day.marks.get("outcome", ended) - asked
    return Verdict(
        row=row,
        requests=len(samples),
        failed=sum(sample.failed for sample in samples),
        allowed=day.in_flight(len(samples) / (time.time() - samples[0].started)) if row.machine_dies else 0,
        wrong=len(load.wrong(samples, day.right())),
        seconds=took,
        changed=changed(samples, asked),
        slowest=around_switches(samples, started),
        trouble=trouble,
    )


def changed(samples: Sequence[Sample], asked: float) -> float | None:
    """Seconds from `asked` to the last answer of another deployment than the newest answer's. None: it stayed one."""
    answered = [sample for sample in samples if not sample.failed and sample.started >= asked]
    left = [sample.started + sample.seconds for sample in answered if sample.deployment != answered[-1].deployment]
    return max(left) - asked if left else None


def around_switches(samples: Sequence[Sample], started: float) -> float | None:
    """The slowest answer in the second around the first answer of another deployment, over the p99 before the row."""
    calm = [sample for sample in samples if sample.started < started]
    known = {sample.deployment for sample in calm}
    first = next((s for s in samples if not s.failed and s.started >= started and s.deployment not in known), None)
    if first is None or not calm:
        return None
    near = load.within(samples, first.started - SWITCH_SECONDS, first.started + SWITCH_SECONDS)
    return max(sample.seconds for sample in near) / load.p99(calm)


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a Markdown table."""
    lines = [
        "| while | requests | failed | may fail | wrong | seconds | slowest at the switch / p99 | fleet |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for verdict in verdicts:
        slowest = "" if verdict.slowest is None else f"{verdict.slowest:.1f}"
        fleet = verdict.trouble.splitlines()[0][:120] if verdict.trouble else "whole"
        lines.append(
            f"| {verdict.row.title} | {verdict.requests} | {verdict.failed} | {verdict.allowed} | {verdict.wrong} "
            f"| {verdict.seconds:.0f} | {slowest} | {fleet} |"
        )
    return "\n".join(lines)
