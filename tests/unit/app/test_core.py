"""The pure parts: the manifest, agreement of answers, whose fault an exception is, settings, the board."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app import convert, expect, settings
from app.core import agreement, blame, deployment
from app.core.board import Board
from app.core.errors import BadDeploymentError
from app.core.model import load
from app.core.serving import Serving
from app.http.factory import create_app

from .conftest import CHECKOUT, Deploy, digest, example


@pytest.mark.parametrize(
    ("actual", "expected", "says"),
    [
        ({"predictions": [1.0000001]}, {"predictions": [1.0]}, None),
        ({"predictions": [1e9 + 1]}, {"predictions": [1e9]}, None),
        ([float("nan")], [float("nan")], None),
        ([1], [1.0], None),
        ([1.1], [1.0], "answer[0] is 1.1, expected 1.0 within 1e-06"),
        ([10_000_001], [10_000_000], "answer[0] is 10000001, expected 10000000 within 1e-06"),
        ([True], [1], "answer[0] is True, expected 1"),
        (["a", "b"], ["a", "c"], "answer[1] is 'b', expected 'c'"),
        ([1], [1, 2], "answer has 1 items, expected 2"),
        ({"a": 1}, {"b": 1}, "answer has the keys ['a'], expected ['b']"),
        ({"a": [{"b": None}]}, {"a": [{"b": 0}]}, "answer.a[0].b is None, expected 0"),
    ],
)
def test_answers_agree_within_the_tolerance_or_the_first_difference_is_named(
    actual: Any, expected: Any, says: str | None
) -> None:
    assert agreement.difference(actual, expected, 1e-6) == says


def test_the_id_of_a_deployment_is_the_hash_of_its_canonical_json(deploy: Deploy) -> None:
    path = deploy("iris")
    identity = deployment.read(path).id
    assert identity == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    path.write_text(path.read_text() + "\n")
    assert deployment.read(path).id == identity, "a newline at the end is no other deployment"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", "list where an object is expected"),
        ('{"schema": 2, "release": "r", "models": []}', "schema 2, this release reads 1"),
        ('{"schema": 1, "release": "r"}', '"models" in the manifest is None, expected list'),
        ('{"schema": 1, "models": [], "release": 7}', '"release" in the manifest is 7, expected str'),
        ('{"schema": 1, "release": "r", "models": [{"expected": {"input": 1}}]}', 'lacks "output" in "expected"'),
    ],
)
def test_a_manifest_of_another_shape_is_refused_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(text)
    with pytest.raises(BadDeploymentError) as refused:
        deployment.read(path)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_two_versions_of_a_model_or_two_defaults_are_refused(deploy: Deploy) -> None:
    path = deploy("iris", "text")
    manifest = json.loads(path.read_text())
    for model in manifest["models"]:
        model["default"] = True
    path.write_text(json.dumps(manifest))
    with pytest.raises(BadDeploymentError, match="more than one default model"):
        deployment.read(path)
    manifest["models"] = [manifest["models"][0]] * 2
    path.write_text(json.dumps(manifest))
    with pytest.raises(BadDeploymentError, match="more than one version of iris"):
        deployment.read(path)


def test_a_library_that_refuses_its_argument_blames_the_input_and_own_code_the_model() -> None:
    import numpy

    def library() -> None:
        numpy.linalg.inv(numpy.zeros((2, 3)))

    def own() -> None:
        raise ValueError

    def own_kind() -> None:
        raise RuntimeError

    verdicts = []
    for raiser in (library, own, own_kind):
        try:
            raiser()
        except Exception as error:
            verdicts.append(blame.is_input(error))
    assert verdicts == [True, False, False]


def test_the_board_is_complete_once_all_workers_were_ready_and_stays_so() -> None:
    board = Board(workers=2)
    board.ready(1)
    board.gone(1)
    board.ready(3)
    assert (board.count, board.complete) == (1, False), "a worker that died does not count"
    board.ready(2)
    board.gone(2)
    assert (board.count, board.complete) == (1, True)


def test_settings_come_from_the_units_environment() -> None:
    environ = {"SLIPWAY_SLOT": "b", "SLIPWAY_DEPLOYMENT": "/d.json", "SLIPWAY_WORKERS": "3"}
    found = settings.read(environ)
    assert (str(found.socket), str(found.drain_file)) == ("/run/slipway/b.sock", "/run/slipway/draining")
    assert (str(found.models), found.workers) == ("/opt/slipway/models", 3)
    assert 1 <= settings.read({**environ, "SLIPWAY_WORKERS": ""}).workers <= settings.WORKERS_AT_MOST
    for wrong in ("0", "many", "-1", "65"):
        with pytest.raises(BadDeploymentError, match=f"SLIPWAY_WORKERS is '{wrong}'"):
            settings.read({**environ, "SLIPWAY_WORKERS": wrong})


def _expect(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.expect", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=CHECKOUT, timeout=60)


def test_an_expectation_is_what_the_offline_model_answers_to_its_saved_example(models: Path) -> None:
    done = _expect(models / digest("iris"))
    assert done.returncode == 0, done.stderr
    given, answer = example(models, "iris")
    assert json.loads(done.stdout) == {"input": given, "output": answer, "tolerance": expect.TOLERANCE}


def _refused(capsys: pytest.CaptureFixture[str], *arguments: Path) -> str:
    """The one line that it says before it fails. In this process: another one takes seconds to import the libraries."""
    assert expect.main([str(each) for each in arguments]) == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == ""
    return line


def test_a_model_without_an_example_is_expected_to_load_and_nothing_else(
    models: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert expect.main([str(models / digest("unsigned"))]) == 0
    assert json.loads(capsys.readouterr().out) is None
    given, _ = example(models, "unsigned")
    file = tmp_path / "golden.json"
    file.write_text(json.dumps({"input": given}))
    found = expect.expected(models / digest("unsigned"), file)
    assert found is not None
    assert found.keys() == {"golden"}
    (tmp_path / "nothing").mkdir()
    assert _refused(capsys, tmp_path / "nothing").startswith("it does not load")


def test_a_model_that_answers_in_two_ways_is_refused(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{"predictions": [1.0]}, {"predictions": [2.0]}])
    monkeypatch.setattr("app.core.model.answer", lambda *_: next(answers))
    said = _refused(capsys, models / digest("iris"))
    assert said.startswith("asked twice, the model answers its input example in two ways")
    assert "expected 1.0" in said


def test_one_answer_that_had_to_wait_is_not_how_long_a_model_takes(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 0.0, 2.0, 2.0, 2.004, 2.004, 2.009, 2.009])
    monkeypatch.setattr(expect, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    measured: dict[str, float] = {}
    expect.expected(models / digest("iris"), None, measured)
    assert measured == {"row_ms": 4.0}


def test_a_model_without_an_example_is_served_and_says_what_nobody_could_check(
    models: Path, deploy: Deploy, serving: Callable[[Path], Serving]
) -> None:
    manifest = deploy("iris", "unsigned", default="unsigned")
    content = json.loads(manifest.read_text())
    for item in content["models"]:
        del item["expected"]
    manifest.write_text(json.dumps(content))
    app = create_app(serving(manifest))
    app.extensions["slipway"].start()
    client = app.test_client()
    for name in ("iris", "unsigned"):
        given, answer = example(models, name)
        answered = client.post(f"/models/{name}/invocations", json=given)
        assert answered.json == answer
    assert client.get("/readyz").status_code == 200
    facts = client.get("/version").json["models"]
    assert all(each["unchecked"][0] == "whether it answers rightly: it has no input example" for each in facts)
    assert client.get("/openapi.json").status_code == 200
    for page in ("/", "/docs", "/?model=iris"):
        assert client.get(page).status_code == 200, page
    assert "The answer to its example" not in client.get("/docs").text


def test_what_cannot_be_compared_is_not_compiled(models: Path) -> None:
    decision, compiled = convert.judge(models / digest("iris"), expect.inputs(models / digest("unsigned"), None))
    assert (decision.kind, decision.reason, compiled) == ("native", "it has no input example to try it on", None)


@pytest.mark.long
def test_a_golden_set_is_answered_beside_the_example(models: Path, tmp_path: Path) -> None:
    given, answer = example(models, "iris")
    file = tmp_path / "golden.json"
    file.write_text(json.dumps({"input": given, "targets": [0, 0, 1], "note": "not for the manifest"}))
    done = _expect(models / digest("iris"), file)
    assert done.returncode == 0, done.stderr
    known = {"input": given, "output": answer, "tolerance": expect.TOLERANCE}
    assert json.loads(done.stdout) == {"expected": known, "golden": {**known, "targets": [0, 0, 1]}}
    measured = json.loads(done.stderr.splitlines()[-1])["measured"]
    assert measured["golden_rows"] == 3
    assert measured["row_ms"] > 0
    assert measured["golden_ms"] > 0


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (
            {"dataframe_split": {"columns": ["a"], "index": [4, 5], "data": [[1], [2]]}, "params": {"k": 1}},
            {"dataframe_split": {"columns": ["a"], "index": [4], "data": [[1]]}, "params": {"k": 1}},
        ),
        ({"dataframe_records": [{"a": 1}, {"a": 2}]}, {"dataframe_records": [{"a": 1}]}),
        ({"instances": [[1], [2]]}, {"instances": [[1]]}),
        ({"inputs": [[1], [2]]}, {"inputs": [[1]]}),
        ({"inputs": {"a": [1, 2]}}, {"inputs": {"a": [1, 2]}}),
    ],
)
def test_one_row_is_timed_in_whichever_form_the_example_has(body: dict[str, Any], first: dict[str, Any]) -> None:
    assert expect.first_row(body) == first


@pytest.mark.parametrize(
    ("golden", "says"),
    [
        ("{", "not JSON"),
        ("[]", 'an object with "input"'),
        ('{"input": {"dataframe_split": {"columns": ["a"], "data": [[1]]}}}', "does not answer its golden set"),
        ('{"input": {"inputs": []}, "targets": 3}', "must be a list"),
    ],
)
def test_a_golden_set_of_another_shape_is_refused_with_one_line(
    golden: str, says: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "golden.json").write_text(golden)
    assert says in _refused(capsys, models / digest("iris"), tmp_path / "golden.json")


def test_a_golden_set_has_a_target_for_each_row_and_not_too_many(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, _ = example(models, "iris")
    file = tmp_path / "golden.json"
    file.write_text(json.dumps({"input": given, "targets": [0]}))
    with pytest.raises(expect.NoAnswerError, match="3 rows and 1 targets"):
        expect.expected(models / digest("iris"), file)
    monkeypatch.setattr(expect, "GOLDEN_ROWS", 2)
    with pytest.raises(expect.NoAnswerError, match="has 3 rows, at most 2"):
        expect.expected(models / digest("iris"), file)


def test_a_golden_set_and_metrics_are_read_from_the_manifest_and_may_be_absent(deploy: Deploy) -> None:
    path = deploy("iris")
    manifest = json.loads(path.read_text())
    plain = deployment.read(path).models[0]
    assert (plain.golden, dict(plain.metrics)) == (None, {})
    model = manifest["models"][0]
    model |= {"golden": {**model["expected"], "targets": [0, 0, 0]}, "metrics": {"accuracy": 0.97}}
    path.write_text(json.dumps(manifest))
    found = deployment.read(path).models[0]
    assert found.golden is not None
    assert (found.golden.targets, found.golden.tolerance) == ([0, 0, 0], 1e-6)
    assert found.metrics == {"accuracy": 0.97}


def test_a_model_that_contradicts_its_golden_set_is_not_ready(deploy: Deploy, models: Path) -> None:
    path = deploy("iris")
    manifest = json.loads(path.read_text())
    expected = manifest["models"][0]["expected"]
    manifest["models"][0]["golden"] = {**expected, "output": {"predictions": [0, 0, 2]}}
    path.write_text(json.dumps(manifest))
    version = deployment.read(path).models[0]
    said = load(version, models).contradiction()
    assert said == "it answers its golden set wrongly: answer.predictions[2] is 0, expected 2 within 1e-06"


def test_the_core_knows_no_http() -> None:
    for path in (CHECKOUT / "app" / "core").glob("*.py"):
        imports = [line for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
        assert not [line for line in imports if "flask" in line or "werkzeug" in line or "app.http" in line], path
