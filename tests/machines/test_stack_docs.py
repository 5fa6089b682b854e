"""The documents' commands on a stack that is up, as a reader would paste them, and the operator's policy held against
every call that an operator has made to it."""

import json
from typing import Any

import pytest

from localcloud.api import calls, policy
from tests.machines import models
from tests.machines.live import Live
from tests.unit.documents import ROOT, block

README = ROOT / "README.md"
DEPLOYMENTS = models.PAGE
LOGS = ROOT / "docs" / "logs.md"


def shell(stack: Live, text: str) -> str:
    """What a shell in the checkout prints. `set -e`, so that each line has to work."""
    return stack.run("sh", "-ec", text).stdout


def test_the_readmes_curl_line_predicts(stack: Live) -> None:
    answer = json.loads(shell(stack, block(README, "curl -s")))
    assert 25 <= answer["predictions"][0] <= 346, "the range of the target in scikit-learn's diabetes data"


def test_the_readmes_tools_talk_to_the_stack(stack: Live) -> None:
    """Its `ansible-playbook` is run in test_stack_ansible, on nodes that nothing but cloud-init has touched."""
    lines = block(README, "stack output").splitlines()
    printed = shell(stack, "\n".join(line for line in lines if not line.startswith(("aws ", "ansible-playbook "))))
    assert stack.environment()["MLFLOW_TRACKING_PASSWORD"] in printed
    assert "mlflow_url" in printed


def test_the_addresses_alone_are_printed(stack: Live) -> None:
    assert shell(stack, "make -s url").strip() == stack.url
    assert shell(stack, "make -s mlflow-url").strip() == stack.mlflow_url
    assert shell(stack, "python -m localcloud url").strip().partition("://")[2].partition(":")[2] in stack.url


def test_a_model_is_delivered_by_hand_as_the_page_says(stack: Live, iris: str) -> None:
    """What is logged as the page says is delivered by its alias in test_stack_watcher."""
    before = stack.store.pointer()
    make, roll = block(DEPLOYMENTS, "deployment make").splitlines()
    assert f"{models.IRIS}/{iris} " in make
    identity = models.identity(shell(stack, make))
    shell(stack, roll.replace("ID", identity))
    try:
        assert set(stack.serving()) == {identity}
        predictions = shell(
            stack,
            f"""curl -s {stack.url}/predict/iris -H 'Content-Type: application/json' -d '{{"sepal length (cm)": 5.1, """
            """"sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}'""",
        )
        assert json.loads(predictions)["predictions"] == [0]
    finally:
        stack.playbook("rollback.yml", "-e", f"deployment={before}")
    assert set(stack.serving()) == {before}


def test_logs_are_read_as_the_page_says(stack: Live) -> None:
    node = stack.nodes("serving")[0].id
    (enter,) = block(LOGS, "INSTANCE-ID journalctl").splitlines()
    assert json.loads(shell(stack, enter.replace("INSTANCE-ID", node)).splitlines()[-1])["message"]
    assert '"event":"request"' in shell(
        stack, block(LOGS, 'ansible serving --become -m ansible.builtin.command -a "journalctl -t')
    )


def test_one_request_is_found_in_both_logs(stack: Live) -> None:
    shell(stack, f"curl -s {stack.url}/version -H 'X-Request-Id: find-me'")
    command = block(LOGS, "--grep REQUEST-ID").replace("REQUEST-ID", "find-me").strip()
    printed = stack.run("sh", "-c", command, check=False).stdout  # a node that did not get the request finds nothing
    found = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert any(line.get("event") == "request" for line in found), "Nginx's line"
    assert any(line.get("logger") == "app.access" for line in found), "the server's line"


@pytest.fixture(scope="module")
def made_by_operators(stack: Live) -> list[dict[str, Any]]:
    return [call for call in calls.read(stack.state.calls) if call["caller"].endswith(":user/operator")]


def test_the_operators_policy_allows_all_that_an_operator_did(made_by_operators: list[dict[str, Any]]) -> None:
    document = json.loads((ROOT / "docs" / "operator-policy.json").read_text())
    granted = [action.lower() for each in document["Statement"] for action in policy.as_list(each["Action"])]
    assert len({call["action"] for call in made_by_operators}) > 50, "the record holds a whole `pulumi up`"
    refused = set()
    for call in made_by_operators:
        action, resource = call["action"], call["resource"]
        if action.partition(":")[0] in resource:
            allowed = policy.evaluate([document], action, resource, call["context"]).allowed
        else:  # the record does not know which resource the action is on, so only the action can be held against it
            allowed = any(policy.matches(pattern, action.lower()) for pattern in granted)
        if not allowed:
            refused.add((action, resource))
    assert refused == set()
