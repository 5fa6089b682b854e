"""Deployments that are refused under load: no node moves. Those that are taken are promoted in test_stack_cli."""

import pytest

from ops import deployment
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import Deployed


@pytest.fixture
def wrong(stack: Live, second: Deployed) -> str:
    """A deployment whose model does not answer as its maker says."""
    manifest = stack.store.manifest(second.id)
    expected = manifest["models"][0]["expected"]
    expected["output"]["predictions"][0] += 1.0
    return deployment.publish(stack.store, manifest)


def test_a_deployment_that_answers_wrongly_is_refused_everywhere(
    stack: Live, load: Load, first: Deployed, wrong: str
) -> None:
    refused = stack.playbook("deploy.yml", "-e", f"deployment={wrong}", check=False)
    assert refused.returncode != 0
    assert "answers its example wrongly" in refused.stdout + refused.stderr
    assert f"deployment {wrong} is refused" in refused.stdout + refused.stderr
    assert stack.serving() == [first.id, first.id]
    assert stack.store.pointer() == first.id
    assert load.failures == [], load


def test_a_deployment_that_is_not_there_is_refused_too(stack: Live, first: Deployed) -> None:
    refused = stack.playbook("deploy.yml", "-e", f"deployment={models.NO_DEPLOYMENT}", check=False)
    assert refused.returncode != 0
    assert stack.serving() == [first.id, first.id]
