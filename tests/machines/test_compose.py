"""The Compose stack on a real engine, as a user brings it up: built, served, scaled, killed, up again with all it had.

One stack for all of it, in the order of the file. The load runs where the balancer's port is published, and forgives
nothing: a connection that is reset is a failed request.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compose import prepare
from tests.machines import compose_client as client
from tests.machines import compose_stage, models
from tests.machines.compose_client import SECONDS, URL, ask, balanced_over, job, right, submit
from tests.machines.compose_stage import Stack
from tests.machines.load import Load
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

pytestmark = [pytest.mark.timeout(900), pytest.mark.skipif(os.geteuid() != 0, reason="an engine needs root")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with compose_stage.running(tmp_path_factory.mktemp("engine") / "engine.log") as found:
        yield found


@pytest.fixture(scope="module")
def served(stack: Stack, example: "Trained") -> models.Deployed:
    return compose_stage.deliver_first(stack, example)


def test_what_is_delivered_answers_through_the_balancer_as_the_offline_model_does(
    served: models.Deployed, example: "Trained"
) -> None:
    rows = example.rows.head(50)
    status, answer = ask("/invocations", models.body(rows, len(rows)))
    assert status == 200
    assert answer["predictions"] == pytest.approx(example.forest.predict(rows).tolist(), rel=1e-5)
    assert ask("/version")[1]["deployment"] == served.id


def test_only_what_a_stacks_balancer_forwards_is_reached(served: models.Deployed) -> None:
    assert ask("/readyz")[0] == ask("/metrics")[0] == 404
    assert ask("/v2/models/diabetes")[0] == 200


def test_without_their_profile_there_are_no_jobs(stack: Stack, served: models.Deployed, example: "Trained") -> None:
    assert ask("/invocations?async=true", models.body(example.rows))[0] == 400
    assert ask("/jobs/01a1ffc6-04c3-7250-a3e1-db6a5f8016b9")[0] == 404
    assert not {"broker", "accept", "worker"} & set(stack.compose("ps").stdout.replace("_", " ").split())


def test_a_server_has_no_way_out_no_rights_and_nothing_to_write_but_memory(
    stack: Stack, served: models.Deployed
) -> None:
    assert stack.reads("server", "id -u").stdout.strip() == "10001"
    assert "Read-only file system" in stack.reads("server", "touch /opt/slipway/x").stderr
    assert "Read-only file system" in stack.reads("server", "touch /srv/slipway/models/x").stderr
    assert stack.reads("server", "grep CapEff /proc/1/status").stdout.split() == ["CapEff:", "0" * 16]
    networks = stack.containers("balancer")[0]["NetworkSettings"]["Networks"]
    assert stack.reaches("server", networks["slipway_inside"]["IPAddress"]), "the probe itself works"
    assert not stack.reaches("server", networks["slipway_outside"]["IPAddress"])
    assert stack.reads("server", "ls /run/secrets").stdout == ""
    assert stack.reads("sandbox", "tail -n +3 /proc/net/dev | cut -d: -f1").stdout.split() == ["lo"]


def test_servers_come_and_go_under_load_without_a_failed_request(
    stack: Stack, served: models.Deployed, example: "Trained"
) -> None:
    with Load(URL, models.body(example.rows), {served.id: served.value}) as load:
        until(lambda: load.deployments, "the first answer under load")
        stack.up(3)
        assert len(balanced_over(3)) == 3
        stack.up(1)
        assert len(balanced_over(1)) == 1
    print(load)
    assert load.failures == []
    assert len(load.samples) > 100


@pytest.fixture(scope="module")
def second(stack: Stack, served: models.Deployed, example: "Trained") -> models.Deployed:
    return compose_stage.deliver_second(stack, served, example)


def test_a_delivery_switches_servers_under_load_without_a_failed_request(second: models.Deployed) -> None:
    assert ask("/version")[1]["models"][0]["version"] == "2"


def test_a_model_that_fails_the_gate_replaces_nothing(
    stack: Stack, second: models.Deployed, example: "Trained", tmp_path: Path
) -> None:
    version = compose_stage.register_one_that_answers_otherwise(example, tmp_path)
    refused = stack.deliver(f"diabetes/{version}", check=False)
    assert refused.returncode == 1
    assert re.search(r"predictions\[0\] is 0\.\d+, expected 0\.\d+ within 1e-05", refused.stderr), refused.stderr
    assert client.serving() == {second.id}
    assert client.predicted(example) == pytest.approx(second.value)


def test_a_killed_server_is_replaced_while_the_others_answer(
    stack: Stack, second: models.Deployed, example: "Trained"
) -> None:
    before = balanced_over(2)
    victim = stack.containers("server")[0]
    with Load(URL, models.body(example.rows), {second.id: second.value}) as load:
        until(lambda: load.deployments, "the first answer under load")
        stack.kill(victim)
        until(lambda: len(client.balanced() - before) == 1, "the killed server's successor", SECONDS)
    print(load)
    assert len(load.failures) <= load.clients, "only what it had in hand is lost"
    assert stack.restarts(victim) == 1


@pytest.fixture(scope="module")
def jobs(stack: Stack, second: models.Deployed, example: "Trained") -> str:
    """Asynchronous predictions, beside what serves; the first job, which has ended."""
    stack.up(2, workers=1)
    return client.submit_soon(models.body(example.rows))


def test_jobs_succeed_through_the_balancer_however_large_they_are(
    jobs: str, second: models.Deployed, example: "Trained"
) -> None:
    rows = example.rows.loc[example.rows.index.repeat(10)]
    large = submit(models.body(rows, len(rows)))
    assert right(jobs, second)
    ended = job(large)
    assert (ended["state"], ended["deployment"]) == ("succeeded", second.id)
    predictions = ask(f"/jobs/{large}/result")[1]["predictions"]
    assert (len(predictions), predictions[:10]) == (len(rows), pytest.approx([second.value] * 10))


def test_a_second_worker_takes_its_share_of_the_jobs(
    stack: Stack, jobs: str, second: models.Deployed, example: "Trained"
) -> None:
    stack.up(2, workers=2)
    workers = stack.containers("worker")
    assert len(workers) == 2
    until(lambda: all(stack.said(each, "takes jobs") for each in workers), "both take jobs", SECONDS)
    named = [submit(models.body(example.rows)) for _ in range(100)]
    assert all(right(each, second) for each in named)
    assert all(stack.said(each, '"message": "ended"') for each in workers)


def test_a_killed_broker_comes_back_and_no_job_is_lost(
    stack: Stack, jobs: str, second: models.Deployed, example: "Trained"
) -> None:
    (broker,) = stack.containers("broker")
    before = [submit(models.body(example.rows)) for _ in range(30)]
    stack.kill(broker)
    after = [submit(models.body(example.rows)) for _ in range(30)]
    assert all(right(each, second) for each in [*before, *after])
    assert stack.restarts(broker) == 1
    told = json.loads(stack.compose("exec", "-T", "accept", "python3", "-m", "jobs.admin", "list").stdout)
    assert set(told["counts"]) == {"succeeded"}


def test_down_and_up_loses_nothing(stack: Stack, second: models.Deployed, jobs: str, example: "Trained") -> None:
    from mlflow import MlflowClient

    versions = {each.version for each in MlflowClient().search_model_versions("name='diabetes'")}
    kept = job(jobs)
    stack.compose("down")
    assert ask("/version")[0] == 0
    stack.up(1, workers=1)
    balanced_over(1)
    assert ask("/version")[1]["deployment"] == second.id
    assert client.predicted(example) == pytest.approx(second.value)
    new = client.submit_soon(models.body(example.rows))
    assert job(jobs) == kept
    assert right(new, second)
    client.until_mlflow_answers()
    assert {each.version for each in MlflowClient().search_model_versions("name='diabetes'")} == versions
    assert stack.deliver("diabetes/1").returncode == 0, "the artifacts are there too"


def test_every_container_is_healthy_and_none_shows_a_secret_to_who_may_look_at_it(stack: Stack) -> None:
    secrets = [path.read_text() for path in (prepare.FOLDER / "secrets").iterdir()]
    for service in ("balancer", "server", "mlflow", "database", "broker", "accept", "worker"):
        until(lambda name=service: stack.health(name) == "healthy", service)  # type: ignore[misc]
        told = json.dumps(stack.containers(service))
        assert not [value for value in secrets if value in told], "neither environment nor command line has one"
