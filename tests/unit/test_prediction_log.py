"""The prediction log from the stack's settings to the server's environment, and what a node may do for it."""

import json
import re
import shlex
from configparser import RawConfigParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slipway_node.slots import environment

from app import settings
from app.core.sample_files import CURRENT
from contract import PATHS, S3
from contract.node_files import node_files
from infra import policies
from infra.reading import Problem, Section
from infra.sections import PredictionLogSettings
from tests.unit import documents
from tests.unit.slipway_rig import node_below

BUCKET, POINTER = "arn:aws:s3:::bucket", "arn:aws:ssm:us-east-1:123456789012:parameter/slipway/x/deployment"
KEY = "arn:aws:ssm:us-east-1:123456789012:parameter/slipway/x/watcher-key"


def read(data: dict[str, Any]) -> tuple[PredictionLogSettings, list[Problem]]:
    problems: list[Problem] = []
    return PredictionLogSettings.read(Section("slipway:fleet.predictionLog", data, problems)), problems


def written(policy: str) -> list[str]:
    """The resources on which a policy lets anything be written."""
    return [
        resource
        for statement in json.loads(policy)["Statement"]
        for resource in statement["Resource"]
        if "s3:PutObject" in statement["Action"]
    ]


def test_it_is_off_unless_a_share_is_asked_for() -> None:
    assert not read({})[0].is_on
    assert read({"share": 0.25})[0].is_on
    assert read({"share": "0.25"})[0].share == 0.25, "as `pulumi config set --path` gives it"


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "much", True, float("nan"), [0.5]])
def test_what_is_no_share_is_refused_with_the_way_out(wrong: Any) -> None:
    found, (problem,) = read({"share": wrong})
    assert not found.is_on
    assert "slipway:fleet.predictionLog.share" in str(problem)
    assert "from 0 to 1" in str(problem)


def test_a_node_may_write_its_prefix_when_it_is_on_and_nothing_else_ever() -> None:
    assert written(policies.serving(BUCKET, POINTER, KEY)) == []
    assert written(policies.serving(BUCKET, POINTER, KEY, logs_predictions=True)) == [f"{BUCKET}/{S3.predictions}*"]


def test_the_servers_environment_is_what_the_facts_ask(tmp_path: Path) -> None:
    node = node_below(tmp_path)
    assert environment(node) == "", "off"
    on = replace(node, prediction_log={"share": 0.5, "daily_bytes": 1000.0})
    given = dict(line.split("=", 1) for line in environment(on).splitlines())
    found = settings.read({"SLIPWAY_SLOT": "a", "SLIPWAY_DEPLOYMENT": "/d.json", **given})
    assert (found.sample, found.sample_daily_bytes, found.samples) == (0.5, 1000, node.predictions)


PAGE = documents.ROOT / "docs/server.md"
UNIT = "model-server@.service"


def assigned(text: str) -> dict[str, str]:
    """What the `Environment=` lines of a unit or a drop-in give its process; of equal names the last one counts."""
    lines = re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def unit() -> str:
    [found] = [file.content for file in node_files("serving") if file.path == f"/etc/systemd/system/{UNIT}"]
    return found


def drop_in() -> str:
    [text] = documents.blocks(PAGE, "ini")
    return text


def test_the_drop_in_of_the_docs_is_one_section_of_lines_that_a_service_has() -> None:
    parser = RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(drop_in())
    assert parser.sections() == ["Service"]
    assert {*parser["Service"]} == {"Environment"}


def test_the_drop_in_of_the_docs_turns_the_log_on_where_the_server_may_write(tmp_path: Path) -> None:
    asked = {**assigned(unit()), **assigned(drop_in())}
    found = settings.read({name: value.replace("%i", "a") for name, value in asked.items()})
    assert found.sample == 0.01
    assert str(found.samples) == PATHS.predictions
    [writable] = re.findall(r"^ReadWritePaths=(.*)$", unit(), re.MULTILINE)
    assert PATHS.predictions in [path.removeprefix("-") for path in writable.split()]
    assert f"`{found.samples / CURRENT}`" in PAGE.read_text(), "where the docs say that they are"
    assert assigned(unit()).keys().isdisjoint(assigned(drop_in())), "the unit itself says nothing of it"
    assert environment(node_below(tmp_path)) == "", "and its EnvironmentFile, which outranks a drop-in, neither"


def test_the_commands_of_the_docs_name_the_unit_of_all_slots() -> None:
    said = [command for command in documents.inline(PAGE) if command.startswith("systemctl ")]
    assert said == [f"systemctl edit {UNIT}", "systemctl try-restart 'model-server@*'", f"systemctl revert {UNIT}"]
    assert "EnvironmentFile=-" in unit()
