"""Another deployment under load: taken, refused, and left to its deadline."""

import pytest

import contract
from ops import deployment
from ops.nodes import Node
from ops.rollout.history import History, Outcome
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import Deployed
from tests.waiting import until

EXIT = contract.ACTIVATE_EXIT
ACTIVATE = "/usr/local/lib/slipway/slipway-activate"


@pytest.fixture
def wrong(stack: Live, second: Deployed) -> str:
    """A deployment whose model does not answer as its maker says."""
    manifest = stack.store.manifest(second.id)
    expected = manifest["models"][0]["expected"]
    expected["output"]["predictions"][0] += 1.0
    return deployment.publish(stack.store, manifest)


def roll(stack: Live, identity: str) -> None:
    stack.playbook("deploy.yml", "-e", f"deployment={identity}")


def test_a_roll_out_costs_no_request(stack: Live, load: Load, first: Deployed, second: Deployed) -> None:
    assert stack.serving() == [first.id, first.id]
    roll(stack, second.id)
    assert stack.serving() == [second.id, second.id]
    assert stack.store.pointer() == second.id
    assert load.deployments == {first.id, second.id}
    assert load.failures == [], load
    newest = next(History(stack.store).newest_first())
    assert (newest.outcome, newest.deployment, newest.previous) == (Outcome.DONE, second.id, first.id)


def test_a_deployment_that_answers_wrongly_is_refused_everywhere(
    stack: Live, load: Load, second: Deployed, wrong: str
) -> None:
    refused = stack.playbook("deploy.yml", "-e", f"deployment={wrong}", check=False)
    assert refused.returncode != 0
    assert "answers its example wrongly" in refused.stdout + refused.stderr
    assert f"deployment {wrong} is refused" in refused.stdout + refused.stderr
    assert stack.serving() == [second.id, second.id]
    assert stack.store.pointer() == second.id
    assert load.failures == [], load


def test_a_deployment_that_is_not_there_is_refused_too(stack: Live, second: Deployed) -> None:
    refused = stack.playbook("deploy.yml", "-e", f"deployment={models.NO_DEPLOYMENT}", check=False)
    assert refused.returncode != 0
    assert stack.serving() == [second.id, second.id]


@pytest.fixture
def node(stack: Live) -> Node:
    return stack.nodes("serving")[0]


def provisionally(stack: Live, node: Node, deployed: Deployed) -> None:
    """Activates it for a second, once the node has let go of the activation before."""
    command = (ACTIVATE, "activate", deployed.id, "--provisional", "1")
    done = until(
        lambda: result if (result := stack.shell(node, *command, check=False)).returncode != EXIT.busy else None,
        "the activation before has ended",
    )
    assert done.ok, done.stderr


def test_past_its_deadline_a_node_returns_to_what_the_pointer_names(
    stack: Live, load: Load, node: Node, first: Deployed, second: Deployed
) -> None:
    provisionally(stack, node, first)
    until(lambda: stack.activation(node)["provisional"] is None, "its time is up")
    assert stack.activation(node)["serving"] == second.id
    assert load.failures == [], load


def test_past_its_deadline_a_node_keeps_what_the_pointer_names(
    stack: Live, load: Load, node: Node, first: Deployed
) -> None:
    stack.store.point(first.id)
    provisionally(stack, node, first)
    until(lambda: stack.activation(node)["provisional"] is None, "its time is up")
    assert stack.activation(node)["confirmed"] == first.id
    assert load.failures == [], load


def test_rolling_back_is_deploying_what_was(stack: Live, load: Load, first: Deployed) -> None:
    roll(stack, first.id)
    assert stack.serving() == [first.id, first.id]
    assert load.failures == [], load
