"""A page as its elements, for tests: what is there, with which attributes, around which text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

INLINE = {"a", "code", "span"}
VOID = {"meta", "link", "input", "rect", "line", "path", "circle", "br", "img"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it is read: one space between words, and between cells."""
        parts = (child if isinstance(child, str) else child._apart for child in self.children)
        return " ".join("".join(parts).split())

    @property
    def _apart(self) -> str:
        return self.text if self.tag in INLINE else f" {self.text} "

    def __getitem__(self, name: str) -> str | None:
        return self.attributes.get(name)

    def all(self, *tags: str) -> Iterator["Element"]:
        """Itself and what is inside, in document order; every tag when none is named."""
        if not tags or self.tag in tags:
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(*tags)

    def one(self, tag: str, **attributes: str) -> "Element":
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        found = [each for each in self.all(tag) if wanted.items() <= each.attributes.items()]
        assert len(found) == 1, (tag, wanted, len(found))
        return found[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read(text: str) -> Element:
    """Asserts that every element that was opened is closed, in order."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader._open == [reader.root]
    return reader.root
