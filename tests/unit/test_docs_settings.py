"""The settings page is the code's: every setting, its values and its default, seen by watching the code read them."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.reading import Section
from infra.settings import SettingsError, read
from tests.unit import documents
from tests.unit.documents import ROOT

PAGE = ROOT / "docs" / "settings.md"
REQUIRED = "required"
# Required by another setting's choice, which the page says in words.
CONDITIONAL = {"slipway:operatorCidrs": "none", "slipway:operatorPublicKey": REQUIRED}
# Their keys are the user's own.
GROUPS = {"slipway:network.subnets", "slipway:pipeline.schedules", "slipway:pipeline.tables"}

Known = dict[str, tuple[str, str]]


def shown(value: object) -> str:
    return REQUIRED if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def values(kind: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, str]:
    """What the page says of a setting that is read so: its values and its default."""
    match kind:
        case "text":
            return "text", shown(named.get("default"))
        case "optional":
            return "text", "none"
        case "number":
            return f"{arguments[0]} to {arguments[1]}", str(arguments[2] or "none") if arguments[0] else str(
                arguments[2]
            )
        case "decimal":
            return f"{arguments[0]} to {arguments[1]}", str(arguments[2])
        case "share":
            return "0 to 1", f"{arguments[0]:g}"
        case "flag":
            return "true, false", shown(arguments[0])
        case "choice":
            return ", ".join(arguments[0]), str(arguments[1])
        case "texts":
            return "list", REQUIRED if named.get("required", True) else "none"
        case "network":
            return "range", shown(named.get("default"))
        case "networks":
            return "list of ranges", REQUIRED if named["required"] else "none"
    raise AssertionError(kind)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    """Every setting that the program reads, when none is given."""
    found: Known = {}

    def watch(kind: str) -> Callable[..., Any]:
        plain = getattr(Section, kind)

        def watched(self: Section, key: str, *arguments: Any, **named: Any) -> Any:
            path = "aws:region" if self.name == "aws" else self.path(key)
            found.setdefault(path, values(kind, arguments, named))
            return plain(self, key, *arguments, **named)

        return watched

    for kind in ("text", "optional", "number", "decimal", "share", "flag", "choice", "texts", "network", "networks"):
        monkeypatch.setattr(Section, kind, watch(kind))
    with pytest.raises(SettingsError):
        read("test", {"slipway:operatorAccess": "instance-connect"}, {})
    return found


def page() -> Known:
    rows = [row for row in documents.rows(PAGE, 4) if row[0].startswith("`")]
    return {name.strip("`"): (choices, default) for name, choices, default, _ in rows}


def test_the_page_has_every_setting_and_no_other(known: Known) -> None:
    assert set(page()) - GROUPS == set(known)


def test_values_and_defaults_are_the_codes(known: Known) -> None:
    written = page()
    for name, (choices, default) in known.items():
        assert written[name] == (choices, CONDITIONAL.get(name, default)), name


def test_no_page_speaks_of_a_setting_that_does_not_exist(known: Known) -> None:
    names = {name.partition(":")[2] for name in page()}
    groups = {name.partition(".")[0] for name in names if "." in name}
    for file in documents.files():
        for text in documents.inline(file):
            group, dot, key = text.removeprefix("slipway:").partition(":")[0].partition(".")
            if dot and group in groups and key.isidentifier():
                assert f"{group}.{key}" in names, f"{documents.name(file)}: there is no setting {text}"
