"""The OpenAPI description: true of the models, and kept by the server whatever a generator thinks up."""

from html.parser import HTMLParser
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis import checks as standard
from schemathesis.specs.openapi import checks

from .conftest import ZOO, Serve

CHECKS = [
    standard.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]


@schemathesis.serializer("text/csv")
def write_csv(context: Any, value: Any) -> Any:
    return str(value).encode()


@pytest.fixture(scope="module")
def description(zoo_client: FlaskClient) -> Any:
    return zoo_client.get("/openapi.json").json


def test_every_model_is_described_with_its_signature_and_example(description: Any, zoo_client: FlaskClient) -> None:
    assert description["openapi"] == "3.1.0"
    paths = description["paths"]
    for name in ZOO:
        post = paths[f"/models/{name}/invocations"]["post"]
        content = post["requestBody"]["content"]["application/json"]
        answer = zoo_client.post(f"/models/{name}/invocations", json=content["example"])
        assert answer.json == post["responses"]["200"]["content"]["application/json"]["example"]
    shapes = description["components"]["schemas"]
    [row] = [shape for key, shape in shapes.items() if key.startswith("echo-") and key.endswith("-row")]
    assert row["properties"]["open"] == {"type": "boolean"}
    assert row["properties"]["parts"] == {"type": "array", "items": {"type": "number"}}
    assert row["properties"]["extra"] == {"type": ["number", "null"]}
    assert "extra" not in row["required"]
    assert row["additionalProperties"] is False
    greet = paths["/models/greet/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert greet["properties"]["params"]["properties"] == {"word": {"type": "string", "default": "hello"}}
    assert paths["/predict"]["post"]["summary"].startswith("iris/3")


def test_every_example_is_answered(description: Any, zoo_client: FlaskClient) -> None:
    asked = 0
    for path, methods in description["paths"].items():
        for content_type, content in methods.get("post", {}).get("requestBody", {}).get("content", {}).items():
            if "example" in content and content_type == "application/json":
                answer = zoo_client.post(path, json=content["example"])
                assert answer.status_code == 200, (path, answer.text)
                asked += 1
    assert asked > 3 * len(ZOO)


def test_a_model_that_is_not_ready_is_left_out(serve: Serve) -> None:
    client = serve("diabetes", expected={"predictions": [0.0]})
    client.application.extensions["slipway"]._thread.submit(lambda: None).result()
    assert "/predict/diabetes" not in client.get("/openapi.json").json["paths"]
    assert "No model is ready" in client.get("/docs").text


class Links(HTMLParser):
    """What a page would fetch, and the elements that it leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.fetched += [url for name in ("src", "href") if tag != "a" and (url := found.get(name))]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_each_model_and_fetches_nothing(zoo_client: FlaskClient) -> None:
    answer = zoo_client.get("/docs", headers={"Host": 'a"><script>alert(1)</script>'})
    assert answer.status_code in (200, 400)
    answer = zoo_client.get("/docs", headers={"X-Forwarded-Proto": "https"})
    assert answer.status_code == 200
    links = Links()
    links.feed(answer.text)
    assert (links.open, links.fetched) == ([], ["data:,"])
    for name in ZOO:
        assert f'id="{name}"' in answer.text
    assert "<td>double, optional</td><td>FP64 [-1]</td>" in answer.text
    assert "curl https://localhost/v2/models/iris/infer" in answer.text


def test_the_server_keeps_what_it_describes(zoo_client: FlaskClient) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", zoo_client.application)
    names = ("iris", "echo", "halves")
    wanted = [f"/models/{name}/invocations" for name in names] + [f"/predict/{name}" for name in names]
    wanted += [f"/v2/models/{name}{rest}" for name in names for rest in ("", "/infer", "/ready")]
    wanted += ["/invocations", "/predict", "/v2", "/v2/repository/index", "/v2/health/ready", "/version", "/ping"]
    found: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    operations = {operation.path: operation for operation in found}
    for path in wanted:
        keeps(operations[path])


def keeps(operation: Any) -> None:
    """Requests that fit the description and requests that do not; of both, the answer must."""
    both = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(both))
    def check(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    check()
