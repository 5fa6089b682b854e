"""What a delivery is to take on three small nodes, out of the rows that show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.gameday.play import Verdict

REFUSED = ("model-that-does-not-load", "model-that-answers-at-random")
DELIVERED, RETURNED = "good-model", "roll-back"


@dataclass(frozen=True)
class Figure:
    what: str
    value: float
    most: float


def figures(verdicts: Sequence[Verdict], bake_seconds: int) -> list[Figure]:
    """Those that the rows which were played and have passed can give. Seconds, but for the last."""
    by_name = {each.row.name: each for each in verdicts if each.passed}
    found = []
    good, back = by_name.get(DELIVERED), by_name.get(RETURNED)
    refused = [by_name[name].seconds for name in REFUSED if name in by_name]
    if good and good.changed is not None:
        found.append(Figure("alias moved to fleet changed, bake excluded, s", good.changed - bake_seconds, 60))
    if back and back.changed is not None:
        found.append(Figure("rollback asked for to fleet changed, s", back.changed, 15))
    if refused:
        found.append(Figure("a bad model is refused before any node is touched, s", max(refused), 30))
    if good and good.slowest is not None:
        found.append(Figure("slowest request in the second around a switch / p99", good.slowest, 2))
    return found


def table(found: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| figure | measured | to be at most |", "|---|--:|--:|"]
    return "\n".join([*lines, *(f"| {each.what} | {each.value:.1f} | {each.most:g} |" for each in found)])
