"""Each recipe, from its first block to its last, on a stack that is up.

On demand, for they take eight minutes: SLIPWAY_TEST_RECIPES=1. The recipe of a training is test_stack_pipeline.py's.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.environment import STACK
from tests.machines.live import Live
from tests.machines.models import Deployed
from tests.machines.recipes import FOLDER, environment, followed
from tests.waiting import until

WANTED = "SLIPWAY_TEST_RECIPES"
pytestmark = pytest.mark.skipif(os.environ.get(WANTED) != "1", reason=f"they take eight minutes: {WANTED}=1")


@pytest.fixture
def settings(stack: Live) -> Iterator[None]:
    """As they were."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield
    file.write_text(kept)


def test_models_are_delivered_asked_and_taken_away(stack: Live, first: Deployed, tmp_path: Path) -> None:
    """One after the other, without waiting for what the recipe before has taken away."""
    printed = {recipe: followed(stack, recipe, tmp_path) for recipe in ("notebook", "texts", "flask")}
    assert printed["texts"].count("praise") >= 3, printed
    assert '"probabilities"' in printed["texts"]
    assert "area" in printed["flask"].splitlines()[-1], "the wrong field is named"
    until(lambda: stack.store.pointer() == first.id, "what lost its alias is served no more", 240)
    stack.until_idle()


def test_what_was_delivered_is_taken_back_and_brought_again(
    stack: Live, first: Deployed, second: Deployed, tmp_path: Path
) -> None:
    stack.playbook("deploy.yml", "-e", f"deployment={second.id}")
    printed = followed(stack, "rollback", tmp_path)
    assert "prices look wrong" in stack.run("slipway", "history", "-n", "5").stdout
    assert second.id in printed
    assert set(stack.serving()) == {second.id}
    stack.playbook("rollback.yml", "-e", f"deployment={first.id}")


@pytest.mark.usefixtures("settings")
def test_the_fleet_grows_and_shrinks(stack: Live, first: Deployed, tmp_path: Path) -> None:
    printed = followed(stack, "scale", tmp_path)
    assert printed.count("i-") >= 3, "the table of three nodes"
    stack.until_whole("serving")
    assert stack.serving() == [first.id, first.id]


def test_every_recipe_is_tested(stack: Live) -> None:
    """`training` is in test_stack_pipeline, where there is a pipeline node."""
    pages = {page.stem for page in FOLDER.glob("*.md")} - {"README"}
    assert pages == {"notebook", "texts", "flask", "rollback", "scale", "training"}
    assert environment(stack)["URL"].startswith("http")
