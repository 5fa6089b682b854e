"""Rollouts that go wrong, under load: the fleet goes back by itself, and no request is lost.

Models that do not load or answer wrongly never serve: the game day has rows for both, and one node is given the latter.
"""

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.rollout import reach, trial
from ops.rollout.history import History, Outcome, Record
from ops.rollout.lock import Lock
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import Deployed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained


def newest(stack: Live) -> Record:
    return next(History(stack.store).newest_first())


@pytest.fixture
def raising(stack: Live, example: "Trained", tmp_path: Path) -> str:
    """A deployment that passes its gate, and fails what the load asks."""
    version = models.register_one_that_raises(example, tmp_path)
    return models.identity(stack.run("python3", "-m", "ops", "deployment", "make", f"{models.MODEL}/{version}").stdout)


def test_a_model_that_raises_on_traffic_costs_no_request_and_does_not_pass_its_bake(
    stack: Live, load: Load, first: Deployed, raising: str
) -> None:
    failed = stack.playbook("deploy.yml", "-e", f"deployment={raising}", check=False)
    assert failed.returncode != 0
    assert "answered by the version before" in failed.stdout + failed.stderr
    assert stack.serving() == [first.id, first.id]
    assert stack.store.pointer() == first.id
    assert load.failures == [], load
    record = newest(stack)
    assert (record.deployment, record.outcome) == (raising, Outcome.REVERTED)
    assert Lock(stack.store).read() is None


def test_one_rollout_at_a_time_and_one_whose_controller_is_killed_is_undone(
    stack: Live, load: Load, first: Deployed, second: Deployed, tmp_path: Path
) -> None:
    command = ["ansible-playbook", "playbooks/deploy.yml", "-e", f"deployment={second.id} by=ada"]
    with (tmp_path / "killed.log").open("w") as log:
        process = subprocess.Popen(command, cwd=stack.checkout, stdout=log, stderr=log, start_new_session=True)
    until(lambda: second.id in stack.serving(), "the first node has moved")
    refused = stack.playbook("deploy.yml", "-e", f"deployment={first.id}", check=False)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert refused.returncode != 0
    assert f"ada rolls out deployment {second.id} since " in refused.stdout + refused.stderr
    until(lambda: Lock(stack.store).read() is None, "its keeper has cleaned up")
    assert stack.serving() == [first.id, first.id]
    assert stack.store.pointer() == first.id
    record = newest(stack)
    assert (record.deployment, record.outcome) == (second.id, Outcome.INTERRUPTED)
    assert load.failures == [], load


@pytest.mark.long
def test_a_candidate_on_trial_has_its_share_until_it_is_ended_or_rolled_out(
    stack: Live, load: Load, first: Deployed, second: Deployed
) -> None:
    stack.playbook("trial.yml", "-e", f"deployment={second.id} canary=50%")
    found = trial.read(stack.store)
    assert found
    assert (found.deployment, found.percent) == (second.id, 50)
    assert stack.serving() == [first.id, first.id]
    said = stack.run("python3", "-m", "ops", "status").stdout
    assert f"deployment {second.id} gets 50% of the predictions" in said
    assert "on 2 of 2 nodes" in said
    before = len(load.samples)
    until(lambda: {each.deployment for each in load.samples[before:]} == {first.id, second.id}, "both answer")
    stack.run("python3", "-m", "ops", "promote", "--abort")
    assert trial.read(stack.store) is None
    assert all(node["trial"] is None for node in reach.current().statuses().values() if node)
    assert load.failures == [], load
    assert [newest(stack).kind, newest(stack).deployment] == ["abort", second.id]


@pytest.mark.long
def test_a_deployment_that_is_not_there_is_refused(stack: Live, first: Deployed) -> None:
    refused = stack.playbook("deploy.yml", "-e", f"deployment={models.NO_DEPLOYMENT}", check=False)
    assert refused.returncode != 0
    assert stack.serving() == [first.id, first.id]


@pytest.mark.long
def test_what_would_change_is_shown_and_nothing_changes(stack: Live, first: Deployed, second: Deployed) -> None:
    shown = stack.playbook("deploy.yml", "--check", "--diff", "-e", f"deployment={second.id}").stdout
    assert f"-{first.id} diabetes/" in shown
    assert f"+{second.id} diabetes/" in shown
    assert stack.serving() == [first.id, first.id]
    assert Lock(stack.store).read() is None
