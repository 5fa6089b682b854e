"""`python3 -m app.compile`: what it decides is kept, what it cannot is said, and no start waits for long."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app import compile as ahead
from app.core import decision as decisions
from app.core.decision import Decision
from app.core.serving import Serving
from app.settings import Settings

from .conftest import CHECKOUT, RELEASE, Deploy, digest

Converter = Callable[[str], None]


@pytest.fixture
def here(models: Path, tmp_path: Path, deploy: Deploy) -> Settings:
    (tmp_path / "cache").mkdir()
    return Settings(
        slot="a",
        deployment=deploy("iris", "scaled"),
        models=models,
        run=tmp_path,
        workers=1,
        cache=tmp_path / "cache",
        releases=tmp_path / "none",
    )


@pytest.fixture
def converter(tmp_path: Path) -> Converter:
    """Puts another program in the place of app.convert."""

    def put(program: str) -> None:
        package = tmp_path / "instead" / "app"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "convert.py").write_text(program)

    return put


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tmp_path / "instead"), "PYTHONSAFEPATH": "1"}


def decided(here: Settings, name: str) -> Decision:
    assert here.cache is not None
    found = decisions.read(decisions.entry(here.cache, digest(name), RELEASE))
    assert found is not None, f"nothing was decided for {name}"
    return found


def test_a_deployment_is_decided_once_and_served_as_decided(
    here: Settings, serving: Callable[[Path], Serving], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {
        **os.environ,
        "SLIPWAY_SLOT": "a",
        "SLIPWAY_DEPLOYMENT": str(here.deployment),
        "SLIPWAY_MODELS": str(here.models),
        "CACHE_DIRECTORY": str(here.cache),
    }
    monkeypatch.setattr(ahead, "MODEL_SECONDS", 300.0)  # the machine may be busy
    monkeypatch.setattr(ahead, "TOTAL_SECONDS", 600.0)
    assert ahead.compile_all(here, {**environ, "PYTHONPATH": str(CHECKOUT)}) == 2
    assert decided(here, "scaled").reason == "no converter for the flavour mlflow.pyfunc.model"
    iris = decided(here, "iris")
    assert iris.rows_checked > (500 if iris.kind == "compiled" else 0)
    assert iris.largest_difference is not None
    assert iris.largest_difference < 1e-5
    assert iris.versions.keys() >= {"onnxruntime", "skl2onnx", "scikit-learn"}
    heavy = [sys.executable, "-X", "importtime", "-m", "app.compile"]
    second = subprocess.run(heavy, env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(second.stdout)["message"] == "models compiled or decided against: 0"
    for name in ("numpy", "mlflow", "onnx", "sklearn"):
        assert f" {name}\n" not in second.stderr, f"a start that has nothing to decide imports {name}"
    there = serving(here.deployment)
    there.cache = here.cache
    there.start()
    served = there.model(there.version("iris"))
    assert served.scorer.kind == iris.kind
    assert served.scorer.decision == iris


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "ended by signal 11"),
        ("raise MemoryError", "the converter failed: MemoryError"),
        ("import time; time.sleep(600)", "compiling took longer than"),
        ("", "left no decision"),
        ("import sys, pathlib; (pathlib.Path(sys.argv[2]) / 'decision.json').write_text('{')", "left no decision"),
    ],
)
def test_a_converter_that_goes_wrong_leaves_the_original_and_the_reason(
    program: str, says: str, here: Settings, converter: Converter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter(program)
    monkeypatch.setattr(ahead, "MODEL_SECONDS", 1.0 if "sleep" in program else 60.0)
    monkeypatch.setattr(ahead, "TOTAL_SECONDS", 120.0)
    assert ahead.compile_all(here, environment(tmp_path)) == 2
    for name in ("iris", "scaled"):
        assert decided(here, name).kind == "native"
        assert says in decided(here, name).reason


def test_models_that_no_time_is_left_for_are_decided_at_the_next_start(
    here: Settings, converter: Converter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter("import time; time.sleep(600)")
    monkeypatch.setattr(ahead, "TOTAL_SECONDS", 2.0)
    monkeypatch.setattr(ahead, "MODEL_SECONDS", 1.5)
    assert ahead.compile_all(here, environment(tmp_path)) == 1
    assert ahead.compile_all(here, environment(tmp_path)) == 1
    assert ahead.compile_all(here, environment(tmp_path)) == 0


def test_entries_go_with_their_model_and_their_release(here: Settings, converter: Converter, tmp_path: Path) -> None:
    converter("")
    assert here.cache is not None
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / RELEASE).mkdir()
    for name in (f"{'0' * 64}-{RELEASE[:12]}", f"{digest('iris')}-{'0' * 12}", f"{digest('text')}-{RELEASE[:12]}"):
        (here.cache / name).mkdir()
    abandoned, fresh = here.cache / ".partial-old", here.cache / ".partial-new"
    abandoned.mkdir()
    fresh.mkdir()
    os.utime(abandoned, (time.time() - 7200,) * 2)
    ahead.compile_all(here, environment(tmp_path))
    expected = {f"{digest(name)}-{RELEASE[:12]}" for name in ("iris", "scaled", "text")} | {".partial-new"}
    assert {path.name for path in here.cache.iterdir()} == expected


def test_without_a_cache_nothing_is_compiled_and_nothing_fails(here: Settings) -> None:
    environ = {**os.environ, "SLIPWAY_SLOT": "a", "SLIPWAY_DEPLOYMENT": str(here.deployment), "CACHE_DIRECTORY": ""}
    command = [sys.executable, "-m", "app.compile"]
    done = subprocess.run(command, env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60)
    assert "CACHE_DIRECTORY is not set" in done.stdout
