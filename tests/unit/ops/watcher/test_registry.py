"""MLflow's REST interface as the watcher uses it, against a server that speaks it."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ops.watcher.registry import MissingError, Registry, UnreachableError

MODELS = [
    {"name": "a", "aliases": [{"alias": "champion", "version": 2}, {"alias": "next", "version": "3"}]},
    {"name": "b", "aliases": [{"alias": "next", "version": "1"}]},
    {"name": "c"},
    {"name": "d", "aliases": [{"alias": "champion", "version": "7"}]},
]


class Mlflow(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any]] = []
        self.status, self.answer = 200, ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Mlflow

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        start = int(query.get("page_token", ["0"])[0])
        page = {"registered_models": MODELS[start : start + 2]}
        self._say(page | ({"next_page_token": "2"} if start == 0 else {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        self._say({})

    def _say(self, answer: Any) -> None:
        login = base64.b64decode(self.headers["Authorization"].partition(" ")[2]).decode()
        assert login == "admin:secret"
        text = (self.server.answer or json.dumps(answer)).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    with Mlflow() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def registry(mlflow: Mlflow) -> Registry:
    return Registry(mlflow.url, "admin", "secret")


def test_every_model_that_carries_the_alias_is_found_on_all_pages(registry: Registry) -> None:
    assert registry.carrying("champion") == {"a": "2", "d": "7"}
    assert registry.carrying("next") == {"a": "3", "b": "1"}


def test_of_named_models_no_other_is_looked_at(registry: Registry) -> None:
    assert registry.carrying("champion", ["d", "x"]) == {"d": "7"}


def test_each_tag_is_set(mlflow: Mlflow, registry: Registry) -> None:
    registry.tag("a", "2", {"slipway.status": "deployed", "slipway.reason": ""})
    assert [body["key"] for _, body in mlflow.asked] == ["slipway.status", "slipway.reason"]
    assert {path for path, _ in mlflow.asked} == {"/api/2.0/mlflow/model-versions/set-tag"}
    assert mlflow.asked[0][1] == {"name": "a", "version": "2", "key": "slipway.status", "value": "deployed"}


def test_a_version_that_is_gone_is_told_from_trouble(mlflow: Mlflow, registry: Registry) -> None:
    mlflow.status, mlflow.answer = 404, '{"error_code": "RESOURCE_DOES_NOT_EXIST"}'
    with pytest.raises(MissingError):
        registry.tag("a", "9", {"slipway.status": "deployed"})
    mlflow.status, mlflow.answer = 500, "oops"
    with pytest.raises(UnreachableError, match="status 500: oops"):
        registry.carrying("champion")


def test_an_mlflow_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        Registry("http://127.0.0.1:9", "admin", "secret").carrying("champion")


def test_what_is_not_mlflow_is_unreachable(mlflow: Mlflow, registry: Registry) -> None:
    mlflow.answer = "<html>"
    with pytest.raises(UnreachableError):
        registry.carrying("champion")
