"""What a screen reader, a keyboard and weak eyes need of the page, checked by its structure and its colours."""

import re
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.http.page import STYLE

from .conftest import Serve
from .elements import Element
from .test_page import changed, filled, visit

__all__ = ["changed"]

TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
READ = [("text", "card"), ("text", "page"), ("quiet", "card"), ("quiet", "page"), ("accent", "card")]
READ += [("accent", "page"), ("on-accent", "accent"), ("bad", "card"), ("text", "bad-card"), ("text", "track")]
SEEN = [("edge", "card"), ("edge", "page"), ("accent", "track"), ("slow", "page"), ("bad", "page")]


@pytest.fixture
def pages(serve: Serve, changed: Any) -> list[Element]:
    def change(models: list[dict[str, Any]]) -> None:
        for model in models:
            truth = model["expected"]["output"]["predictions"]
            model["golden"] = {**model["expected"], "targets": truth}
            model["metrics"] = {"score": 0.5}

    client: FlaskClient = changed("diabetes", "iris", "text", change=change)
    shown = [visit(client, f"/?model={name}") for name in ("diabetes", "iris", "text")]
    answered = [visit(client, f"/?model={form.one('h1').text.split()[0]}", data=filled(form)) for form in shown]
    wrong = visit(client, "/?model=diabetes", data={"bmi": "x"}, status=400)
    return [*shown, *answered, wrong, visit(client, "/?model=nobody", status=404), visit(serve())]


def test_every_page_has_the_bones_that_assistive_technology_needs(pages: list[Element]) -> None:
    for found in pages:
        assert found.one("html")["lang"] == "en"
        assert found.one("title").text
        assert "width=device-width" in str(found.one("meta", name_="viewport")["content"])
        for landmark in ("header", "main", "footer", "h1"):
            found.one(landmark)
        skip = next(found.all("a"))
        assert skip["href"] == f"#{found.one('main')['id']}", "the first stop of the keyboard leads past the rest"
        levels = [int(each.tag[1]) for each in found.all("h1", "h2", "h3")]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels)), levels
        for nav in found.all("nav"):
            assert nav["aria-label"]


def test_every_reference_leads_somewhere_and_every_id_is_there_once(pages: list[Element]) -> None:
    for found in pages:
        ids = [each["id"] for each in found.all() if "id" in each.attributes]
        assert len(ids) == len(set(ids))
        for each in found.all():
            for attribute in ("for", "aria-describedby", "aria-labelledby"):
                for target in (each[attribute] or "").split():
                    assert target in ids, (attribute, target)


def test_every_control_has_its_label_and_every_section_its_name(pages: list[Element]) -> None:
    for found in pages:
        labelled = {label["for"] for label in found.all("label") if label.text}
        for control in found.all("input", "select", "textarea"):
            assert control["id"] in labelled
        for section in found.all("section"):
            assert section["aria-labelledby"]
        for button in found.all("button"):
            assert button.text
        for invalid in (each for each in found.all() if each["aria-invalid"]):
            assert "error" in str(invalid["aria-describedby"])


def test_every_picture_is_told_in_words_or_says_nothing_new(pages: list[Element]) -> None:
    for found in pages:
        for svg in found.all("svg"):
            assert svg["aria-hidden"] == "true" or (svg["role"] == "img" and svg["aria-label"])


def test_every_table_has_headers_and_what_scrolls_can_be_reached_by_keyboard(pages: list[Element]) -> None:
    for found in pages:
        for header in found.all("th"):
            assert header["scope"] in ("row", "col")
        for table in found.all("table"):
            assert list(table.all("th"))
        for scrolling in (each for each in found.all() if each.tag == "pre" or each["class"] == "scroll"):
            assert scrolling["tabindex"] == "0"
            assert scrolling["aria-label"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast_in_both_schemes(scheme: str) -> None:
    blocks = re.findall(r":root \{([^}]*)\}", STYLE)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[("light", "dark").index(scheme)]))
    for pairs, least in ((READ, TEXT_CONTRAST), (SEEN, SHAPE_CONTRAST)):
        for front, back in pairs:
            assert _contrast(colours[front], colours[back]) >= least, (scheme, front, back)


def _contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
