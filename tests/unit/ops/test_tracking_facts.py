"""What a tracking node's own code reads of its facts."""

import json
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.tracking import facts
from ops.tracking.facts import Facts

NEEDED = {field.name: "x" for field in fields(Facts) if field.default is MISSING}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "facts.json"


def test_a_node_from_before_there_were_orders_takes_none(file: Path) -> None:
    file.write_text(json.dumps(NEEDED))
    assert facts.read(file).orders is False
    file.write_text(json.dumps(NEEDED | {"orders": True, "role": "tracking"}))
    assert facts.read(file).orders is True


def test_what_is_missing_is_named(file: Path) -> None:
    file.write_text(json.dumps({key: value for key, value in NEEDED.items() if key != "bucket"}))
    with pytest.raises(UserError, match="lacks bucket"):
        facts.read(file)
