"""Tables for people: as wide as they must be, as narrow as the terminal is, coloured only on one.

A column may give way when there is no room: first those that are `optional`, in the order of their number, then the
widest one is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import click

GAP = 2
LEAST = 8
WIDTH_WITHOUT_TERMINAL = 200


@dataclass(frozen=True)
class Cell:
    text: str
    colour: str = ""
    bold: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Column:
    """`optional`: 0 stays, 1 gives way first."""

    title: str
    optional: int = 0


def render(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], width: int) -> list[str]:
    """The lines of the table, its heading first. Columns that are empty everywhere are left out."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    kept = [place for place in range(len(columns)) if any(row[place].text for row in cells)]
    widths = {place: max(len(columns[place].title), *(len(row[place].text) for row in cells)) for place in kept}
    kept = fit(kept, widths, columns, width)
    heading = [Cell(columns[place].title, "bright_black") for place in kept]
    return [
        _line(line, [widths[place] for place in kept]) for line in (heading, *([r[p] for p in kept] for r in cells))
    ]


def fit(kept: list[int], widths: dict[int, int], columns: Sequence[Column], width: int) -> list[int]:
    """Which columns stay; `widths` is cut to what there is room for."""

    def total(places: list[int]) -> int:
        return sum(widths[place] for place in places) + GAP * max(0, len(places) - 1)

    for rank in sorted({columns[place].optional for place in kept} - {0}):
        if total(kept) <= width:
            break
        kept = [place for place in kept if columns[place].optional != rank]
    while (over := total(kept) - width) > 0:
        widest = max(kept, key=lambda place: widths[place])
        if widths[widest] <= LEAST:
            break
        widths[widest] = max(LEAST, widths[widest] - over)
    return kept


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def styled(cell: Cell, width: int = 0) -> str:
    text = cut(cell.text, width) if width else cell.text
    padded = text.ljust(width)
    return click.style(padded, fg=cell.colour or None, bold=cell.bold or None) if cell.colour or cell.bold else padded


def _line(cells: Sequence[Cell], widths: Sequence[int]) -> str:
    parts = [styled(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return (" " * GAP).join(parts).rstrip()


def duration(seconds: float) -> str:
    """About how long, in the unit that says most."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= 100):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
