"""What a caller gets through the balancer."""

import http.client
import json
import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from ops import compare
from tests.machines import models
from tests.machines.live import Live
from tests.machines.models import Deployed

if TYPE_CHECKING:
    from ops.example import Trained

JSON = {"Content-Type": "application/json"}


def test_make_up_ends_with_a_line_that_predicts_when_pasted(stack: Live, example: "Trained") -> None:
    said = (stack.state.slipway / "log" / "make-up.log").read_text()
    line = next(line for line in said.splitlines() if "curl " in line)
    answer = json.loads(stack.run("sh", "-c", line[line.index("curl ") :]).stdout)
    served = answer["predictions"][0]
    assert abs(served - models.predict(example.forest, example.rows.round(6))) < 1e-5 * served


def test_scripts_get_just_the_address(stack: Live) -> None:
    for verb, address in {"url": stack.url, "mlflow-url": stack.mlflow_url}.items():
        assert stack.run(sys.executable, "-m", "ops.quickstart", verb).stdout == f"{address}\n"


def test_every_row_is_predicted_as_by_the_offline_model(stack: Live, example: "Trained") -> None:
    expected = [float(value) for value in example.forest.predict(example.rows)]
    compare.compare(stack.url, list(example.rows.columns), example.rows.values.tolist(), expected)


def test_an_answer_names_its_deployment_and_its_model(stack: Live, example: "Trained", first: Deployed) -> None:
    answer = requests.post(f"{stack.url}/invocations", models.body(example.rows), headers=JSON, timeout=60)
    assert answer.headers["X-Slipway-Deployment"] == first.id
    assert re.fullmatch(rf"{models.MODEL}/\d+", answer.headers["X-Slipway-Model"])


def test_a_callers_request_id_comes_back_and_a_missing_one_is_made(stack: Live) -> None:
    given = requests.get(f"{stack.url}/version", headers={"X-Request-Id": "an-id-of-mine"}, timeout=60)
    made = requests.get(f"{stack.url}/version", timeout=60)
    assert given.headers["X-Request-Id"] == "an-id-of-mine"
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["X-Request-Id"])


def test_both_nodes_serve_one_deployment(stack: Live, first: Deployed) -> None:
    assert stack.serving() == [first.id, first.id]
    zones = {node.zone for node in stack.nodes("serving")}
    assert len(zones) == 2, "nodes are spread over zones"


def test_a_callers_mistake_is_a_4xx_in_json_and_never_a_traceback(stack: Live) -> None:
    bad = {
        "not JSON": (b"{", JSON),
        "wrong columns": (json.dumps({"dataframe_records": [{"no": 1}]}).encode(), JSON),
        "wrong content type": (b"<a/>", {"Content-Type": "application/xml"}),
        "too large": (b" " * (17 << 20), JSON),
    }
    for what, (content, headers) in bad.items():
        answer = requests.post(f"{stack.url}/invocations", content, headers=headers, timeout=60)
        assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code}"
        assert answer.json(), what
        assert "Traceback" not in answer.text, what


def test_kept_alive_connections_stay_open(stack: Live) -> None:
    split = urlsplit(stack.url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=60)
    for _ in range(5):
        connection.request("GET", "/ping")
        connection.getresponse().read()
        assert connection.sock is not None, "an answer has closed the connection"
    connection.close()


def test_node_logs_are_one_line_of_json_per_event(stack: Live) -> None:
    requests.get(f"{stack.url}/version", headers={"X-Request-Id": "look-for-this"}, timeout=60)
    found = []
    for node in stack.nodes("serving"):
        stack.shell(node, "journalctl", "--sync")
        text = stack.shell(node, "journalctl", "-t", "nginx_access", "-o", "cat", "--no-pager").stdout
        found += [json.loads(line) for line in text.splitlines()]
    assert [event["path"] for event in found if event["request_id"] == "look-for-this"] == ["/version"]
