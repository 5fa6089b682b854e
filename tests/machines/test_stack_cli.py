"""The operator's command on a stack that is up: what it says agrees with what is, and what it is told to do is done."""

import json
import urllib.request
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ops.run import Result
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import Deployed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained


def slipway(stack: Live, *words: str, check: bool = True) -> Result:
    """The command as a shell finds it that has read `.slipway/env`."""
    return stack.run("slipway", *words, check=check)


def status(stack: Live) -> dict[str, Any]:
    """Once all agree: the balancer takes a moment to see what a rollout did."""

    def agreed() -> dict[str, Any] | None:
        done = slipway(stack, "status", "--json", check=False)
        said.append(done.stdout + done.stderr)
        found: dict[str, Any] = json.loads(done.stdout) if done.ok else {}
        return found if found.get("agrees") else None

    said: list[str] = []
    return until(agreed, lambda: f"all agree: {said[-1]}", seconds=60)


@pytest.fixture
def paused(stack: Live) -> Iterator[None]:
    """Nobody else rolls meanwhile."""
    slipway(stack, "pause", "--reason", "a test")
    yield
    slipway(stack, "resume")


def served(stack: Live, identity: str) -> tuple[str, str]:
    """Version and digest of the deployment's one model."""
    (model,) = stack.store.manifest(identity)["models"]
    return model["version"], model["digest"]


def test_every_node_and_worker_is_seen_to_serve_what_the_pointer_names(stack: Live, first: Deployed) -> None:
    found = status(stack)
    version, digest = served(stack, first.id)
    assert (found["deployment"], found["problems"]) == (first.id, [])
    assert found["models"][0]["aliases"] == {"champion": version}
    assert {node["id"] for node in found["nodes"]} == {node.id for node in stack.nodes("serving")}
    for node in found["nodes"]:
        assert (node["deployment"], node["health"], node["error"]) == (first.id, "healthy", "")
        assert len(node["workers"]) >= 1
        for worker in node["workers"]:
            (model,) = worker["models"]
            assert (worker["deployment"], model["version"], model["digest"]) == (first.id, version, digest)
            assert model["form"] in ("native", "compiled")


def test_the_table_names_nodes_workers_and_models(stack: Live, first: Deployed) -> None:
    table = slipway(stack, "status").stdout
    for node in stack.nodes("serving"):
        assert node.name in table
    assert f"{models.MODEL}/{served(stack, first.id)[0]}" in table
    assert "worker" in table
    assert "\033" not in table, "colours are for terminals"


@pytest.mark.long
@pytest.mark.usefixtures("paused")
def test_a_version_is_promoted_and_rolled_back_and_no_request_fails(
    stack: Live, load: Load, first: Deployed, second: Deployed
) -> None:
    """By deploy.yml and by rollback.yml, which needs no name."""
    version, _ = served(stack, second.id)
    promoted = json.loads(slipway(stack, "promote", f"{models.MODEL}/{version}", "--json").stdout)
    assert promoted["deployment"] == second.id, "making the same deployment again is making no other"
    assert (promoted["rollout"]["outcome"], promoted["rollout"]["previous"]) == ("done", first.id)
    assert stack.serving() == [second.id, second.id]
    assert stack.store.pointer() == status(stack)["deployment"] == second.id
    until(lambda: load.deployments == {first.id, second.id}, "the load has met it")

    different = slipway(stack, "diff", "previous", "current", "--json", check=False)
    assert different.returncode == 1
    assert {"model"} <= {change["what"] for change in json.loads(different.stdout)}

    slipway(stack, "rollback", "--reason", "the test is over")
    assert stack.serving() == [first.id, first.id]
    assert stack.store.pointer() == status(stack)["deployment"] == first.id
    assert load.failures == [], load
    newest, before, *_ = json.loads(slipway(stack, "history", "--json").stdout)
    assert (newest["kind"], newest["deployment"], newest["reason"]) == ("rollback", first.id, "the test is over")
    assert (before["kind"], before["deployment"]) == ("deploy", second.id)


def test_what_cannot_be_promoted_is_one_line_and_changes_nothing(stack: Live, first: Deployed) -> None:
    refused = slipway(stack, "promote", f"{models.MODEL}/999", check=False)
    assert refused.returncode == 1
    assert f"{models.MODEL}/999" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert stack.serving() == [first.id, first.id]


def test_one_request_is_followed_from_nginx_to_the_model(stack: Live, example: "Trained") -> None:
    identity = uuid.uuid4().hex
    headers = {"Content-Type": "application/json", "X-Request-Id": identity}
    request = urllib.request.Request(f"{stack.url}/invocations", models.body(example.rows), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200

    def lines() -> list[dict[str, Any]]:
        done = slipway(stack, "logs", "--request-id", identity, "--json", check=False)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return found if len(found) >= 2 else []

    found = until(lines, "both lines are in the journal", seconds=60)
    assert {line["source"].rpartition("-")[0] or line["source"] for line in found} == {"nginx_access", "model-server"}
    assert {line["node"] for line in found} < {node.id for node in stack.nodes("serving")}
    missing = slipway(stack, "logs", "--request-id", uuid.uuid4().hex, check=False)
    assert (missing.returncode, missing.stdout) == (1, "")
