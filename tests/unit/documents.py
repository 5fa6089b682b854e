"""The documents of this checkout, taken apart: their code, their links, their tables."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def files() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def blocks(file: Path, language: str = "sh") -> list[str]:
    """The fenced blocks of a language."""
    return [text for kind, text in FENCE.findall(file.read_text()) if kind == language]


def block(file: Path, word: str, language: str = "sh") -> str:
    """The one block of a language that has the word in it."""
    (found,) = (text for text in blocks(file, language) if word in text)
    return found


def inline(file: Path) -> list[str]:
    """What stands in backticks, outside of blocks."""
    return INLINE.findall(FENCE.sub("", file.read_text()))


def commands(file: Path) -> Iterator[str]:
    """Every line of a shell block, without its comment and with continued lines joined; then what is in backticks."""
    for block in blocks(file):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"\s+#.*$", "", line).strip()
    yield from inline(file)


def links(file: Path) -> list[str]:
    """Those within the checkout."""
    found: list[str] = LINK.findall(FENCE.sub("", file.read_text()))
    return [link for link in found if not re.match(r"\w+://", link)]


def anchors(file: Path) -> set[str]:
    """The headings' own links, as GitHub makes them."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(FENCE.sub("", file.read_text())))
    return {heading.replace(" ", "-") for heading in kept}


def rows(file: Path, columns: int) -> list[list[str]]:
    """The rows of every table with so many columns, headings included."""
    lines = [line for line in file.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]
    return [row for row in cells if len(row) == columns]
