"""Each recipe as a reader would paste it, from its first block to its last, on a stack that is up."""

import os
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from ops.environment import STACK
from ops.run import run
from tests.machines.live import Live
from tests.machines.models import Deployed
from tests.unit.documents import FENCE, ROOT
from tests.waiting import until

FOLDER = ROOT / "docs" / "recipes"
FILE = re.compile(r"# (\w+\.py)\n")
BEGIN = FENCE.findall((FOLDER / "README.md").read_text())[0][1].splitlines()[-1]
SECONDS = 600


@pytest.fixture(autouse=True)
def environment(stack: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page before all recipes has its reader set."""
    printed = stack.run("sh", "-ec", f"{BEGIN}\nenv -0").stdout
    found = dict(pair.split("=", 1) for pair in printed.split("\0") if pair)
    for name in ("SLIPWAY", "URL"):
        monkeypatch.setenv(name, found[name])


@pytest.fixture
def settings(stack: Live) -> Iterator[None]:
    """As they were."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield
    file.write_text(kept)


def followed(recipe: str, folder: Path) -> str:
    """What the recipe's commands print. A block that begins with a file's name is that file; what stands together in
    Python is one session."""
    printed = []
    for kind, found in groupby(FENCE.findall((FOLDER / f"{recipe}.md").read_text()), key=lambda block: block[0]):
        session = []
        for _, text in found:
            if name := FILE.match(text):
                (folder / name[1]).write_text(text)
            else:
                session.append(text)
        if session:
            words = ["sh", "-ec"] if kind == "sh" else [sys.executable, "-c"]
            printed.append(run([*words, "\n".join(session)], cwd=folder, timeout_seconds=SECONDS).stdout)
    return "\n".join(printed)


def test_models_are_delivered_asked_and_taken_away(stack: Live, first: Deployed, tmp_path: Path) -> None:
    """One after the other, without waiting for what the recipe before has taken away."""
    printed = {recipe: followed(recipe, tmp_path) for recipe in ("notebook", "texts", "flask")}
    assert printed["texts"].count("praise") >= 3, printed
    assert '"probabilities"' in printed["texts"]
    assert "area" in printed["flask"].splitlines()[-1], "the wrong field is named"
    until(lambda: stack.store.pointer() == first.id, "what lost its alias is served no more", 240)
    stack.until_idle()


def test_what_was_delivered_is_taken_back_and_brought_again(
    stack: Live, first: Deployed, second: Deployed, tmp_path: Path
) -> None:
    stack.playbook("deploy.yml", "-e", f"deployment={second.id}")
    printed = followed("rollback", tmp_path)
    assert "prices look wrong" in stack.run("slipway", "history", "-n", "5").stdout
    assert second.id in printed
    assert set(stack.serving()) == {second.id}
    stack.playbook("rollback.yml", "-e", f"deployment={first.id}")


@pytest.mark.usefixtures("settings")
def test_the_fleet_grows_and_shrinks(stack: Live, first: Deployed, tmp_path: Path) -> None:
    printed = followed("scale", tmp_path)
    assert printed.count("i-") >= 3, "the table of three nodes"
    stack.until_whole("serving")
    assert stack.serving() == [first.id, first.id]


def test_every_recipe_is_tested() -> None:
    pages = {page.stem for page in FOLDER.glob("*.md")} - {"README"}
    assert pages == {"notebook", "texts", "flask", "rollback", "scale"}
    assert os.environ["URL"].startswith("http")
