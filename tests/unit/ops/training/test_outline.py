"""`ops.training.outline`: what a pipeline's file says, without running it."""

import sys
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.run import run
from ops.training import outline
from ops.training.outline import Outline, Unusable
from tests.unit.documents import ROOT

WHOLE = """
raise RuntimeError("nobody runs this")
def load(data): ...
def train(features, target): ...
def evaluate(model, features, target): ...
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(outline.VARIABLE, str(tmp_path))
    return tmp_path


def written(place: Path, text: str, name: str = "shop") -> Outline:
    (place / f"{name}.py").write_text(text)
    return outline.find(name)


def test_a_file_with_the_three_functions_is_a_pipeline_and_is_not_run(place: Path) -> None:
    found = written(place, WHOLE)
    assert (found.name, found.model, found.schedule, found.metric, found.margin) == ("shop", "shop", None, None, None)


def test_its_constants_are_read(place: Path) -> None:
    constants = '"""What sells."""\nMODEL: str = "sales"\nSCHEDULE = "0 3 * * *"\nMETRIC = "mae"\nMARGIN = 1\n'
    found = written(place, f"{constants}DIRECTION = 'lower'\n{WHOLE}")
    assert (found.model, found.schedule, found.metric, found.direction) == ("sales", "0 3 * * *", "mae", "lower")
    assert (found.margin, found.summary) == (1.0, "What sells.")


def test_functions_may_come_from_elsewhere(place: Path) -> None:
    text = "from mine import load\nfrom mine import fit as train\nevaluate = lambda *_: {}\n"
    assert written(place, text).name == "shop"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (WHOLE.replace("def train", "def fit"), "shop.py has no function train"),
        ("", "has no function load and no train and no evaluate"),
        ("def load(:", "cannot be read"),
        (f"MARGIN = -1\n{WHOLE}", "MARGIN is -1, and must be a number, 0 or more"),
        (f"MARGIN = True\n{WHOLE}", "MARGIN is True"),
        (f"DIRECTION = 'up'\n{WHOLE}", "DIRECTION is 'up', and must be 'lower' or 'higher'"),
        (f"SCHEDULE = hourly()\n{WHOLE}", "SCHEDULE is 'hourly()', and must be a text, written out"),
        (f"MODEL = 'a@b'\n{WHOLE}", "MODEL is 'a@b'"),
    ],
)
def test_what_is_wrong_is_one_line(place: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError) as refused:
        written(place, text)
    assert reason in refused.value.message
    assert "\n" not in refused.value.message


def test_a_pipeline_that_is_not_there_is_told_with_those_that_are(place: Path) -> None:
    written(place, WHOLE)
    with pytest.raises(UserError, match="there is no pipeline 'store'") as refused:
        outline.find("store")
    assert "shop" in refused.value.hint


def test_one_unusable_file_hides_no_other(place: Path) -> None:
    written(place, WHOLE)
    (place / "broken.py").write_text("def load(data): ...")
    (place / "_shared.py").write_text("")
    broken, whole = outline.all_of()
    assert broken == Unusable("broken", "pipelines/broken.py has no function train and no evaluate")
    assert isinstance(whole, Outline)


def test_the_projects_own_are_all_usable() -> None:
    assert [each.name for each in outline.all_of(ROOT / "pipelines") if isinstance(each, Outline)] == [
        "diabetes",
        "spam",
    ]


def test_it_needs_nothing_but_python() -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from ops.training import order, outline; order, outline"
    run([sys.executable, "-I", "-S", "-c", script])
