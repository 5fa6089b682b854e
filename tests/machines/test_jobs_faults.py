"""Nothing is lost or answered twice, whatever dies: a worker, the broker, its disk, the database, the model server."""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.machines import jobs_models
from tests.machines.jobs_stage import Stage, stage
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

MANY = 150
ATTEMPTS = 3


@pytest.fixture(scope="module")
def on_stage() -> Iterator[Stage]:
    with stage(attempts=ATTEMPTS, concurrency=4) as found:
        found.accept()
        yield found


@pytest.fixture
def here(on_stage: Stage) -> Iterator[Stage]:
    """Jobs are accepted; workers are the test's."""
    yield on_stage
    for worker in on_stage.workers:
        worker.terminate(20)
    on_stage.sql("DELETE FROM jobs")


def submit(here: Stage, count: int, seconds: float = 0.0) -> list[str]:
    return [here.submit(number, seconds=seconds) for number in range(count)]


def ended(here: Stage) -> int:
    [(count,)] = here.sql("SELECT count(*) FROM jobs WHERE state NOT IN ('queued', 'running')")
    return int(count)


def assert_each_is_answered_once(here: Stage, jobs: Sequence[str], seconds: float = 150) -> None:
    """Each has its own right answer, and only one answer was ever written for it."""
    until(lambda: ended(here) == len(jobs), lambda: f"{ended(here)} of {len(jobs)} have ended", seconds)
    for number, job in enumerate(jobs):
        found = here.job(job)
        assert (found["state"], found.get("result")) == ("succeeded", {"predictions": [2.0 * number]}), found.get(
            "reason"
        )
    written: Counter[str] = Counter()
    for index in range(len(here.workers)):
        for line in here.log(f"worker-{index}").read_text().splitlines():
            if '"state": "succeeded"' in line and (found_id := re.search(r'"job": "([^"]+)"', line)):
                written[found_id[1]] += 1
    assert {job: written[job] for job in jobs} == dict.fromkeys(jobs, 1)


def test_a_worker_that_is_killed_in_the_middle_of_a_job_loses_nothing(here: Stage) -> None:
    first = here.work()
    job = here.submit(0, seconds=3)
    here.until_state(job, "running")
    first.send(signal.SIGKILL)
    here.work()
    assert_each_is_answered_once(here, [job], 40)
    assert here.job(job)["attempts"] == 2


def test_workers_that_are_killed_again_and_again_lose_nothing(here: Stage) -> None:
    here.work()
    here.work()
    jobs = submit(here, MANY, seconds=0.1)
    for _ in range(ATTEMPTS - 1):  # each may hit the same job, and what ends so many workers is given up
        here.workers[-2].send(signal.SIGKILL)
        here.work()
    assert_each_is_answered_once(here, jobs)


def test_a_worker_that_is_stopped_ends_what_it_has_begun(here: Stage) -> None:
    worker = here.work()
    job = here.submit(0, seconds=3)
    here.until_state(job, "running")
    worker.send(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert_each_is_answered_once(here, [job], 1)


def test_a_broker_that_restarts_loses_nothing_and_jobs_are_accepted_meanwhile(here: Stage) -> None:
    here.work()
    before = submit(here, MANY, seconds=0.02)
    here.broker.stop()
    meanwhile = [here.submit(number) for number in range(MANY, MANY + 20)]
    until(lambda: here.ask("GET", "/jobs/health")[1]["broker"] is False, "the broker is known to be away")
    here.broker.start()
    assert_each_is_answered_once(here, before + meanwhile)


def test_a_broker_that_loses_its_disk_loses_no_job(here: Stage) -> None:
    jobs = submit(here, 30)
    here.broker.lose()
    here.broker.start()
    here.sql("UPDATE jobs SET published = published - interval '2 minutes'")
    here.work()
    assert_each_is_answered_once(here, jobs)


def test_a_database_that_is_away_holds_everything_up_and_loses_nothing(here: Stage) -> None:
    here.work()
    jobs = submit(here, MANY, seconds=0.02)
    here.postgres.stop()
    status, answer, headers = here.ask("POST", "/predict?async=true", jobs_models.rows([1]))
    assert (status, headers["Retry-After"]) == (503, "5"), answer
    assert here.ask("GET", f"/jobs/{jobs[0]}")[0] == 503
    until(lambda: here.said(f"worker-{len(here.workers) - 1}", '"message": "waiting"'), "the worker waits")
    here.postgres.start()
    assert_each_is_answered_once(here, jobs)


def test_a_rollout_in_the_middle_of_the_queue_answers_each_job_by_one_version(here: Stage) -> None:
    here.work()
    jobs = submit(here, MANY, seconds=0.05)
    here.serve("2", "b")
    here.stop_server("a")
    jobs += [here.submit(number) for number in range(MANY, MANY + 20)]
    assert_each_is_answered_once(here, jobs)
    served = Counter((found["model"], found["deployment"]) for found in map(here.job, jobs))
    assert {model for model, _ in served} == {"echo/1", "echo/2"}
    assert len(served) == 2, f"a version goes with its deployment: {served}"
    here.serve("1", "a")
    here.stop_server("b")


def test_a_model_server_that_is_away_costs_no_attempt(here: Stage) -> None:
    here.work()
    here.stop_server("a")
    jobs = submit(here, 10)
    until(lambda: here.job(jobs[0])["state"] == "running", "the worker has it")
    here.serve("1", "a")
    assert_each_is_answered_once(here, jobs)
    assert {here.job(job)["attempts"] for job in jobs} == {1}


def test_a_job_that_ends_the_model_server_is_given_up_and_others_go_on(here: Stage) -> None:
    here.work()
    poison = here.submit(999)
    found = here.until_state(poison, "failed", seconds=90)
    assert (found["attempts"], found["reason"].partition(":")[0]) == (3, "given up after 3 attempts")
    assert here.until_state(here.submit(1), "succeeded")["result"] == {"predictions": [2.0]}


def test_a_job_that_ends_its_worker_each_time_is_given_up(here: Stage) -> None:
    job = here.submit(0, seconds=30)
    for attempt in range(3):
        worker = here.work()
        until(lambda attempt=attempt: here.job(job)["attempts"] == attempt + 1, "it runs", 40)  # type: ignore[misc]
        worker.send(signal.SIGKILL)
    here.work()
    found = here.until_state(job, "failed", seconds=60)
    assert found["reason"] == "given up after 3 attempts: its worker ended while it ran"


def test_a_broker_whose_address_changes_is_found_again_once_the_settings_say_so(here: Stage) -> None:
    file = here.folder / "jobs.json"
    right = file.read_text()
    file.write_text(right.replace("10.0.3.9", "10.0.3.99"))
    here.broker.stop()
    job = here.submit(0)
    until(lambda: here.ask("GET", "/jobs/health")[1]["broker"] is False, "the broker is known to be away")
    here.broker.start()
    file.write_text(right)
    here.work()
    assert_each_is_answered_once(here, [job])
