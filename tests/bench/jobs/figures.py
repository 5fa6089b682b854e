"""What the benchmark of jobs says: its figures, the ones to reach, and a table of both. Pure functions."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`at_least` or `at_most` is what is to be reached, where that is said."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool:
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most) and not math.isnan(self.value)

    @property
    def wanted(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""


def table(figures: list[Figure]) -> str:
    lines = [f"{'figure':<52} {'value':>10}  {'to reach':<9}"]
    for each in figures:
        verdict = ("yes" if each.reached else "NO") if each.wanted else ""
        lines.append(f"{each.name:<52} {each.value:>10.4g}  {each.wanted:<9} {verdict:<4} {each.unit}".rstrip())
    return "\n".join(lines)


def missed(figures: list[Figure]) -> list[str]:
    return [each.name for each in figures if each.wanted and not each.reached]
