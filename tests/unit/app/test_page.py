"""The page at `/`: the form that a signature makes, what comes back, and names that mean harm."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas
import pytest
from flask.testing import FlaskClient
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, Schema

from app.core.errors import NotReadyError
from app.core.serving import Serving
from app.http import page, page_form
from app.http.factory import create_app

from .conftest import Deploy, Serve, digest
from .elements import Element, read

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HARM = "\"'><script>alert(1)</script>&"
KINDS = ["double", "long", "boolean", "string", "binary", "datetime"]

Visit = Callable[..., Element]
Change = Callable[[list[dict[str, Any]]], None]


@pytest.fixture
def changed(deploy: Deploy, serving: Callable[[Path], Serving]) -> Callable[..., FlaskClient]:
    """A started server of the named models, whose entries in the manifest were changed first."""

    def start(*names: str, change: Change) -> FlaskClient:
        path = deploy(*names)
        manifest = json.loads(path.read_text())
        change(manifest["models"])
        path.write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
        app = create_app(serving(path))
        app.extensions["slipway"].start()
        return app.test_client()

    return start


def visit(client: FlaskClient, path: str = "/", status: int = 200, **options: Any) -> Element:
    loaded(client)
    send = client.post if "data" in options else client.get
    answer = send(path, headers=HTML, **options)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "text/html; charset=utf-8"
    return read(answer.text)


def loaded(client: FlaskClient) -> None:
    """The page does not wait for a model that is still being loaded; a test does."""
    here = client.application.extensions["slipway"]
    for version in here.deployment.models:
        with contextlib.suppress(NotReadyError):
            here.model(version)


def filled(found: Element) -> dict[str, str]:
    """What a browser would send."""
    form = next(form for form in found.all("form") if "as=json" not in str(form["action"]))
    fields = {str(each["name"]): str(each["value"]) for each in form.all("input")}
    fields |= {str(each["name"]): "".join(map(str, each.children)).removeprefix("\n") for each in form.all("textarea")}
    for each in form.all("select"):
        chosen = [option for option in each.all("option") if "selected" in option.attributes]
        fields[str(each["name"])] = (chosen or list(each.all("option")))[0].text
    return fields


def test_a_browser_gets_the_page_and_everyone_else_the_json(serve: Serve) -> None:
    client = serve("diabetes")
    assert visit(client).one("h1").text == "diabetes version 3"
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = client.get("/", headers=accept)
        assert answer.json["models"] == ["diabetes"]
        assert answer.headers["Vary"] == "Accept"


def test_the_form_as_it_comes_predicts_what_the_example_is_expected_to_give(serve: Serve) -> None:
    client = serve("diabetes")
    expected = client.application.extensions["slipway"].version(None).expected.output["predictions"][0]
    found = visit(client, data=filled(visit(client)))
    result = found.one("section", id="result")
    assert float(result.one("p", class_="value").text) == pytest.approx(expected, rel=1e-5)
    assert "diabetes version 3" in result.text
    assert filled(found) == filled(visit(client)), "the row stays in the form"


def test_a_classifier_shows_its_probabilities_as_bars_the_greatest_first(serve: Serve) -> None:
    client = serve("iris")
    found = visit(client, data=filled(visit(client)))
    rows = list(found.one("table", class_="bars").all("tr"))
    shares = [float(str(row.one("rect", class_="fill")["width"]).removesuffix("%")) for row in rows]
    assert len(rows) == 3
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.1)
    assert rows[0].one("td", class_="number").text == f"{shares[0]:.1f} %"
    assert rows[0].one("th").text == found.one("p", class_="value").text


def test_json_is_sent_for_several_rows_and_parameters(serve: Serve) -> None:
    client = serve("scaled")
    area = visit(client).one("textarea", id="json")
    assert json.loads(area.text)["params"] == {"factor": 2.0}, "defaults are there to be changed"
    body = json.dumps({"dataframe_records": [{"x": 1.5}, {"x": 2.0}], "params": {"factor": 10.0}})
    found = visit(client, "/?model=scaled&as=json", data={"json": body})
    cells = [cell.text for cell in found.one("section", id="result").all("td")]
    assert cells == ["15", "20"]
    assert found.one("textarea", id="json").text == body
    assert "open" in next(each for each in found.all("details") if "JSON" in each.text).attributes


def test_a_model_without_column_names_is_tried_by_json(serve: Serve) -> None:
    client = serve("unsigned")
    found = visit(client)
    assert [form["action"] for form in found.all("form")] == ["/?model=unsigned&as=json#result"]
    found = visit(client, "/?model=unsigned&as=json", data={"json": found.one("textarea", id="json").text})
    assert [cell.text for cell in found.one("section", id="result").all("td", "th")][2:4] == ["1", "+"]


def test_an_error_stands_beside_its_field_and_the_row_stays(serve: Serve) -> None:
    client = serve("diabetes")
    row = filled(visit(client)) | {"bmi": "heavy"}
    found = visit(client, data=row, status=400)
    assert found.one("title").text.startswith("Error")
    wrong = next(each for each in found.all("input") if each["name"] == "bmi")
    assert wrong["value"] == "heavy"
    assert wrong["aria-invalid"] == "true"
    [error] = [each for each in found.all("p") if each["class"] == "error"]
    assert "'heavy', expected a finite number" in error.text
    assert error["id"] in str(wrong["aria-describedby"]).split()
    assert error.text in found.one("div", role="alert").text
    assert [each["name"] for each in found.all("input") if each["aria-invalid"]] == ["bmi"]


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/?model=scaled", {"data": {"x": "666"}}, 500),
        ("/?model=scaled", {"data": {"y": "1"}}, 400),
        ("/?model=scaled", {"data": {}}, 415),
        ("/?model=scaled", {"data": b"\xff\xfe", "content_type": "application/x-www-form-urlencoded"}, 400),
        ("/?model=scaled", {"data": b"{", "content_type": "application/json"}, 400),
        ("/?model=scaled", {"data": "x=1", "content_type": "text/plain"}, 415),
        ("/?model=scaled&as=json", {"data": {"json": "{"}}, 400),
        ("/?model=scaled&as=json", {"data": {"json": '{"x": NaN}'}}, 400),
        ("/?model=scaled&as=json", {"data": {}}, 400),
        ("/?model=nobody", {"data": {"x": "1"}}, 404),
        ("/?model=nobody", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_a_page_too(serve: Serve, path: str, options: Any, status: int) -> None:
    client = serve("scaled")
    found = visit(client, path, status, **options)
    alert = found.one("div", role="alert").text
    assert alert
    assert "secret-cause" not in alert
    errors = [line for line in client.get("/metrics").text.splitlines() if line.startswith("slipway_errors_total")]
    assert len(errors) == 1


def test_of_several_models_one_is_shown_and_all_are_a_click_away(serve: Serve) -> None:
    client = serve("diabetes", "iris", "text", default="iris")
    found = visit(client)
    assert found.one("h1").text.startswith("iris ")
    links = list(found.one("nav").all("a"))
    assert [link.text for link in links] == ["diabetes", "iris", "text"]
    assert [link.text for link in links if link["aria-current"] == "page"] == ["iris"]
    assert visit(client, str(links[2]["href"])).one("h1").text.startswith("text ")
    assert visit(serve("diabetes", "iris")).one("h1").text.startswith("diabetes "), "without a default, the first"


def test_a_deployment_without_model_says_how_to_deliver_one(serve: Serve) -> None:
    client = serve()
    assert "slipway deployment make NAME@champion" in visit(client).one("main").text
    visit(client, data={"x": "1"}, status=404)


def test_a_model_that_is_not_ready_says_why_and_has_no_form(serve: Serve) -> None:
    client = serve("iris", expected={"predictions": [7, 7, 7]})
    found = visit(client)
    assert "answers its example wrongly" in found.one("main").text
    assert not list(found.all("form"))


def test_a_wide_row_folds_its_later_fields(models: Path, changed: Callable[..., FlaskClient]) -> None:
    names = [f"column {number}" for number in range(100)]
    client = _saved(models, changed, "wide", names, ["double"] * 100, dict.fromkeys(names, 0.5))
    found = visit(client)
    form = next(found.all("form"))
    assert len(list(form.all("input"))) == 100
    assert len(list(form.one("details").all("input"))) == 100 - page_form.SHOWN
    assert "open" not in form.one("details").attributes
    answered = visit(client, data=filled(found))
    assert answered.one("p", class_="value").text == "100"
    row = filled(found) | {"column 99": "x"}
    assert "open" in next(visit(client, data=row, status=400).all("form")).one("details").attributes


def test_every_kind_of_column_goes_through_the_form(models: Path, changed: Callable[..., FlaskClient]) -> None:
    row = {
        "double": 1.5,
        "long": 3,
        "boolean": True,
        "string": "a\tb & <c>",
        "binary": "aGk=",
        "datetime": "2026-01-02",
    }
    client = _saved(models, changed, "kinds", KINDS, KINDS, row)
    found = visit(client)
    assert filled(found)["boolean"] == "true"
    assert filled(found)["string"] == "a\tb & <c>"
    assert visit(client, data=filled(found)).one("p", class_="value").text == "6"


def test_a_golden_set_and_logged_metrics_are_shown(changed: Callable[..., FlaskClient]) -> None:
    def change(models: list[dict[str, Any]]) -> None:
        for model, truth in zip(models, ([150.0, 80.0, 130.0], [0, 0, 1]), strict=True):
            model["metrics"] = {"val_rmse": 54.3219876}
            model["golden"] = {**model["expected"], "targets": truth}

    client = changed("diabetes", "iris", change=change)
    text = visit(client).one("main").text
    assert "val_rmse 54.32" in text
    assert "3 rows with known true values" in text
    assert len(list(visit(client).one("svg", class_="square").all("circle"))) == 3
    matrix = visit(client, "/?model=iris").one("table", class_="matrix")
    assert [[cell.text for cell in row.all("th", "td")] for row in matrix.all("tr")] == [
        ["true", "as 0", "as 1"],
        ["0", "2", "0"],
        ["1", "1", "0"],
    ]


def test_recent_requests_and_latencies_are_plotted_and_told_in_words(serve: Serve) -> None:
    client = serve("scaled")
    assert "Nobody has asked it anything." in visit(client).one("main").text
    for value in ("1", "2", "x"):
        client.post("/?model=scaled", data={"x": value})
    found = visit(client)
    assert "3 requests, 1 refused or failed." in found.one("main").text
    plots = [svg for svg in found.all("svg") if svg["class"] == "plot"]
    assert len(plots) == 2
    assert list(plots[0].all("rect"))
    assert all(str(path["d"]).startswith("M") for path in plots[1].all("path"))


@pytest.mark.parametrize("target", ["model", "column", "value", "metric", "class", "host", "error"])
def test_no_name_and_no_value_is_ever_markup(
    models: Path, changed: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    column = HARM if target == "column" else "x"
    client = _saved(models, changed, "harm", [column], ["string"], {column: HARM if target == "value" else "a"}, target)
    loaded(client)
    headers = {**HTML, **({"Host": HARM.replace("/", "")} if target == "host" else {})}
    name = HARM if target == "model" else "harm"
    texts = [client.get("/", headers=headers, query_string={"model": name}).text]
    sent = {"nobody" if target == "error" else column: HARM}
    texts.append(client.post("/", data=sent, headers=headers, query_string={"model": name}).text)
    texts.append(client.get("/", headers=headers, query_string={"model": HARM}).text)
    for text in texts:
        found = read(text)
        assert not list(found.all("script", "img", "iframe", "object", "embed"))
        assert not [each for each in found.all() for attribute in each.attributes if attribute.startswith("on")]
        assert "<script" not in text
    if target in ("model", "column", "value", "metric", "class"):
        assert HARM in read(texts[1]).text or HARM in filled(read(texts[1])).values(), "it is shown as what it is"


def test_the_policy_lets_no_script_run_and_only_our_own_style_apply(serve: Serve) -> None:
    client = serve("iris")
    for answer in (client.get("/", headers=HTML), client.post("/", data={"x": "1"})):
        policy = answer.headers["Content-Security-Policy"]
        assert policy == page.POLICY
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert "script-src" not in rules
        assert rules["style-src"].startswith("'sha256-")
        found = read(answer.text)
        assert found.one("style").children == [page.STYLE], "the hash is of what is between the tags"
        assert not [each for each in found.all() if "style" in each.attributes]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


class _Count(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Answers how many columns it was given."""

    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        return [len(model_input.columns)] * len(model_input)


class _Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        return model_input.iloc[:, 0].tolist()


def _saved(
    models: Path,
    changed: Callable[..., FlaskClient],
    name: str,
    columns: list[str],
    kinds: list[str],
    row: dict[str, Any],
    target: str = "",
) -> FlaskClient:
    """A server of a model of these columns that is saved for the test alone."""
    folder = models / digest(f"{name}-{target}")
    echo = name == "harm"
    if not folder.exists():
        signature = ModelSignature(
            inputs=Schema([ColSpec(kind, each) for kind, each in zip(kinds, columns, strict=True)])
        )
        mlflow.pyfunc.save_model(
            folder, python_model=_Echo() if echo else _Count(), signature=signature, pip_requirements=[]
        )

    def change(items: list[dict[str, Any]]) -> None:
        answer = [next(iter(row.values())) if echo else len(columns)]
        expected = {"input": {"dataframe_records": [row]}, "output": {"predictions": answer}}
        more = {"name": HARM if target == "model" else name, "digest": folder.name, "expected": expected}
        items[0].update(more)
        if target == "metric":
            items[0]["metrics"] = {HARM: 1.0}
        if target == "class":
            items[0]["golden"] = {"input": {}, "output": {"predictions": [HARM]}, "targets": [HARM]}

    return changed("scaled", change=change)
